#include "engine/inside/path_search.hpp"

#include "engine/inside/path_history.hpp"
#include "support/hand_made_snapshot.hpp"
#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::directory_line;
using test::file_line;
using test::HandMadeSnapshot;

namespace {

std::string list_of(int files) {
  std::string out = directory_line(".");
  for (int i = 100; i < 100 + files; ++i) {
    out += file_line("file" + std::to_string(i), 0, {});
  }
  return out;
}

std::vector<std::string> paths(PathSearch& search, const Manifest& manifest) {
  std::vector<std::string> out;
  search.search(manifest, [&](const Entry& entry) { out.push_back(entry.path); });
  return out;
}

Entry entry_of(const std::string& path, std::uint64_t size) {
  Entry entry;
  entry.path = path;
  entry.size = size;
  return entry;
}

SeenIn seen(const std::string& text) {
  return {sha256(text), {}};
}

}  // namespace

TEST_CASE("path search: a chunk that snapshots share is read once") {
  HandMadeSnapshot t;
  const auto chunks = test::cut_at_lines(list_of(300), 1000);
  REQUIRE(chunks.size() > 10);
  const Manifest first = t.manifest(chunks);
  const PackRef shared = t.list_pack;
  // The second list: all of the first, and a chunk of its own.
  const Manifest second = [&] {
    const PackRef own = t.add_pack({file_line("later", 0, {})}, 1);
    Manifest base = t.manifest({directory_line(".")});
    Root root = base.root;
    root.extents = {{shared.prefix(), 0, static_cast<std::uint32_t>(chunks.size()), 0}, {own.prefix(), 0, 1, 0}};
    root.size = 0;
    for (const auto& chunk : chunks) root.size += chunk.size();
    root.size += file_line("later", 0, {}).size();
    return Manifest::make(base.record, base.facts, root, t.packs);
  }();
  const std::vector<const Manifest*> both{&first, &second};
  Looker looker{t.engine.context, both, 1 << 20};
  PathSearch search{looker, [](const Entry& entry) { return entry.path == "file150" || entry.path == "later"; }};
  CHECK(paths(search, first) == std::vector<std::string>{"file150"});
  CHECK(search.chunks_read() == chunks.size());
  CHECK(paths(search, second) == std::vector<std::string>{"file150", "later"});
  CHECK(search.chunks_read() == chunks.size() + 1);
  CHECK(paths(search, first) == std::vector<std::string>{"file150"});
  CHECK(search.chunks_read() == chunks.size() + 1);
}

TEST_CASE("path search: a list that is cut anywhere, and one that is damaged") {
  HandMadeSnapshot t;
  const Manifest cut = t.manifest(test::cut_anywhere(list_of(200), 777));
  const std::vector<const Manifest*> one{&cut};
  Looker looker{t.engine.context, one, 1 << 20};
  PathSearch search{looker, [](const Entry& entry) { return entry.path.starts_with("file1"); }};
  CHECK(paths(search, cut).size() == 100);
  t.damage_frame(t.list_pack, 2);
  Looker again{t.engine.context, one, 1 << 20};
  PathSearch other{again, [](const Entry&) { return true; }};
  CHECK(test::failure_of([&] { paths(other, cut); }) == ErrorKind::damaged);
}

TEST_CASE("path history: versions, and what was gone meanwhile") {
  PathHistory history;
  const auto take = [&](const std::string& snapshot, const std::vector<Entry>& entries) {
    history.begin_snapshot(seen(snapshot));
    for (const auto& entry : entries) history.add(entry);
  };
  take("1", {entry_of("a", 1), entry_of("b", 1)});
  take("2", {entry_of("a", 1)});
  take("3", {entry_of("a", 2), entry_of("b", 1)});
  take("4", {entry_of("a", 2)});
  const auto versions = history.versions();
  REQUIRE(versions.size() == 2);
  const auto& a = versions.at("a");
  REQUIRE(a.size() == 2);
  CHECK(a[0].snapshots == 2);
  CHECK(a[0].first.id == sha256("1"));
  CHECK(a[0].last.id == sha256("2"));
  CHECK(!a[0].in_newest);
  CHECK(a[1].entry.size == 2);
  CHECK(a[1].in_newest);
  const auto& b = versions.at("b");
  REQUIRE(b.size() == 2);
  CHECK(b[0].last.id == sha256("1"));
  CHECK(b[1].first.id == sha256("3"));
  CHECK(!b[1].in_newest);
}
