#include "engine/inside/page_feed.hpp"

#include "support/hand_made_snapshot.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::HandMadeSnapshot;

namespace {

constexpr std::uint64_t k_page = 4096;
constexpr std::uint64_t k_most = 1 << 20;

// A file of pages, sixteen in a frame.
struct Pages : HandMadeSnapshot {
  std::string content;
  PackRef pack;
  Manifest snapshot;
  std::unique_ptr<SnapshotFrames> shared;
  std::unique_ptr<TreeIndex> index;
  std::unique_ptr<FileReader> reader;

  explicit Pages(std::uint32_t pages) {
    std::mt19937 random{9};
    std::vector<std::string> chunks;
    for (std::uint32_t i = 0; i < pages; ++i) {
      std::string page(k_page, '\0');
      for (std::size_t k = 0; k < 64; ++k) page[k] = static_cast<char>(random());
      content += page;
      chunks.push_back(std::move(page));
    }
    pack = add_pack(chunks, 16);
    snapshot = manifest({test::file_line("file", content.size(), {{pack.prefix(), 0, pages, 0}})});
    shared = frames(snapshot, 64 << 20);
    index = std::make_unique<TreeIndex>(*shared, snapshot);
    reader = std::make_unique<FileReader>(*shared, *index, *index->find("file"));
  }
  std::uint64_t requests() {
    return shared->alone([](const FrameFetcher& fetcher) { return fetcher.statistics().requests; });
  }
  // Whether it is what was asked for.
  bool reads(PageFeed& feed, std::uint64_t offset, std::uint64_t length, std::uint64_t most, std::uint64_t& got) const {
    const Bytes bytes = feed.read(offset, length, most);
    got = bytes.size();
    return got >= std::min<std::uint64_t>(length, content.size() - offset) && got <= std::max(length, most) &&
           as_text(bytes) == std::string_view{content}.substr(offset, got);
  }
};

}  // namespace

TEST_CASE("page feed: whatever is asked for, in whatever order, is what the file has") {
  Pages t{1500};
  PageFeed feed{*t.reader, 1 << 20};
  std::mt19937 random{4};
  std::uint64_t at = 0;
  std::uint64_t got = 0;
  for (int i = 0; i < 600; ++i) {
    if (random() % 3 == 0) at = random() % t.content.size() / k_page * k_page;
    CAPTURE(at);
    REQUIRE(t.reads(feed, at, k_page, random() % 2 == 0 ? k_most : k_page, got));
    at += got;
    if (at >= t.content.size()) at = 0;
  }
  CHECK(t.reads(feed, t.content.size() - 10, 10, k_most, got));
  CHECK(got == 10);
}

TEST_CASE("page feed: a scan gets more and more, in few requests; a look here and there gets what it asks for") {
  Pages t{3000};
  const std::uint64_t before = t.requests();
  {
    PageFeed feed{*t.reader, 4 << 20};
    std::uint64_t got = 0;
    std::uint64_t reads = 0;
    for (std::uint64_t at = 0; at < t.content.size(); at += got, ++reads)
      REQUIRE(t.reads(feed, at, k_page, k_most, got));
    CHECK(reads < 25);
    CHECK(t.requests() - before < 15);
  }
  t.shared = t.frames(t.snapshot, 1 << 20);
  t.index = std::make_unique<TreeIndex>(*t.shared, t.snapshot);
  t.reader = std::make_unique<FileReader>(*t.shared, *t.index, *t.index->find("file"));
  PageFeed feed{*t.reader, 4 << 20};
  std::mt19937 random{8};
  const std::uint64_t begun = t.requests();
  std::uint64_t got = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    REQUIRE(t.reads(feed, (i * 7919 + random() % 10) % 3000 * k_page, k_page, k_most, got));
    CHECK(got == k_page);
  }
  CHECK(t.requests() - begun <= 20);
}

TEST_CASE("page feed: two scans side by side are two scans") {
  Pages t{2000};
  PageFeed feed{*t.reader, 4 << 20};
  std::uint64_t left = 0;
  std::uint64_t right = 1000 * k_page;
  std::uint64_t reads = 0;
  while (left < 1000 * k_page || right < 2000 * k_page) {
    std::uint64_t got = 0;
    if (left < 1000 * k_page) {
      REQUIRE(t.reads(feed, left, k_page, k_most, got));
      left += got;
      ++reads;
    }
    if (right < 2000 * k_page) {
      REQUIRE(t.reads(feed, right, k_page, k_most, got));
      right += got;
      ++reads;
    }
  }
  CHECK(reads < 60);
}

TEST_CASE("page feed: damage is told by who reads it, and by nobody else") {
  Pages t{600};
  t.damage_frame(t.pack, 20);
  PageFeed feed{*t.reader, 64 << 20};
  std::uint64_t got = 0;
  std::uint64_t at = 0;
  while (at + got <= 10 * 16 * k_page) {
    REQUIRE(t.reads(feed, at, k_page, 64 << 10, got));
    at += got;
  }
  CHECK(test::failure_of([&] { feed.read(20 * 16 * k_page, 16 * k_page, 16 * k_page); }) == ErrorKind::damaged);
  // Once more: it was not a failure that is remembered.
  CHECK(test::failure_of([&] { feed.read(20 * 16 * k_page, 16 * k_page, 16 * k_page); }) == ErrorKind::damaged);
  CHECK(t.reads(feed, 21 * 16 * k_page, k_page, k_page, got));
}
