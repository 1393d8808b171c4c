#include "engine/snapshot/previous_tree.hpp"

#include "engine/snapshot/snapshotter.hpp"
#include "support/content.hpp"
#include "support/scripted_source.hpp"
#include "support/store_fixture.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::noise;
using namespace std::chrono_literals;

namespace {

struct Tree : test::StoreFixture {
  Manifest taken;
  Context at = context();

  explicit Tree(const std::vector<std::shared_ptr<test::ScriptedItem>>& items) {
    test::ScriptedSource from{items};
    SnapshotRequest request;
    request.series = "s";
    take_snapshot(at, from, request);
    taken = repository->manifests().load(repository->manifests().list().at(0));
  }
  // All packs of it.
  LeanSet whole() const {
    LeanSet out;
    for (const auto& ref : taken.packs) out.add(ref);
    return out;
  }
};

// The item as the next walk sees it.
SourceItem seen(const std::shared_ptr<test::ScriptedItem>& item) {
  test::ScriptedSource from{{item}};
  return *from.next();
}

}  // namespace

TEST_CASE("previous tree: a file is unchanged if all of its metadata is, and it was touched well before it was read") {
  Entry before;
  before.size = 5;
  before.inode = 3;
  const Time read = Time{} + std::chrono::days{20'000};
  before.mtime = before.ctime = read - 2s;
  CHECK(is_unchanged(before, before, read));
  const auto changed = [&](auto change) {
    Entry now = before;
    change(now);
    return !is_unchanged(before, now, read);
  };
  CHECK(changed([](Entry& e) { ++e.size; }));
  CHECK(changed([](Entry& e) { ++e.inode; }));
  CHECK(changed([](Entry& e) { e.mtime -= 1ns; }));
  CHECK(changed([](Entry& e) { e.ctime -= 1ns; }));
  for (Time Entry::*time : {&Entry::mtime, &Entry::ctime}) {
    Entry racy = before;
    racy.*time = read - 2s + 1ns;
    CHECK_FALSE(is_unchanged(racy, racy, read));
  }
}

TEST_CASE("previous tree: the content of an unchanged file is named, where its packs may be referred to") {
  const auto a = test::scripted_file("a", noise(300'000, 1));
  const auto b = test::scripted_file("b", noise(1'000, 2));
  Tree t{{test::scripted_directory("."), a, b}};
  const LeanSet lean = t.whole();
  PreviousTree tree{t.at, t.taken, lean, PreviousTree::Reread::no};
  CapturedItem first{seen(a)};
  CHECK(tree.looks_unchanged(first.source));
  CHECK(tree.reuse(first));
  std::uint64_t size = 0;
  for (const auto& part : first.reuse) size += part.size;
  CHECK(size == 300'000);
  CHECK(first.previous.empty());
  // Another one that is not there.
  CapturedItem between{seen(test::scripted_file("aa", "text"))};
  CHECK_FALSE(tree.looks_unchanged(between.source));
  CapturedItem second{seen(b)};
  second.source.entry.mtime += 1s;
  CHECK_FALSE(tree.looks_unchanged(second.source));

  PreviousTree reread{t.at, t.taken, lean, PreviousTree::Reread::yes};
  CHECK_FALSE(reread.looks_unchanged(first.source));

  const LeanSet nothing;
  PreviousTree strange{t.at, t.taken, nothing, PreviousTree::Reread::no};
  CapturedItem again{seen(a)};
  CHECK(strange.looks_unchanged(again.source));
  CHECK_FALSE(strange.reuse(again));
  CHECK(again.reuse.empty());
  CHECK(again.previous.size() == 1);
}

TEST_CASE("previous tree: a large file goes to the spool part by part, or can be asked for again") {
  const auto a = test::scripted_file("a", noise(3'000'000, 1));
  a->rule = {ChunkRule::Kind::fixed, 4096};
  Tree t{{test::scripted_directory("."), a}};
  const LeanSet lean = t.whole();
  PreviousTree tree{t.at, t.taken, lean, PreviousTree::Reread::no};
  EntrySpool spool{fs::temp_directory_path()};
  const SourceItem item = seen(a);
  REQUIRE(tree.looks_unchanged(item));
  CHECK(tree.reuse_large(item.entry, spool));
  spool.add_entry("a", true);
  spool.rewind();
  EntrySpool::Stored stored;
  REQUIRE(spool.next_entry(stored));
  CHECK(stored.parts == (3'000'000 + 128 * 4096 - 1) / (128 * 4096));

  const LeanSet nothing;
  PreviousTree strange{t.at, t.taken, nothing, PreviousTree::Reread::no};
  REQUIRE(strange.looks_unchanged(item));
  EntrySpool unused{fs::temp_directory_path()};
  CHECK_FALSE(strange.reuse_large(item.entry, unused));
  unused.add_entry("a", true);
  unused.rewind();
  REQUIRE(unused.next_entry(stored));
  CHECK(stored.parts == 0);
  // All of its pages are there for a comparison.
  auto chunks = strange.chunks_of("a", {});
  REQUIRE(chunks);
  std::size_t count = 0;
  while (const auto chunk = chunks->next()) {
    if (count++ == 0) CHECK(*chunks->digest(*chunk) == sha256(a->bytes.substr(0, 4096)));
  }
  CHECK(count == (3'000'000 + 4095) / 4096);
  CHECK_FALSE(strange.chunks_of("b", {}));
}
