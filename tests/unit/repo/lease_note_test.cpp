#include "repo/lease_note.hpp"

#include <chrono>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/wait.h>

using namespace cairn;

namespace {

// As somebody who is killed: no destructor runs.
void take_and_die(const Cache& cache, const std::string& lease) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    LeaseNote note{cache};
    note.add(as_bytes("an earlier one"));
    note.add(as_bytes(lease));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
}

}  // namespace

TEST_CASE("lease note: a holder that lives is never taken for dead, one that was killed is found once") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path(), "id"};
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("lease")));
  {
    LeaseNote living{cache};
    living.add(as_bytes("lease"));
    CHECK_FALSE(DeadHolder::find(cache, as_bytes("lease")));
    living.forget();
  }
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("lease")));
  // Ended, and not known whether its lease is in the store.
  { LeaseNote{cache}.add(as_bytes("in doubt")); }
  CHECK(DeadHolder::find(cache, as_bytes("in doubt")));

  take_and_die(cache, "lease");
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("somebody else's")));
  CHECK_FALSE((DeadHolder::find(Cache{directory.path(), "other"}, as_bytes("lease"))));
  CHECK(DeadHolder::find(cache, as_bytes("an earlier one")));
  {
    const auto found = DeadHolder::find(cache, as_bytes("lease"));
    REQUIRE(found);
    CHECK_FALSE(DeadHolder::find(cache, as_bytes("lease")));
    found->forget();
  }
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("lease")));
}

TEST_CASE("lease note: old notes of the dead are removed, those of the living stay") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path(), "id"};
  const auto make_old = [&] {
    for (const auto& name : cache.names("leases")) {
      fs::last_write_time(cache.directory() / "leases" / name,
                          fs::file_time_type::clock::now() - std::chrono::hours{24 * 8});
    }
  };
  take_and_die(cache, "lease");
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("other")));
  CHECK(cache.names("leases").size() == 1);
  make_old();
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("other")));
  CHECK(cache.names("leases").empty());
  LeaseNote living{cache};
  make_old();
  CHECK_FALSE(DeadHolder::find(cache, as_bytes("other")));
  CHECK(cache.names("leases").size() == 1);
}

TEST_CASE("lease note: without a cache nothing is known and nothing fails") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  write_file_atomic(directory.path() / "file", as_bytes("x"));
  for (const fs::path& root : {fs::path{}, directory.path() / "file"}) {
    const Cache none{root, "id"};
    take_and_die(none, "lease");
    CHECK_FALSE(DeadHolder::find(none, as_bytes("lease")));
  }
}
