#include "engine/snapshot/previous_entries.hpp"

#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

std::string file_line(const std::string& path, std::uint64_t size, const std::vector<Extent>& extents) {
  Entry entry;
  entry.path = path;
  entry.size = size;
  return finish_entry_line(write_entry_head(entry), extents, 0);
}

std::string root_line() {
  Entry entry;
  entry.path = ".";
  entry.type = EntryType::directory;
  return write_entry_head(entry) + "}\n";
}

// A previous snapshot of two files, "a" of two chunks and "b" of one.
struct Previous {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  PackRef content = engine.put_pack({"one", "two", "three"});
  PackRef list = engine.put_pack({root_line(), file_line("a", 6, {{content.prefix(), 0, 2, 0}}),
                                  file_line("b", 5, {{content.prefix(), 2, 1, 0}})});
  Manifest manifest;

  Previous() {
    manifest = test::EngineFixture::make_manifest("s", store.now(), {content, list});
    Root root = manifest.root;
    root.extents = {{list.prefix(), 0, 3, 0}};
    root.size = root_line().size() + file_line("a", 6, {{content.prefix(), 0, 2, 0}}).size() +
                file_line("b", 5, {{content.prefix(), 2, 1, 0}}).size();
    manifest = Manifest::make(manifest.record, manifest.facts, std::move(root), manifest.packs);
  }
  // A signal arrives while the pack is being read.
  void interrupt_at(const PackRef& ref) {
    store.on_call = [name = layout::pack_key(ref.name)](const std::string& operation, const std::string& asked) {
      if (operation == "get" && asked == name) throw Error(ErrorKind::interrupted, "interrupted by SIGTERM");
    };
  }
};

}  // namespace

TEST_CASE("previous entries: found by ascending paths, with their content and its digests") {
  Previous t;
  PreviousEntries entries{t.engine.context, t.manifest};
  CHECK(entries.seek("0") == nullptr);
  REQUIRE(entries.seek("a") != nullptr);
  const auto part = entries.next_part();
  REQUIRE(part);
  CHECK(part->size == 6);
  CHECK_FALSE(entries.next_part());
  REQUIRE(entries.digest(t.content.prefix(), 1) != nullptr);
  CHECK(*entries.digest(t.content.prefix(), 1) == sha256("two"));
  CHECK(entries.seek("aa") == nullptr);
  CHECK(entries.seek("b") != nullptr);
  CHECK(t.engine.reporter.warnings.empty());
}

TEST_CASE("previous entries: a damaged list ends the comparison, with one warning") {
  Previous t;
  t.store.overwrite(layout::pack_key(t.list.name), "damage");
  PreviousEntries entries{t.engine.context, t.manifest};
  CHECK(entries.seek("a") == nullptr);
  CHECK(entries.seek("b") == nullptr);
  CHECK_FALSE(entries.next_part());
  CHECK(t.engine.reporter.warnings.size() == 1);
}

TEST_CASE("previous entries: a damaged pack of content has no digests") {
  Previous t;
  t.store.overwrite(layout::pack_key(t.content.name), "damage");
  PreviousEntries entries{t.engine.context, t.manifest};
  CHECK(entries.seek("a") != nullptr);
  CHECK(entries.digest(t.content.prefix(), 0) == nullptr);
  CHECK(entries.digest(t.content.prefix() + 1, 0) == nullptr);
}

TEST_CASE("previous entries: an interruption is not taken for damage") {
  Previous t;
  SUBCASE("of the list") {
    t.interrupt_at(t.list);
    CHECK(failure_of([&] { PreviousEntries{t.engine.context, t.manifest}; }) == ErrorKind::interrupted);
  }
  SUBCASE("of a pack of content") {
    PreviousEntries entries{t.engine.context, t.manifest};
    t.interrupt_at(t.content);
    CHECK(failure_of([&] { entries.digest(t.content.prefix(), 0); }) == ErrorKind::interrupted);
  }
  CHECK(t.engine.reporter.warnings.empty());
}
