#include "engine/notify/notify_memory.hpp"

#include "unit/support.hpp"
#include "util/file.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("notify memory: a state comes back, and what is well leaves nothing") {
  const TemporaryDirectory work{temporary_directory()};
  const NotifyMemory memory{work.path() / "notify"};
  const KnownState failed{
      Condition::failed, Time{Nanoseconds{5}}, Time{Nanoseconds{7}}, {ExitStatus::failed, ExitStatus::damaged}};
  const KnownState stale{Condition::stale, Time{Nanoseconds{9}}, std::nullopt, {}};
  CHECK(memory.known("a") == KnownState{});
  memory.set("b", {});  // where nothing was made
  memory.set("a", failed);
  memory.set("b/..", stale);
  CHECK(memory.known("a") == failed);
  CHECK(memory.known("b/..") == stale);
  memory.set("a", {});
  memory.set("b/..", {});
  CHECK(memory.known("a") == KnownState{});
  CHECK(fs::is_empty(work.path() / "notify"));
}

TEST_CASE("notify memory: a file that says nothing is an error, and can be replaced") {
  const TemporaryDirectory work{temporary_directory()};
  const NotifyMemory memory{work.path()};
  memory.set("a", {Condition::failed, {}, {}, {}});
  const fs::path file = fs::directory_iterator {
    work.path()
    } -> path();
  for (const char* wrong : {"", "{}", "{\"format\":\"cairn-notify-state\",\"version\":2}",
                            "{\"format\":\"cairn-notify-state\",\"version\":1,\"condition\":\"fine\"}"}) {
    write_file_atomic(file, as_bytes(std::string_view{wrong}));
    CHECK(test::failure_of([&] { memory.known("a"); }) == ErrorKind::failed);
  }
  memory.set("a", {Condition::failed, {}, {}, {ExitStatus::busy}});
  CHECK(memory.known("a").told_as == std::vector{ExitStatus::busy});
}

TEST_CASE("notify memory: without a directory nothing is known, and nothing can be kept") {
  const NotifyMemory memory{{}};
  CHECK(memory.known("a") == KnownState{});
  CHECK(test::failure_of([&] { memory.set("a", {Condition::failed, {}, {}, {}}); }) == ErrorKind::failed);
}
