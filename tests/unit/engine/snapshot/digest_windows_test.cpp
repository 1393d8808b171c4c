#include "engine/snapshot/digest_windows.hpp"

#include <map>
#include <memory>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Digest digest_of(std::uint64_t pack, std::uint32_t chunk) {
  Digest digest{};
  digest.bytes[0] = static_cast<std::uint8_t>(pack);
  digest.bytes[1] = static_cast<std::uint8_t>(pack >> 8);
  for (unsigned i = 0; i < 4; ++i) digest.bytes[2 + i] = static_cast<std::uint8_t>(chunk >> (8 * i));
  return digest;
}

// Packs of so many chunks; counts how often their directories are asked for.
struct Packs {
  explicit Packs(std::uint32_t chunks) : count(chunks) {}
  DigestWindows windows(std::uint64_t limit = DigestWindows::k_memory) {
    return DigestWindows{[this](std::uint64_t pack) { return load(pack); }, limit};
  }
  std::shared_ptr<const PackDirectory> load(std::uint64_t pack) {
    ++loads[pack];
    if (pack == missing) return nullptr;
    auto directory = std::make_shared<PackDirectory>();
    for (std::uint32_t chunk = 0; chunk < count; ++chunk) directory->add_chunk(digest_of(pack, chunk), 4096);
    directory->add_frame(1, count);
    return directory;
  }
  std::uint32_t count;
  std::uint64_t missing = 999;
  std::map<std::uint64_t, int> loads;
};

bool is(const Digest* digest, std::uint64_t pack, std::uint32_t chunk) {
  return digest != nullptr && *digest == digest_of(pack, chunk);
}

}  // namespace

TEST_CASE("packs that are read side by side have their directories decoded a few times each") {
  constexpr std::uint32_t k_chunks = 20'000;
  constexpr std::uint64_t k_packs = 12;
  Packs packs{k_chunks};
  // Whole directories would take 7.7 MB.
  DigestWindows windows = packs.windows(600'000);
  std::size_t wrong = 0;
  for (std::uint32_t chunk = 0; chunk < k_chunks; ++chunk) {
    for (std::uint64_t pack = 0; pack < k_packs; ++pack) {
      // Some of its chunks have been replaced.
      if ((chunk + pack) % 7 == 0) continue;
      wrong += is(windows.find(pack, chunk), pack, chunk) ? 0U : 1U;
    }
  }
  CHECK(wrong == 0);
  for (std::uint64_t pack = 0; pack < k_packs; ++pack) CHECK(packs.loads[pack] <= 16);
}

TEST_CASE("a chunk that comes again and again does not have the directory decoded each time") {
  constexpr std::uint32_t k_chunks = 20'000;
  Packs packs{k_chunks};
  DigestWindows windows = packs.windows();
  std::size_t wrong = 0;
  for (std::uint32_t chunk = 0; chunk < k_chunks; ++chunk) {
    wrong += is(windows.find(1, chunk), 1, chunk) ? 0U : 1U;
    wrong += is(windows.find(1, 5), 1, 5) ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(packs.loads[1] <= 32);
}

TEST_CASE("digests are right in whatever order they are asked for, and however few are kept") {
  Packs packs{5000};
  DigestWindows windows = packs.windows(1);
  CHECK(is(windows.find(1, 4999), 1, 4999));
  CHECK(is(windows.find(1, 0), 1, 0));
  CHECK(is(windows.find(2, 2500), 2, 2500));
  CHECK(is(windows.find(1, 1), 1, 1));
  CHECK(is(windows.find(1, 1023), 1, 1023));
  CHECK(is(windows.find(1, 2047), 1, 2047));
  CHECK(is(windows.find(1, 4000), 1, 4000));
  CHECK(packs.loads[2] == 1);
}

TEST_CASE("a chunk that a pack does not have, or of a pack that cannot be read, has no digest") {
  Packs packs{10};
  DigestWindows windows = packs.windows();
  CHECK(windows.find(packs.missing, 0) == nullptr);
  CHECK(windows.find(1, 10) == nullptr);
  CHECK(is(windows.find(1, 9), 1, 9));
  CHECK(windows.find(1, 10) == nullptr);
  CHECK(windows.find(1, 0xffffffff) == nullptr);
  CHECK(is(windows.find(1, 0), 1, 0));
}
