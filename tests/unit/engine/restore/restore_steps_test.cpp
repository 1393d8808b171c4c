#include "engine/restore/restore_steps.hpp"

#include "unit/support.hpp"
#include "util/file.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

PlannedEntry entry(std::string path, EntryType type = EntryType::file) {
  PlannedEntry planned;
  planned.entry.path = std::move(path);
  planned.entry.type = type;
  return planned;
}

std::vector<ContentStep> all_steps(RestoreSteps& from) {
  std::vector<ContentStep> steps;
  while (auto step = from.next_step()) steps.push_back(std::move(*step));
  return steps;
}

}  // namespace

TEST_CASE("restore steps: an entry comes back with all that is restored of it") {
  RestoreSteps steps{"/nowhere"};
  PlannedEntry put = entry(std::string{"a\n\xff"}, EntryType::block_device);
  put.action = EntryAction::change;
  put.asked_for = false;
  put.seen = 1ULL << 40;
  put.if_settled = EntryAction::keep;
  Entry& e = put.entry;
  e.mode = 07755;
  e.uid = 4'000'000'000;
  e.gid = 12;
  e.mtime = Time{Nanoseconds{-5'000'000'001}};
  e.xattrs = {{"user.a", std::string{"x\0y", 3}}, {"user.b", ""}};
  e.link_target = "somewhere";
  e.device_major = 259;
  e.device_minor = 70000;
  e.size = (1ULL << 53) - 1;
  steps.add_entry(put);
  steps.rewind();
  const auto got = steps.next_entry();
  REQUIRE(got);
  CHECK(got->action == EntryAction::change);
  CHECK_FALSE(got->asked_for);
  CHECK(got->seen == 1ULL << 40);
  CHECK(got->if_settled == EntryAction::keep);
  CHECK(got->entry.path == e.path);
  CHECK(got->entry.type == e.type);
  CHECK(got->entry.mode == e.mode);
  CHECK(got->entry.uid == e.uid);
  CHECK(got->entry.gid == e.gid);
  CHECK(got->entry.mtime == e.mtime);
  CHECK((got->entry.xattrs == e.xattrs));
  CHECK(got->entry.link_target == e.link_target);
  CHECK(got->entry.device_major == e.device_major);
  CHECK(got->entry.device_minor == e.device_minor);
  CHECK(got->entry.size == e.size);
  CHECK_FALSE(steps.next_entry());
}

TEST_CASE("restore steps: every kind of step, in order, as often as wanted") {
  const std::vector<ContentStep> content{PlannedWrite{1ULL << 40, 7, {~0ULL, 3, 4}},
                                         PackOrderBegin{},
                                         PendingBegin{5},
                                         PendingWrite{{1, 2, 3}},
                                         PendingHole{1ULL << 50},
                                         PendingCheck{9},
                                         PackOrderEnd{},
                                         LocalBase{1ULL << 41},
                                         LocalWrite{1, 1ULL << 42, 3, 1ULL << 43},
                                         LocalWrite{1, 2, 3, 4, sha256(as_bytes("x"))},
                                         PlannedHole{5, 1ULL << 44},
                                         DamagedContent{"it is \xff broken"}};
  RestoreSteps steps{"/nowhere"};
  steps.add_entry(entry("a"));
  for (const auto& step : content) steps.add_step(step);
  steps.add_entry(entry("b"));
  steps.add_entry(entry("c"));
  steps.add_step(content[0]);
  for (int round = 0; round < 2; ++round) {
    steps.rewind();
    CHECK(steps.next_entry()->entry.path == "a");
    CHECK((all_steps(steps) == content));
    CHECK_FALSE(steps.next_step());
    CHECK(steps.next_entry()->entry.path == "b");
    CHECK_FALSE(steps.next_step());
    CHECK(steps.next_entry()->entry.path == "c");
    CHECK((all_steps(steps) == std::vector{content[0]}));
    CHECK_FALSE(steps.next_entry());
    CHECK_FALSE(steps.next_entry());
  }
}

TEST_CASE("restore steps: content that nobody takes is skipped, and hard links come last") {
  RestoreSteps steps{"/nowhere"};
  steps.add_entry(entry("link", EntryType::hard_link));
  steps.add_entry(entry("file"));
  for (std::uint64_t i = 0; i < 3; ++i) steps.add_step(PendingHole{i});
  steps.add_entry(entry("other link", EntryType::hard_link));
  steps.add_entry(entry("directory", EntryType::directory));
  steps.rewind();
  CHECK(steps.next_entry()->entry.path == "file");
  CHECK((steps.next_step() == ContentStep{PendingHole{0}}));
  CHECK(steps.next_entry()->entry.path == "directory");
  CHECK(steps.next_entry()->entry.path == "link");
  CHECK_FALSE(steps.next_step());
  CHECK(steps.next_entry()->entry.path == "other link");
  CHECK_FALSE(steps.next_entry());
}

TEST_CASE("restore steps: what is too much for memory lies in a file without a name") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  constexpr std::uint32_t k_files = 30'000;
  const auto fill = [](RestoreSteps& steps) {
    for (std::uint32_t i = 0; i < k_files; ++i) {
      steps.add_entry(entry("file" + std::to_string(i)));
      steps.add_step(PlannedWrite{0, i, {i, i, 1}});
    }
  };
  RestoreSteps steps{directory.path()};
  fill(steps);
  CHECK(steps.size() > 2'000'000);
  CHECK(fs::is_empty(directory.path()));
  steps.rewind();
  for (std::uint32_t i = 0; i < k_files; ++i) {
    const auto planned = steps.next_entry();
    REQUIRE(planned);
    REQUIRE(planned->entry.path == "file" + std::to_string(i));
    REQUIRE((steps.next_step() == ContentStep{PlannedWrite{0, i, {i, i, 1}}}));
  }
  CHECK_FALSE(steps.next_entry());
  // Where there is no room for it, that is said.
  RestoreSteps nowhere{directory.path() / "none"};
  CHECK(test::failure_of([&] { fill(nowhere); }) == ErrorKind::failed);
}

TEST_CASE("restore steps: what is taken back is gone with its content, and what comes after it is not") {
  RestoreSteps steps{"/nowhere"};
  steps.add_entry(entry("a"));
  steps.add_step(PendingHole{1});
  steps.add_entry(entry("b"));
  steps.add_step(PendingHole{2});
  steps.add_step(PendingHole{3});
  steps.add_entry(entry("link", EntryType::hard_link));
  steps.retract();
  steps.add_entry(entry("c"));
  steps.rewind();
  CHECK(steps.next_entry()->entry.path == "a");
  CHECK(all_steps(steps).size() == 1);
  CHECK(steps.next_entry()->entry.path == "c");
  CHECK(steps.next_entry()->entry.path == "link");
  CHECK_FALSE(steps.next_entry());
}

TEST_CASE("restore steps: what is settled afterwards stays, without its content") {
  RestoreSteps steps{"/nowhere"};
  for (const char* path : {"a", "b", "c"}) {
    PlannedEntry planned = entry(path);
    planned.action = EntryAction::change;
    planned.if_settled = EntryAction::metadata;
    steps.add_entry(planned);
    steps.add_step(PendingHole{1});
  }
  steps.settle({"b"});
  steps.rewind();
  for (const char* path : {"a", "b", "c"}) {
    const bool settled = std::string{path} == "b";
    const auto planned = steps.next_entry();
    REQUIRE(planned);
    CHECK(planned->entry.path == path);
    CHECK(planned->action == (settled ? EntryAction::metadata : EntryAction::change));
    CHECK(all_steps(steps).size() == (settled ? 0 : 1));
  }
}

TEST_CASE("restore steps: removals are read for themselves, in their order") {
  const std::vector<PlannedRemoval> all{{"d/a", false, true, {5, 6}}, {"d\xff", true, false, {1ULL << 40, 1ULL << 50}}};
  RestoreSteps steps{"/nowhere"};
  for (const auto& removal : all) steps.add_removal(removal);
  steps.add_entry(entry("a"));
  for (int round = 0; round < 2; ++round) {
    steps.rewind();
    CHECK(steps.next_entry()->entry.path == "a");
    for (const auto& removal : all) CHECK((steps.next_removal() == removal));
    CHECK_FALSE(steps.next_removal());
  }
}

TEST_CASE("restore steps: what belongs to a file that was not restored is not removed") {
  RestoreSteps steps{"/nowhere"};
  const std::vector<std::string> spared{"d/app.db-wal", "d/app.db-journal", "d/app.db-shm", "was/deep/file",
                                        "was/deep"};
  const std::vector<std::string> others{"d/app.db-walk", "d/other.db-wal", "app.db-wal", "wasp/file", "d/app.db-x"};
  for (const auto& path : spared) steps.add_removal({path, path == "was/deep", true, {}});
  for (const auto& path : others) steps.add_removal({path, false, false, {}});
  // A directory is no log.
  steps.add_removal({"d/app.db-wal", true, false, {}});
  CHECK(steps.spare({"d/app.db", "was"}) == spared.size());
  for (int round = 0; round < 2; ++round) {
    steps.rewind();
    for (const auto& path : others) CHECK(steps.next_removal()->path == path);
    CHECK(steps.next_removal()->directory);
    CHECK_FALSE(steps.next_removal());
  }
}
