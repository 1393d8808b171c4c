#include "repo/cache.hpp"

#include "unit/skipped.hpp"

#include <chrono>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

PackRef pack(const std::string& name) {
  PackRef ref;
  ref.name = sha256(name);
  ref.size = 1000;
  ref.directory_offset = 900;
  ref.directory_size = 68;
  ref.logical_id = sha256("content of " + name);
  return ref;
}

const std::string k_run_a(32, 'a');
const std::string k_run_b(32, 'b');

}  // namespace

TEST_CASE("cache: gives what was put, nothing else; none at all where it cannot be written") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path() / "root", "id"};
  CHECK_FALSE(cache.get("manifests", "x"));
  cache.put("manifests", "x", as_bytes("one"));
  cache.put("manifests", "x", as_bytes("two"));
  REQUIRE(cache.get("manifests", "x"));
  CHECK(as_text(*cache.get("manifests", "x")) == "two");
  CHECK_FALSE(cache.get("directories", "x"));
  CHECK_FALSE((Cache{directory.path() / "root", "other"}.get("manifests", "x")));

  write_file_atomic(directory.path() / "file", as_bytes("x"));
  for (const fs::path& root : {fs::path{}, directory.path() / "file"}) {
    const Cache none{root, "id"};
    none.put("manifests", "x", as_bytes("one"));
    CHECK_FALSE(none.get("manifests", "x"));
  }
}

TEST_CASE("cache: a sweep, once a day, takes what is denied and a day old") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path root = directory.path() / "id";
  const auto set_age = [&](const fs::path& path, std::chrono::hours age) {
    fs::last_write_time(root / path, fs::file_time_type::clock::now() - age);
  };
  const Cache cache{directory.path(), "id"};
  for (const char* name : {"old", "young", "needed"}) cache.put("manifests", name, as_bytes("x"));
  set_age("manifests/old", 25h);
  set_age("manifests/young", 23h);
  set_age("manifests/needed", 1000h);
  CHECK_FALSE(fs::exists(root / "swept"));
  CHECK_FALSE(cache.claim_sweep());  // it is new
  set_age("swept", 23h);
  CHECK_FALSE(Cache(directory.path(), "id").claim_sweep());
  set_age("swept", 25h);
  CHECK(cache.claim_sweep());
  CHECK_FALSE(cache.claim_sweep());
  cache.sweep([](std::string_view kind, const std::string& name) {
    CHECK(kind == "manifests");
    return name == "needed";
  });
  CHECK_FALSE(cache.get("manifests", "old"));
  CHECK(cache.get("manifests", "young"));
  CHECK(cache.get("manifests", "needed"));
  CHECK_FALSE(Cache(fs::path{}, "id").claim_sweep());
}

TEST_CASE("journal: the next run of a series finds what a dead one stored, a living one's it leaves alone") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path(), "id"};
  {
    RunJournal dead{cache, "s", k_run_a};
    CHECK(dead.abandoned().empty());
    dead.append(pack("one"));
    dead.append(pack("two"));
    // Its lock is alive: nobody else takes its packs.
    CHECK((RunJournal{cache, "s", k_run_b}.abandoned().empty()));
  }
  CHECK((RunJournal{cache, "other", k_run_b}.abandoned().empty()));
  RunJournal next{cache, "s", k_run_b};
  REQUIRE(next.abandoned().size() == 2);
  CHECK(next.abandoned()[0] == pack("one"));
  CHECK(next.abandoned()[1] == pack("two"));
  next.clear();
  CHECK((RunJournal{cache, "s", std::string(32, 'c')}.abandoned().empty()));
}

TEST_CASE("journal: torn and foreign lines are skipped") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path(), "id"};
  { RunJournal{cache, "s", k_run_a}.append(pack("one")); }
  const fs::path path = cache.directory() / "journal" / ("s." + k_run_a);
  const std::string line{as_text(read_file(path))};
  write_file_atomic(
      path, as_bytes("x\n" + line.substr(5) + line + line.substr(0, line.size() - 1) + " 1\n" + line.substr(0, 70)));
  const RunJournal next{cache, "s", k_run_b};
  REQUIRE(next.abandoned().size() == 1);
  CHECK(next.abandoned()[0] == pack("one"));
}

TEST_CASE("cache: the sweep's note is made through no link") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Cache cache{directory.path(), "0f1e2d3c4b5a69788796a5b4c3d2e1f0"};
  fs::create_symlink(directory.path() / "victim", cache.directory() / "swept");
  CHECK_FALSE(cache.claim_sweep());
  CHECK_FALSE(fs::exists(directory.path() / "victim"));
}

TEST_CASE("cache: root has none where another user may have links lead elsewhere") {
  if (!test::is_root_for("a cache below another user's directory")) return;
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const std::string store = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
  fs::create_directories(directory.path() / "home/cache");
  CHECK_FALSE(Cache(directory.path() / "home/cache", store).directory().empty());
  fs::create_directory_symlink("home", directory.path() / "link");
  CHECK_FALSE(Cache(directory.path() / "link/cache", store).directory().empty());
  SUBCASE("above") {
    REQUIRE(::chown((directory.path() / "home").c_str(), 12345, 12345) == 0);
  }
  SUBCASE("the store's part") {
    REQUIRE(::chown((directory.path() / "home/cache" / store).c_str(), 12345, 12345) == 0);
  }
  SUBCASE("a link") {
    REQUIRE(::lchown((directory.path() / "link").c_str(), 12345, 12345) == 0);
  }
  CHECK(Cache(directory.path() / "link/cache", store).directory().empty());
}
