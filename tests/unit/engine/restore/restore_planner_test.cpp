#include "engine/restore/restore_planner.hpp"

#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "repo/entry_text.hpp"
#include "support/content.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"

#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::write;

namespace {

// A snapshot whose entry list is what the test says, whatever is wrong with it.
struct Listed {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  TemporaryDirectory directory{fs::temp_directory_path()};
  RestoreRequest request{.target = directory.path() / "target", .paths = {}};

  Manifest list(const std::vector<Entry>& entries) {
    constexpr std::size_t k_piece = 100'000;
    std::vector<std::string> pieces(1);
    Root root;
    root.salt = random_name(16);
    for (const auto& entry : entries) {
      const std::string head = write_entry_head(entry);
      const std::string line = entry.type == EntryType::file ? finish_entry_line(head, {}, 0) : head + "}\n";
      root.size += line.size();
      pieces.back() += line;
      if (pieces.back().size() > k_piece) pieces.emplace_back();
    }
    if (pieces.back().empty()) pieces.pop_back();
    const PackRef pack = engine.put_pack(pieces);
    root.extents = {{pack.prefix(), 0, static_cast<std::uint32_t>(pieces.size()), 0}};
    auto made = test::EngineFixture::make_manifest("s", Time{}, {pack});
    return Manifest::make(made.record, made.facts, root, made.packs);
  }
  PreparedRestore plan(const Manifest& manifest) { return plan_restore(engine.context, manifest, request); }
};

Entry entry(std::string path, EntryType type, std::string link_target = {}) {
  Entry out;
  out.path = std::move(path);
  out.type = type;
  out.link_target = std::move(link_target);
  return out;
}

struct Plans : test::StoreFixture {
  fs::path target = directory.path() / "target";
  RestoreRequest request{.target = target, .paths = {}};

  Manifest take() {
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest taken;
    taken.series = "s";
    take_snapshot(c, from, taken);
    return repository->manifests().load(repository->manifests().list().at(0));
  }
  PreparedRestore plan(const Manifest& manifest) {
    auto c = context();
    return plan_restore(c, manifest, request);
  }
  // What becomes of each entry, in order; "?" where it was not asked for.
  std::vector<std::string> actions(const Manifest& manifest) {
    auto prepared = plan(manifest);
    std::vector<std::string> out;
    prepared.steps.rewind();
    while (const auto planned = prepared.steps.next_entry()) {
      static const char* const names[] = {"create", "change", "metadata", "keep"};
      out.push_back(planned->entry.path + (planned->asked_for ? " " : "? ") +
                    names[static_cast<std::size_t>(planned->action)]);
    }
    CHECK(out.size() == prepared.figures.entries);
    return out;
  }
};

}  // namespace

TEST_CASE("restore planner: every entry has its action, by what is at the target") {
  Plans t;
  fs::create_directories(t.source / "dir/sub");
  write(t.source / "dir/file", "text");
  write(t.source / "dir/other", "other");
  fs::create_symlink("nowhere", t.source / "link");
  fs::create_hard_link(t.source / "dir/file", t.source / "dir/name");
  const auto manifest = t.take();
  using Actions = std::vector<std::string>;
  CHECK(t.actions(manifest) == Actions{". create", "dir create", "dir/file create", "dir/other create",
                                       "dir/sub create", "link create", "dir/name create"});
  fs::create_directories(t.target);
  CHECK(t.actions(manifest) == Actions{". metadata", "dir create", "dir/file create", "dir/other create",
                                       "dir/sub create", "link create", "dir/name create"});
  fs::create_directories(t.target / "dir");
  write(t.target / "dir/file", "mine");
  write(t.target / "link", "mine");
  t.request.overwrite = true;
  CHECK(t.actions(manifest) == Actions{". metadata", "dir metadata", "dir/file change", "dir/other create",
                                       "dir/sub create", "link change", "dir/name create"});
  t.request.paths = {"dir/sub", "dir/other"};
  CHECK(t.actions(manifest) == Actions{".? keep", "dir? keep", "dir/other create", "dir/sub create"});
  t.request.target = t.directory.path() / "new";
  CHECK(t.actions(manifest) == Actions{".? create", "dir? create", "dir/other create", "dir/sub create"});
  CHECK(as_text(read_file(t.target / "dir/file")) == "mine");
}

TEST_CASE("restore planner: a link that stands in for its target has its content") {
  Plans t;
  write(t.source / "a", "text");
  fs::create_hard_link(t.source / "a", t.source / "b");
  fs::create_hard_link(t.source / "a", t.source / "c");
  const auto manifest = t.take();
  t.request.paths = {"b", "c"};
  auto plan = t.plan(manifest);
  CHECK(plan.figures.entries == 3);
  CHECK(plan.figures.files == 1);
  plan.steps.rewind();
  CHECK(plan.steps.next_entry()->entry.path == ".");
  const auto file = plan.steps.next_entry();
  CHECK(file->entry.path == "b");
  CHECK(file->entry.type == EntryType::file);
  const auto step = plan.steps.next_step();
  REQUIRE(step);
  CHECK(std::get<PlannedWrite>(*step).length == 4);
  const auto link = plan.steps.next_entry();
  CHECK(link->entry.path == "c");
  CHECK(link->entry.link_target == "b");
  CHECK_FALSE(plan.steps.next_entry());
}

TEST_CASE("restore planner: a hard link to a hard link is damage to the list, said before anything is made") {
  Listed t;
  const auto manifest = t.list({entry(".", EntryType::directory), entry("a", EntryType::file),
                                entry("b", EntryType::hard_link, "a"), entry("c", EntryType::hard_link, "b")});
  CHECK(test::message_of([&] { t.plan(manifest); }) == "damaged entry list: 'c' is a hard link to a hard link");
  CHECK(test::failure_of([&] { t.plan(manifest); }) == ErrorKind::damaged);
  // Where it is not asked for, it does no harm.
  t.request.paths = {"a", "b"};
  CHECK(t.plan(manifest).figures.entries == 3);
}

TEST_CASE("restore planner: too many steps for memory go where something can be written") {
  Listed t;
  std::vector<Entry> entries{entry(".", EntryType::directory)};
  for (int i = 10'000; i < 30'000; ++i) entries.push_back(entry("fifo" + std::to_string(i), EntryType::fifo));
  const auto manifest = t.list(entries);
  for (const fs::path& spool : {t.directory.path(), t.directory.path() / "none", fs::path{}}) {
    t.request.spool = spool;
    auto plan = t.plan(manifest);
    CHECK(plan.steps.size() > 1'200'000);
    plan.steps.rewind();
    std::size_t planned = 0;
    while (plan.steps.next_entry()) ++planned;
    CHECK(planned == entries.size());
  }
  CHECK(fs::is_empty(t.directory.path()));
}
