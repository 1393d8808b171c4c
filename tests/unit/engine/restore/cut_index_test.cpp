#include "engine/restore/cut_index.hpp"

#include "capture/content_reader.hpp"
#include "support/content.hpp"
#include "unit/support.hpp"
#include "util/bytes.hpp"

#include <fcntl.h>
#include <string>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

struct Cuts {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path path = directory.path() / "file";
  ThreadPool pool{2};

  CutIndex build(std::size_t most = CutIndex::k_max_chunks) {
    const UniqueFd fd = open_file(path, O_RDONLY);
    struct stat status {};
    REQUIRE(::fstat(fd.get(), &status) == 0);
    return CutIndex::build(pool, fd.get(), status, path.native(), {ChunkRule::Kind::files, 0}, most);
  }
};

// As a snapshot of these bytes would be cut.
Segment cut(const std::string& text) {
  Segment segment;
  append(segment.bytes, as_bytes(text));
  cut_segment(segment, {ChunkRule::Kind::files, 0});
  return segment;
}

}  // namespace

TEST_CASE("cut index: chunks are found where they moved to") {
  Cuts t;
  const std::string text = test::noise(3'000'000, 1);
  test::write(t.path, "something before it" + text);
  const CutIndex index = t.build();
  const Segment segment = cut(text);
  std::uint64_t offset = 0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < segment.lengths.size(); ++i) {
    const auto at = index.find(segment.digests[i], segment.lengths[i]);
    if (at) CHECK(*at == offset + 19);
    if (at) ++found;
    CHECK_FALSE(index.find(segment.digests[i], segment.lengths[i] + 1));
    offset += segment.lengths[i];
  }
  CHECK(segment.lengths.size() > 50);
  // The first one has something before it, and so it may be with those that follow it.
  CHECK(found > segment.lengths.size() - 5);
}

TEST_CASE("cut index: what lies behind a hole has its offset in the file") {
  Cuts t;
  const std::string text = test::noise(100'000, 2);
  test::write(t.path, "");
  REQUIRE(::truncate(t.path.c_str(), 8 << 20) == 0);
  const UniqueFd fd = open_file(t.path, O_WRONLY);
  write_at(fd.get(), as_bytes(text), 1 << 20, t.path);
  const Segment segment = cut(text);
  CHECK(t.build().find(segment.digests[0], segment.lengths[0]) == std::optional<std::uint64_t>{1 << 20});
}

TEST_CASE("cut index: no more chunks than there is room for") {
  Cuts t;
  test::write(t.path, test::noise(9'000'000, 3));
  CHECK(t.build(10).size() == 10);
  CHECK(t.build().size() > 100);
}
