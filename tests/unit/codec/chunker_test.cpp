#include "codec/chunker.hpp"

#include "codec/digest.hpp"

#include <numeric>
#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Bytes noise(std::size_t size, std::uint64_t seed = 1) {
  Bytes out(size);
  std::uint64_t state = seed;
  for (auto& byte : out)
    byte = static_cast<std::uint8_t>((state = state * 6364136223846793005 + 1442695040888963407) >> 56);
  return out;
}

std::set<Digest> digests(ByteView data, const CdcParameters& parameters) {
  std::set<Digest> out;
  for (const auto n : cdc_lengths(data, parameters)) {
    out.insert(sha256(data.first(n)));
    data = data.subspan(n);
  }
  return out;
}

std::size_t not_in(const std::set<Digest>& some, const std::set<Digest>& all) {
  return static_cast<std::size_t>(
      std::count_if(some.begin(), some.end(), [&](const auto& d) { return !all.contains(d); }));
}

}  // namespace

TEST_CASE("chunker: lengths add up, respect minimum and maximum, and are the same every time") {
  for (const auto& parameters : {k_cdc_files, k_cdc_stream}) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{parameters.minimum}, std::size_t{parameters.minimum} + 1,
          std::size_t{parameters.maximum}, std::size_t{4'000'001}}) {
      const Bytes data = noise(size, size);
      const auto lengths = cdc_lengths(data, parameters);
      CHECK(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}) == size);
      CHECK(lengths == cdc_lengths(data, parameters));
      for (std::size_t i = 0; i + 1 < lengths.size(); ++i) {
        CHECK(lengths[i] > parameters.minimum);
        CHECK(lengths[i] <= parameters.maximum);
      }
      if (!lengths.empty()) {
        CHECK(lengths.back() > 0);
        CHECK(lengths.back() <= parameters.maximum);
      }
    }
  }
}

TEST_CASE("chunker: the mean of random data is near the normal size") {
  for (const auto& parameters : {k_cdc_files, k_cdc_stream}) {
    const std::size_t size = 16U << 20;
    const auto n = cdc_lengths(noise(size), parameters).size();
    CHECK(size / n > parameters.normal / 2);
    CHECK(size / n < std::size_t{parameters.normal} * 2);
  }
}

TEST_CASE("chunker: data without any variety is cut at the maximum") {
  for (const unsigned byte : {0x00U, 0x20U, 0xffU}) {
    const auto lengths = cdc_lengths(Bytes(1U << 20, static_cast<std::uint8_t>(byte)), k_cdc_files);
    // The hash of one byte repeated settles within 64 bytes: either it cuts at once or never.
    const std::set<std::uint32_t> kinds(lengths.begin(), lengths.end() - 1);
    CHECK(kinds.size() == 1);
  }
}

TEST_CASE("chunker: an insertion, a removal and a change cost a few chunks, wherever they are") {
  const Bytes data = noise(8U << 20, 7);
  const auto before = digests(data, k_cdc_files);
  REQUIRE(before.size() > 100);
  for (const std::size_t at : {std::size_t{0}, std::size_t{3}, data.size() / 2, data.size() - 1}) {
    Bytes inserted = data;
    inserted.insert(inserted.begin() + static_cast<std::ptrdiff_t>(at), {1, 2, 3, 4, 5});
    CHECK(not_in(digests(inserted, k_cdc_files), before) <= 4);
    Bytes removed = data;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(at));
    CHECK(not_in(digests(removed, k_cdc_files), before) <= 4);
    Bytes changed = data;
    changed[at] ^= 0x55;
    CHECK(not_in(digests(changed, k_cdc_files), before) <= 4);
  }
}

TEST_CASE("chunker: a cut depends on nothing behind it") {
  const Bytes data = noise(1U << 20, 3);
  const auto lengths = cdc_lengths(data, k_cdc_stream);
  REQUIRE(lengths.size() > 3);
  // Reading in pieces: whoever has the maximum at hand finds the same cuts.
  ByteView rest{data};
  for (const auto length : lengths) {
    CHECK(cdc_cut(rest.first(std::min<std::size_t>(rest.size(), k_cdc_stream.maximum)), k_cdc_stream) == length);
    rest = rest.subspan(length);
  }
}

TEST_CASE("chunker: known cuts, so that a change of the algorithm is seen (it would end deduplication)") {
  std::string text;
  for (int i = 0; text.size() < 200'000; ++i) text += std::to_string(i * 7919) + "\n";
  const auto lengths = cdc_lengths(as_bytes(text), k_cdc_stream);
  Bytes all;
  for (const auto n : lengths) put_u32(all, n);
  CHECK(sha256(all).hex() == "e4e156be1bce2a8c06a5f13e39d4e13b94f245cbbc8fe6154c87c5669ea2c8e2");
}

TEST_CASE("chunker: fixed lengths") {
  CHECK(fixed_lengths(0, 4096).empty());
  CHECK(fixed_lengths(1, 4096) == std::vector<std::uint32_t>{1});
  CHECK(fixed_lengths(4096, 4096) == std::vector<std::uint32_t>{4096});
  CHECK(fixed_lengths(8193, 4096) == std::vector<std::uint32_t>{4096, 4096, 1});
}
