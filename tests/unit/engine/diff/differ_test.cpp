#include "engine/diff/differ.hpp"

#include "capture/directory_source.hpp"
#include "engine/diff/content_compare.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "support/content.hpp"
#include "support/store_fixture.hpp"
#include "util/error.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::noise;
using namespace cairn::test;

namespace {

// "added a", "changed b: content size".
using Lines = std::vector<std::string>;

struct Scene : StoreFixture {
  Context ctx = context();

  void write(const std::string& name, std::string_view text) {
    // In place, so that only the file itself changes, not its directory.
    const UniqueFd fd = open_file(source / name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    write_all(fd.get(), as_bytes(text), source / name);
  }
  void set_mtime(const std::string& name, long seconds) {
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (source / name).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  }
  std::unique_ptr<DirectorySource> live() const {
    DirectoryOptions options;
    options.path = source;
    return std::make_unique<DirectorySource>(options);
  }
  Manifest take() {
    SnapshotRequest request;
    request.series = "s";
    const auto from = live();
    const SnapshotResult result = take_snapshot(ctx, *from, request);
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == result.id.short_hex()) return repository->manifests().load(info);
    }
    throw std::runtime_error("no manifest");
  }
};

std::string line(const Difference& difference) {
  switch (difference.kind) {
    case Difference::Kind::added:
      return "added " + difference.path();
    case Difference::Kind::removed:
      return "removed " + difference.path();
    case Difference::Kind::changed:
      break;
  }
  std::string out = "changed " + difference.path() + ":";
  for (const auto* word : difference.what) out += std::string{" "} + word;
  return out;
}

struct Collected {
  Lines lines;
  DiffSummary summary;
};

Collected diff(Scene& scene, const Manifest& a, const Manifest& b) {
  Collected out;
  out.summary = diff_snapshots(scene.ctx, a, b, [&](const Difference& d) { out.lines.push_back(line(d)); });
  return out;
}

Collected diff_live(Scene& scene, const Manifest& a) {
  Collected out;
  const auto source = scene.live();
  out.summary = diff_with_source(scene.ctx, a, *source, [&](const Difference& d) { out.lines.push_back(line(d)); });
  return out;
}

// A content of pieces that a test wrote down: "abc" is a chunk, "" with a number a hole.
class FakeCursor : public ContentCursor {
 public:
  struct Item {
    std::string text;
    std::uint64_t hole = 0;
  };
  explicit FakeCursor(std::vector<Item> items) : m_items(std::move(items)) {}
  std::optional<Piece> next() override {
    if (m_at == m_items.size()) return std::nullopt;
    const Item& item = m_items[m_at++];
    if (item.hole != 0) return Piece{item.hole, true, {}};
    return Piece{item.text.size(), false, sha256(item.text)};
  }
  ByteView bytes() override {
    ++looked_at;
    return as_bytes(m_items[m_at - 1].text);
  }
  int looked_at = 0;

 private:
  std::vector<Item> m_items;
  std::size_t m_at = 0;
};

}  // namespace

TEST_CASE("content compare: chunks by digest, others by bytes, holes are zeros") {
  const auto same = [](std::vector<FakeCursor::Item> a, std::vector<FakeCursor::Item> b) {
    FakeCursor left{std::move(a)};
    FakeCursor right{std::move(b)};
    return same_content(left, right);
  };
  const std::string zeros(4, '\0');
  CHECK(same({}, {}));
  CHECK(same({{"abc"}, {"de"}}, {{"abc"}, {"de"}}));
  CHECK_FALSE(same({{"abc"}, {"de"}}, {{"abc"}, {"dx"}}));
  CHECK_FALSE(same({{"abc"}}, {{"abc"}, {"d"}}));
  CHECK_FALSE(same({{"abc"}, {"d"}}, {{"abc"}}));
  CHECK(same({{"abc"}, {"de"}}, {{"a"}, {"bcd"}, {"e"}}));
  CHECK_FALSE(same({{"abc"}, {"de"}}, {{"a"}, {"bxd"}, {"e"}}));
  CHECK(same({{"", 8}}, {{"", 3}, {"", 5}}));
  CHECK(same({{"", 4}, {"x"}}, {{zeros}, {"x"}}));
  CHECK(same({{zeros + "x"}}, {{"", 4}, {"x"}}));
  CHECK_FALSE(same({{"", 4}}, {{zeros + "x"}}));
  CHECK_FALSE(same({{"", 4}}, {{"abcd"}}));
}

TEST_CASE("content compare: equal chunks are never read") {
  FakeCursor a{{{"abc"}, {"", 5}, {"de"}}};
  FakeCursor b{{{"abc"}, {"", 5}, {"de"}}};
  CHECK(same_content(a, b));
  CHECK(a.looked_at + b.looked_at == 0);
}

TEST_CASE("differ: added, removed, changed, and in what") {
  Scene scene;
  fs::create_directory(scene.source / "d");
  scene.write("a", "same");
  scene.write("d/b", "old");
  scene.write("d/c", "goes away");
  scene.write("grows", "1");
  scene.write("mode", "x");
  scene.write("touched", "x");
  scene.write("was a file", "x");
  fs::create_symlink("one", scene.source / "link");
  const Manifest before = scene.take();
  CHECK(diff(scene, before, before).lines.empty());

  scene.write("d/b", "new");
  fs::remove(scene.source / "d/c");
  scene.write("d/e", "comes");
  scene.write("grows", "1234");
  REQUIRE(::chmod((scene.source / "mode").c_str(), 0600) == 0);
  scene.set_mtime("touched", 1'000'000'000);
  fs::remove(scene.source / "was a file");
  fs::create_directory(scene.source / "was a file");
  fs::remove(scene.source / "link");
  fs::create_symlink("two", scene.source / "link");
  for (const char* name : {".", "d", "d/b", "grows", "link"}) scene.set_mtime(name, 1'000'000'001);
  const Lines expected = {"changed .: mtime",
                          "changed d: mtime",
                          "changed d/b: content mtime",
                          "removed d/c",
                          "added d/e",
                          "changed grows: content size mtime",
                          "changed link: target mtime",
                          "changed mode: mode",
                          "changed touched: mtime",
                          "changed was a file: type"};
  const Collected now = diff_live(scene, before);
  CHECK(now.lines == expected);
  CHECK(now.summary.problems.empty());
  const Manifest after = scene.take();
  const Collected both = diff(scene, before, after);
  CHECK(both.lines == expected);
  CHECK(both.summary.added == 1);
  CHECK(both.summary.removed == 1);
  CHECK(both.summary.changed == 8);
  CHECK(both.summary.content_changed == 2);
  CHECK(both.summary.unchanged == 1);
  CHECK(both.summary.bytes_added == 5);
  CHECK(both.summary.bytes_removed == 9);
  CHECK(both.summary.bytes_changed == 7);
  CHECK(both.summary.bytes_before == 4 + 3 + 9 + 1 + 1 + 1 + 1);
  CHECK(both.summary.bytes_after == 4 + 3 + 5 + 4 + 1 + 1);
  const Collected back = diff(scene, after, before);
  CHECK(back.summary.added == both.summary.removed);
  CHECK(back.lines.size() == both.lines.size());
}

TEST_CASE("differ: a live file of the same size and time is trusted, of another time it is read") {
  Scene scene;
  scene.write("f", "1111");
  scene.set_mtime("f", 1'000'000'000);
  scene.set_mtime(".", 1'000'000'000);
  const Manifest before = scene.take();
  scene.write("f", "2222");
  scene.set_mtime("f", 1'000'000'000);
  CHECK(diff_live(scene, before).lines.empty());
  scene.set_mtime("f", 1'000'000'001);
  CHECK(diff_live(scene, before).lines == Lines{"changed f: content mtime"});
  scene.write("f", "1111");
  scene.set_mtime("f", 1'000'000'002);
  CHECK(diff_live(scene, before).lines == Lines{"changed f: mtime"});
}

TEST_CASE("differ: large files, sparse files, and one byte that differs in them") {
  Scene scene;
  const std::string large = noise(11'000'000, 1);
  scene.write("large", large);
  scene.write("sparse", "head");
  REQUIRE(::truncate((scene.source / "sparse").c_str(), 50'000'000) == 0);
  for (const char* name : {"large", "sparse", "."}) scene.set_mtime(name, 1'000'000'000);
  const Manifest before = scene.take();
  for (const char* name : {"large", "sparse"}) scene.set_mtime(name, 1'000'000'001);
  CHECK(diff_live(scene, before).lines == Lines{"changed large: mtime", "changed sparse: mtime"});
  std::string other = large;
  other[9'000'000] = static_cast<char>(other[9'000'000] + 1);
  scene.write("large", other);
  {
    const UniqueFd fd = open_file(scene.source / "sparse", O_WRONLY);
    write_at(fd.get(), as_bytes("x"), 30'000'000, scene.source / "sparse");
  }
  for (const char* name : {"large", "sparse"}) scene.set_mtime(name, 1'000'000'001);
  const Lines expected{"changed large: content mtime", "changed sparse: content mtime"};
  CHECK(diff_live(scene, before).lines == expected);
  CHECK(diff(scene, before, scene.take()).lines == expected);
}

TEST_CASE("differ: a hard link is compared as a link") {
  Scene scene;
  scene.write("a", "x");
  fs::create_hard_link(scene.source / "a", scene.source / "b");
  fs::create_hard_link(scene.source / "a", scene.source / "c");
  scene.set_mtime(".", 1'000'000'000);
  const Manifest before = scene.take();
  CHECK(diff_live(scene, before).lines.empty());
  fs::remove(scene.source / "c");
  scene.write("c", "x");
  scene.set_mtime(".", 1'000'000'000);
  CHECK(diff(scene, before, scene.take()).lines == Lines{"changed c: type"});
}

TEST_CASE("differ: a live file that cannot be read is a problem, not a difference") {
  if (::geteuid() == 0) {
    MESSAGE("skipped: the superuser may read everything");
    return;
  }
  Scene scene;
  scene.write("f", "x");
  scene.set_mtime(".", 1'000'000'000);
  const Manifest before = scene.take();
  scene.set_mtime("f", 1'000'000'000);
  REQUIRE(::chmod((scene.source / "f").c_str(), 0) == 0);
  const Collected now = diff_live(scene, before);
  CHECK(now.lines.empty());
  CHECK(now.summary.problems.size() == 1);
}
