#include "repo/file_reader.hpp"

#include "support/hand_made_snapshot.hpp"
#include "unit/support.hpp"

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::directory_line;
using test::failure_of;
using test::file_line;
using test::HandMadeSnapshot;
using test::message_of;

namespace {

std::string noise(std::size_t size, std::uint32_t seed) {
  std::mt19937 random{seed};
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

// A file of chunks of all lengths and of holes, in one line or in parts.
struct Subject : HandMadeSnapshot {
  enum class Shape { one_line, parts };
  std::vector<std::string> chunks;
  PackRef pack;
  std::string content;
  Manifest snapshot;
  std::unique_ptr<SnapshotFrames> shared;
  std::unique_ptr<TreeIndex> index;

  explicit Subject(Shape shape, std::shared_ptr<const Keyring> keys = {}, bool spare = false)
      : HandMadeSnapshot(std::move(keys)) {
    for (std::uint32_t i = 0; i < 400; ++i) chunks.push_back(noise(1 + (i * 37) % 900, i));
    pack = add_pack(chunks, 5);
    if (spare) spares.push_back(make_pack(chunks, 5));
    std::vector<std::string> parts;
    std::vector<Extent> all;
    // Each part: chunks of one stretch, a hole, and one chunk from the beginning again.
    for (std::uint32_t i = 0; i + 4 <= 400; i += 4) {
      std::vector<Extent> extents{{pack.prefix(), i, 4, 0}};
      std::string bytes;
      for (std::uint32_t k = i; k < i + 4; ++k) bytes += chunks[k];
      if (i % 8 == 0) {
        extents.push_back(Extent::make_hole(1000 + i));
        bytes += std::string(1000 + i, '\0');
      }
      extents.push_back({pack.prefix(), i / 4, 1, 0});
      bytes += chunks[i / 4];
      all.insert(all.end(), extents.begin(), extents.end());
      parts.push_back(write_part_line(bytes.size(), extents));
      content += bytes;
    }
    std::string text = directory_line(".") + file_line("before", 0, {});
    if (shape == Shape::one_line) {
      text += file_line("file", content.size(), all);
    } else {
      text += file_line("file", content.size(), {}, parts.size());
      for (const auto& part : parts) text += part;
    }
    text += file_line("later", 0, {});
    snapshot = manifest(test::cut_anywhere(text, 1000));
    look();
  }
  void look(std::uint64_t keep = 1 << 18) {
    index.reset();
    shared = frames(snapshot, keep);
    index = std::make_unique<TreeIndex>(*shared, snapshot);
  }
  FileReader reader(const char* path = "file") { return {*shared, *index, *index->find(path)}; }
  bool reads_right(FileReader& from, std::uint64_t offset, std::uint64_t length) const {
    const std::string expected = offset >= content.size() ? std::string{} : content.substr(offset, length);
    const Bytes bytes = from.read_at(offset, length);
    return as_text(bytes) == expected;
  }
};

std::shared_ptr<const Keyring> sealing() {
  const auto owner = age::Identity::generate();
  const Keyring::LoadIdentities load = [owner] { return std::vector{owner}; };
  return std::make_shared<const Keyring>(std::vector{owner.recipient()}, std::nullopt, load);
}

void check_ranges(Subject& t) {
  auto file = t.reader();
  REQUIRE(file.size() == t.content.size());
  CHECK(t.reads_right(file, 0, t.content.size()));
  CHECK(t.reads_right(file, 0, UINT64_MAX));
  CHECK(t.reads_right(file, t.content.size() - 1, 10));
  CHECK(t.reads_right(file, t.content.size(), 10));
  CHECK(t.reads_right(file, UINT64_MAX, UINT64_MAX));
  CHECK(t.reads_right(file, 5, 0));
  std::mt19937 random{7};
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t offset = random() % t.content.size();
    const std::uint64_t length = random() % (i % 3 == 0 ? 20'000 : 300);
    CAPTURE(offset);
    CAPTURE(length);
    CHECK(t.reads_right(file, offset, length));
  }
  // From the end first: parts before it are found on the way.
  auto backwards = t.reader();
  for (std::uint64_t at = t.content.size(); at >= 5000; at -= 5000) CHECK(t.reads_right(backwards, at - 5000, 5000));
}

}  // namespace

TEST_CASE("file reader: any range, holes and ends of chunks and parts included") {
  SUBCASE("a file in one line") {
    Subject t{Subject::Shape::one_line};
    check_ranges(t);
  }
  SUBCASE("a file in parts") {
    Subject t{Subject::Shape::parts};
    check_ranges(t);
  }
  SUBCASE("sealed packs") {
    Subject t{Subject::Shape::parts, sealing()};
    REQUIRE(is_sealed(t.pack.seal));
    check_ranges(t);
  }
}

TEST_CASE("file reader: an empty file, a hole alone, and what is no file") {
  HandMadeSnapshot t;
  const Manifest manifest = t.manifest(
      {directory_line(".") + file_line("empty", 0, {}) + file_line("hole", 100'000, {Extent::make_hole(100'000)})});
  const auto frames = t.frames(manifest);
  const TreeIndex index{*frames, manifest};
  CHECK(FileReader{*frames, index, *index.find("empty")}.read_at(0, 10).empty());
  FileReader hole{*frames, index, *index.find("hole")};
  CHECK(hole.read_at(99'000, 5000) == Bytes(1000, 0));
  CHECK(failure_of([&] { FileReader(*frames, index, *index.find(".")); }) == ErrorKind::usage);
}

TEST_CASE("file reader: a damaged chunk fails the ranges that need it, by the file's name, and no others") {
  Subject t{Subject::Shape::parts};
  const auto whole = t.store.objects();
  t.damage_frame(t.pack, 79);  // the last one: chunks 395 to 399
  auto file = t.reader();
  CHECK(failure_of([&] { file.read_at(0, t.content.size()); }) == ErrorKind::damaged);
  CHECK(message_of([&] { file.read_at(t.content.size() - 2000, 2000); }).find("'file'") != std::string::npos);
  CHECK(t.reads_right(file, 0, t.content.size() / 2));
  // It was not remembered.
  const std::string key = layout::pack_key(t.pack.name);
  t.store.overwrite(key, as_text(whole.at(key).bytes));
  CHECK(t.reads_right(file, 0, t.content.size()));
}

TEST_CASE("file reader: a pack with the same chunks stands in for a damaged one") {
  Subject t{Subject::Shape::one_line, sealing(), true};
  t.damage_frame(t.pack, 3);
  t.damage_frame(t.pack, 40);
  auto file = t.reader();
  CHECK(t.reads_right(file, 0, t.content.size()));
  CHECK_FALSE(t.engine.reporter.warnings.empty());
}

TEST_CASE("file reader: a store that fails once is asked again the next time") {
  Subject t{Subject::Shape::parts};
  auto file = t.reader();
  CHECK(t.reads_right(file, 0, 100));
  std::atomic<bool> fails{true};
  t.store.on_call = [&](const std::string& operation, const std::string&) {
    if (fails && operation == "get") {
      throw StoreError(ErrorKind::failed, StoreError::Transient::yes, "the store is not there");
    }
  };
  CHECK_THROWS_AS(file.read_at(0, t.content.size()), StoreError);
  fails = false;
  CHECK(t.reads_right(file, 0, t.content.size()));
}

TEST_CASE("file reader: an interruption is none of the file's damage") {
  Subject t{Subject::Shape::parts};
  auto file = t.reader();
  t.store.on_call = [](const std::string& operation, const std::string&) {
    if (operation == "get") throw Error(ErrorKind::interrupted, "interrupted by SIGINT");
  };
  CHECK(failure_of([&] { file.read_at(t.content.size() / 2, 1000); }) == ErrorKind::interrupted);
}

TEST_CASE("file reader: content that does not fit the entry is damaged") {
  HandMadeSnapshot t;
  const PackRef pack = t.add_pack({noise(100, 1), noise(100, 2), noise(100, 3)});
  const std::uint64_t name = pack.prefix();
  const auto read = [&](const std::string& lines) {
    const Manifest manifest = t.manifest({directory_line(".") + lines});
    const auto frames = t.frames(manifest);
    const TreeIndex index{*frames, manifest};
    FileReader file{*frames, index, *index.find("f")};
    return failure_of([&] { file.read_at(0, file.size()); });
  };
  CHECK_FALSE(read(file_line("f", 300, {{name, 0, 3, 0}})));
  CHECK(read(file_line("f", 301, {{name, 0, 3, 0}})) == ErrorKind::damaged);
  CHECK(read(file_line("f", 299, {{name, 0, 3, 0}})) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {{name, 1, 3, 0}})) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {{name + 1, 0, 3, 0}})) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {Extent::make_hole(301)})) == ErrorKind::damaged);
  const auto part = [&](std::uint64_t size, std::uint32_t first, std::uint32_t count) {
    return write_part_line(size, {{name, first, count, 0}});
  };
  CHECK_FALSE(read(file_line("f", 300, {}, 2) + part(200, 0, 2) + part(100, 2, 1)));
  CHECK(read(file_line("f", 300, {}, 2) + part(200, 0, 2) + part(101, 2, 1)) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {}, 2) + part(200, 0, 2) + part(99, 2, 1)) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {}, 2) + part(100, 0, 2) + part(200, 2, 1)) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {}, 3) + part(200, 0, 2) + part(100, 2, 1)) == ErrorKind::damaged);
  CHECK(read(file_line("f", 300, {}, 2) + part(200, 0, 2) + file_line("g", 0, {})) == ErrorKind::damaged);
}

TEST_CASE("file reader: readers at once, of one file and of little memory") {
  Subject t{Subject::Shape::parts, sealing()};
  t.look(4000);
  auto file = t.reader();
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < 6; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937 random{i};
        for (int k = 0; k < 60; ++k) {
          wrong += t.reads_right(file, random() % t.content.size(), random() % 4000) ? 0 : 1;
        }
      });
    }
  }
  CHECK(wrong == 0);
}
