#include "engine/inside/text_diff.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// What the changes make of `before`; they have to be in order, and apart.
std::string applied(const std::vector<std::string_view>& before, const std::vector<std::string_view>& after,
                    const std::vector<LineChange>& changes) {
  std::string out;
  std::size_t at = 0;
  std::size_t there = 0;
  for (const auto& change : changes) {
    CHECK((at == 0 || change.before > at || change.after > there));
    REQUIRE(change.before - at == change.after - there);
    for (; at < change.before; ++at, ++there) {
      REQUIRE(before[at] == after[there]);
      out += before[at];
    }
    at += change.removed;
    for (std::size_t i = 0; i < change.added; ++i) out += after[there++];
  }
  for (; at < before.size(); ++at) out += before[at];
  return out;
}

// The fewest lines to remove and to add: by the table of longest common subsequences.
std::size_t fewest(const std::vector<std::string_view>& before, const std::vector<std::string_view>& after) {
  std::vector<std::vector<std::size_t>> common(before.size() + 1, std::vector<std::size_t>(after.size() + 1, 0));
  for (std::size_t i = 1; i <= before.size(); ++i) {
    for (std::size_t k = 1; k <= after.size(); ++k) {
      common[i][k] =
          before[i - 1] == after[k - 1] ? common[i - 1][k - 1] + 1 : std::max(common[i - 1][k], common[i][k - 1]);
    }
  }
  return before.size() + after.size() - 2 * common[before.size()][after.size()];
}

std::string some_text(std::mt19937& random, std::size_t most) {
  std::string out;
  for (std::size_t i = random() % (most + 1); i > 0; --i)
    out += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
  if (random() % 3 == 0) out += "end";
  return out;
}

}  // namespace

TEST_CASE("text diff: the changes make one text of the other, and are as few as can be") {
  std::mt19937 random{2};
  for (int i = 0; i < 2000; ++i) {
    const std::string before = some_text(random, 25);
    const std::string after = some_text(random, 25);
    CAPTURE(before);
    CAPTURE(after);
    const auto b = lines_of(before);
    const auto a = lines_of(after);
    const auto changes = compare_lines(b, a);
    CHECK(applied(b, a, changes) == after);
    std::size_t lines = 0;
    for (const auto& change : changes) lines += change.removed + change.added;
    CHECK(lines == fewest(b, a));
    CHECK(changes.empty() == (before == after));
  }
}

TEST_CASE("text diff: texts that have little in common are compared in bounded time") {
  std::string before = "same\n";
  std::string after = "same\n";
  for (int i = 0; i < 200'000; ++i) {
    before += "b" + std::to_string(i) + "\n";
    after += "a" + std::to_string(i) + "\n";
  }
  before += "last\n";
  after += "last\n";
  const auto changes = compare_lines(lines_of(before), lines_of(after));
  CHECK(changes == std::vector<LineChange>{{1, 200'000, 1, 200'000}});
}

TEST_CASE("text diff: patch takes it, and makes one text of the other") {
  if (!fs::exists("/usr/bin/patch")) {
    MESSAGE("SKIPPED: patch is not installed");
    return;
  }
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "file";
  const fs::path difference = directory.path() / "difference";
  std::mt19937 random{6};
  for (int i = 0; i < 60; ++i) {
    const std::string before = some_text(random, 60);
    const std::string after = some_text(random, 60);
    const std::string text = unified_diff(before, after, "a", "b");
    CHECK(text.empty() == (before == after));
    if (text.empty()) continue;
    CAPTURE(text);
    write_file_atomic(file, as_bytes(before));
    write_file_atomic(difference, as_bytes(text));
    const std::string command =
        "patch -s --no-backup-if-mismatch '" + file.native() + "' '" + difference.native() + "' >/dev/null";
    REQUIRE(std::system(command.c_str()) == 0);
    CHECK((fs::exists(file) ? std::string{as_text(read_file(file))} : "") == after);
  }
}

TEST_CASE("text diff: the form of it") {
  CHECK(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\n6\n7\n8\n", "old", "new") ==
        "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
  CHECK(unified_diff("", "a\n", "old", "new") == "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n");
  CHECK(unified_diff("a\n", "a", "old", "new") ==
        "--- old\n+++ new\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n");
  CHECK(unified_diff("a", "a", "old", "new").empty());
  CHECK(looks_binary(as_bytes(std::string_view{"a\0b", 3})));
  CHECK(!looks_binary(as_bytes(std::string(9000, 'x') + '\0')));
}
