#include "engine/restore/restore_executor.hpp"

#include "engine/restore/publisher.hpp"
#include "support/content.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"

#include <fcntl.h>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

// A store with one pack of three chunks, each in a frame of its own, and a plan that is made by hand.
struct Executing {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path target = directory.path() / "target";
  std::vector<std::string> texts{"first", "second", "third"};
  PackRef pack = engine.put_pack(texts);
  PreparedRestore plan{{}, {}, RestoreSteps{"/nowhere"}};

  ChunkRange chunks(std::uint32_t first, std::uint32_t count) const { return {pack.prefix(), first, count}; }
  void add(const std::string& path, EntryType type, std::uint64_t size = 0, const std::string& link_target = {}) {
    PlannedEntry planned;
    planned.entry.path = path;
    planned.entry.type = type;
    planned.entry.mode = type == EntryType::directory ? 0755 : 0644;
    planned.entry.uid = ::geteuid();
    planned.entry.gid = ::getegid();
    planned.entry.size = size;
    planned.entry.link_target = link_target;
    plan.steps.add_entry(planned);
  }
  Restored run() {
    const auto manifest = test::EngineFixture::make_manifest("s", Time{}, {pack});
    const PackTable packs{manifest};
    FrameFetcher fetcher{engine.repository.packs(), engine.io, engine.pool, packs, 0};
    const RestoreTarget to{target, RestoreTarget::Shape::tree, RestoreTarget::Overwrite::yes};
    Staging staging = Staging::create(to, manifest.id);
    SkippedTally skipped;
    TreeWriter writer{to, staging, skipped};
    Restored done = execute_files(engine.context, fetcher, writer, plan);
    execute_links(writer, plan, done);
    MendedDirectories mended{engine.reporter};
    make_publisher({to, staging, skipped, engine.reporter, mended})->publish(writer.finish());
    return done;
  }
  // A local file that steps may take content from, as it is now.
  LocalFiles::Id local(const std::string& name, const std::string& text) {
    test::write(directory.path() / name, text);
    if (!plan.local) {
      auto roots = std::make_shared<LocalRoots>();
      roots->push_back({LocalRoot::Kind::seed, open_file(directory.path(), O_RDONLY | O_DIRECTORY), "seeds"});
      plan.local = std::make_unique<LocalFiles>(roots, "/nowhere");
    }
    struct stat status {};
    REQUIRE(::stat((directory.path() / name).c_str(), &status) == 0);
    return plan.local->add(0, name, stamp_of(status));
  }
  std::string get(const std::string& path) const { return std::string{as_text(read_file(target / path))}; }
};

}  // namespace

TEST_CASE("restore executor: what the steps say is done, and nothing else") {
  Executing t;
  t.add(".", EntryType::directory);
  t.add("dir", EntryType::directory);
  t.add("dir/link", EntryType::hard_link, 0, "dir/file");
  t.add("dir/file", EntryType::file, 20);
  t.plan.steps.add_step(PlannedWrite{14, 6, t.chunks(1, 1)});
  t.plan.steps.add_step(PlannedWrite{0, 11, t.chunks(0, 2)});
  t.add("empty", EntryType::file);
  t.add("hole", EntryType::file, 100);
  t.add("pending", EntryType::file, 15);
  t.plan.steps.add_step(PendingBegin{0});
  t.plan.steps.add_step(PendingWrite{t.chunks(2, 1)});
  t.plan.steps.add_step(PendingHole{5});
  t.plan.steps.add_step(PendingWrite{t.chunks(0, 1)});
  const auto done = t.run();
  CHECK(done.problems.empty());
  CHECK(done.files == 4);
  CHECK(done.bytes == 135);
  CHECK(t.get("dir/file") == std::string("firstsecond\0\0\0second", 20));
  CHECK(fs::hard_link_count(t.target / "dir/link") == 2);
  CHECK(t.get("empty").empty());
  CHECK(t.get("hole") == std::string(100, '\0'));
  CHECK(t.get("pending") == std::string("third\0\0\0\0\0first", 15));
}

TEST_CASE("restore executor: what is damaged is left out, with the links to it, and named") {
  Executing t;
  // The frame of the second chunk.
  const std::string key = layout::pack_key(t.pack.name);
  Bytes bytes = t.store.read(key, std::nullopt).value();
  const auto directory = t.engine.repository.packs().directory(t.pack);
  const Frame& frame = directory->frames()[1];
  bytes[stored_range(t.pack, *directory, frame.offset, frame.stored_size).offset + 2] ^= 0xff;
  t.store.put(key, ObjectBody::from_memory(bytes));
  t.add(".", EntryType::directory);
  t.add("b-planned", EntryType::file, 5);
  t.plan.steps.add_step(PlannedWrite{0, 5, t.chunks(0, 1)});
  t.plan.steps.add_step(DamagedContent{"as was seen when it was planned"});
  t.add("a-stored", EntryType::file, 11);
  t.plan.steps.add_step(PlannedWrite{0, 11, t.chunks(0, 2)});
  t.add("c-misfit", EntryType::file, 3);
  t.plan.steps.add_step(PendingBegin{0});
  t.plan.steps.add_step(PendingWrite{t.chunks(0, 1)});
  t.add("good", EntryType::file, 10);
  t.plan.steps.add_step(PlannedWrite{0, 5, t.chunks(0, 1)});
  t.plan.steps.add_step(PlannedWrite{5, 5, t.chunks(2, 1)});
  t.add("link", EntryType::hard_link, 0, "c-misfit");
  t.add("good-link", EntryType::hard_link, 0, "good");
  const auto done = t.run();
  REQUIRE(done.problems.size() == 4);
  CHECK(done.problems[0].path == "a-stored");
  CHECK(done.problems[1].path == "b-planned");
  CHECK(done.problems[1].message == "as was seen when it was planned");
  CHECK(done.problems[2].path == "c-misfit");
  CHECK(done.problems[2].message == "damaged content of 'c-misfit': chunks beyond its end");
  CHECK(done.problems[3].path == "link");
  CHECK(done.problems[3].message == "'link' is a hard link to a damaged file");
  CHECK(done.files == 1);
  CHECK(t.get("good") == "firstthird");
  CHECK(fs::hard_link_count(t.target / "good") == 2);
  for (const char* path : {"a-stored", "b-planned", "c-misfit", "link"}) CHECK_FALSE(fs::exists(t.target / path));
}

TEST_CASE("restore executor: a store that fails ends it, and the target stays as it was") {
  Executing t;
  t.add(".", EntryType::directory);
  t.add("file", EntryType::file, 5);
  t.plan.steps.add_step(PlannedWrite{0, 5, t.chunks(0, 1)});
  t.store.on_call = [](const std::string&, const std::string& key) {
    if (key.starts_with("packs/")) throw StoreError(ErrorKind::failed, StoreError::Transient::no, "no answer");
  };
  CHECK_THROWS_AS(t.run(), StoreError);
  CHECK(fs::is_empty(t.directory.path()));
}

TEST_CASE("restore executor: ranges of local files, beside what is fetched") {
  Executing t;
  const auto id = t.local("seed", "0123456789");
  t.add(".", EntryType::directory);
  t.add("file", EntryType::file, 20);
  // Whether it can begin as the seed or not, it is the same in the end.
  SUBCASE("as the seed") {
    t.plan.steps.add_step(LocalBase{id});
  }
  SUBCASE("as nothing") {}
  t.plan.steps.add_step(LocalWrite{0, 3, id, 0});
  t.plan.steps.add_step(PlannedHole{3, 5});
  t.plan.steps.add_step(PlannedWrite{8, 5, t.chunks(0, 1)});
  t.plan.steps.add_step(LocalWrite{13, 7, id, 2});
  const auto done = t.run();
  CHECK(done.problems.empty());
  CHECK(done.outdated.empty());
  CHECK(done.reused == 10);
  CHECK(t.get("file") == std::string("012\0\0\0\0\0first2345678", 20));
}

TEST_CASE("restore executor: a local file that others may write is held against the digests, whatever its times say") {
  Executing t;
  const auto id = t.local("seed", "0123456789");
  t.add(".", EntryType::directory);
  t.add("good", EntryType::file, 10);
  t.plan.steps.add_step(LocalWrite{0, 10, id, 0, sha256(as_bytes("0123456789"))});
  t.add("bad", EntryType::file, 10);
  t.plan.steps.add_step(LocalWrite{0, 5, id, 0, sha256(as_bytes("01234"))});
  t.plan.steps.add_step(LocalWrite{5, 5, id, 5, sha256(as_bytes("56780"))});
  const auto done = t.run();
  CHECK(done.outdated == std::set<std::string>{"bad"});
  CHECK_FALSE(fs::exists(t.target / "bad"));
  CHECK(t.get("good") == "0123456789");
}

TEST_CASE("restore executor: a local file that is not what it was gives nothing, and the file is named") {
  Executing t;
  const auto good = t.local("good", "0123456789");
  const auto bad = t.local("bad", "0123456789");
  fs::last_write_time(t.directory.path() / "bad", fs::file_time_type{});
  bool base = false;
  SUBCASE("a range") {}
  SUBCASE("what it begins as") {
    base = true;
  }
  SUBCASE("gone") {
    fs::remove(t.directory.path() / "bad");
  }
  SUBCASE("a link by now") {
    fs::remove(t.directory.path() / "bad");
    fs::create_symlink("good", t.directory.path() / "bad");
  }
  t.add(".", EntryType::directory);
  t.add("a", EntryType::file, 10);
  if (base) t.plan.steps.add_step(LocalBase{bad});
  t.plan.steps.add_step(LocalWrite{0, 5, good, 0});
  t.plan.steps.add_step(LocalWrite{5, 5, bad, 5});
  t.add("b", EntryType::file, 5);
  t.plan.steps.add_step(LocalWrite{0, 5, good, 0});
  const auto done = t.run();
  CHECK(done.outdated == std::set<std::string>{"a"});
  CHECK(done.files == 1);
  CHECK_FALSE(fs::exists(t.target / "a"));
  CHECK(t.get("b") == "01234");
}
