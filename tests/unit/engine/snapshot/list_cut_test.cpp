#include "engine/snapshot/list_cut.hpp"

#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::mt19937_64 g_random;  // NOLINT(cert-msc51-cpp): the same lines in each run

std::string random_line(std::size_t size) {
  std::string line(size, '\n');
  for (std::size_t i = 0; i + 1 < size; ++i) line[i] = static_cast<char>('a' + g_random() % 26);
  return line;
}

std::vector<std::string> random_lines(std::size_t count, std::size_t shortest, std::size_t longest) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i)
    lines.push_back(random_line(shortest + g_random() % (longest - shortest + 1)));
  return lines;
}

std::vector<std::string> cut(const std::vector<std::string>& lines) {
  std::vector<std::string> chunks{""};
  for (const auto& line : lines) {
    chunks.back() += line;
    if (ends_list_chunk(line, chunks.back().size())) chunks.emplace_back();
  }
  return chunks;
}

struct Measured {
  double mean = 0;       // bytes a chunk
  double rewritten = 0;  // share of the list's bytes
};

// Changes every n-th line and cuts again.
Measured change_every(std::vector<std::string> lines, std::size_t n) {
  const auto before = cut(lines);
  const std::set<std::string> stored(before.begin(), before.end());
  for (std::size_t i = 0; i < lines.size(); i += n) lines[i] = random_line(lines[i].size());
  double all = 0;
  double fresh = 0;
  const auto after = cut(lines);
  for (const auto& chunk : after) {
    all += static_cast<double>(chunk.size());
    if (!stored.contains(chunk)) fresh += static_cast<double>(chunk.size());
  }
  return {all / static_cast<double>(after.size()), fresh / all};
}

}  // namespace

TEST_CASE("entry list: chunks have about 4 KiB, and a change rewrites little, with short lines") {
  const Measured m = change_every(random_lines(60'000, 250, 400), 1000);
  CHECK(m.mean > 3500);
  CHECK(m.mean < 4500);
  CHECK(m.rewritten < 0.02);  // 0.1 % of the lines changed
}

TEST_CASE("entry list: lines of several KiB are chunks of their own") {
  const Measured m = change_every(random_lines(4000, 3900, 4200), 4);
  CHECK(m.mean < 4300);
  CHECK(m.rewritten < 0.26);  // every 4th line changed
}

TEST_CASE("entry list: a few long lines among short ones do not make chunks long") {
  auto lines = random_lines(20'000, 200, 300);
  for (std::size_t i = 0; i < lines.size(); i += 50) lines[i] = random_line(12'000);
  const Measured m = change_every(lines, 1000);
  CHECK(m.mean < 7000);
  CHECK(m.rewritten < 0.05);
}

TEST_CASE("entry list: a chunk ends at 64 KiB whatever its lines are like") {
  const std::string line(100, 'x');
  CHECK_FALSE(ends_list_chunk(line, 2047));
  CHECK(ends_list_chunk(line, 65'536));
  // 2 KiB and longer: always.
  CHECK(ends_list_chunk(std::string(2048, 'x'), 2048));
}
