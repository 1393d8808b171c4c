#include "engine/doctor/host_findings.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

constexpr std::uint64_t k_gib = 1ULL << 30;

Severity room(std::uint64_t free, std::uint64_t size, std::uint64_t free_files = 10, std::uint64_t files = 100) {
  return judge_room("host", "the spool", "/s", {free, size, free_files, files}).severity;
}

}  // namespace

TEST_CASE("doctor: the versions of SQLite that lose commits are known") {
  for (const char* version : {"3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.2"}) {
    CAPTURE(version);
    CHECK(judge_sqlite(version).severity == Severity::note);
  }
  for (const char* version : {"3.6.23", "3.44.6", "3.50.7", "3.51.3", "3.53.0", "4.0.0"}) {
    CAPTURE(version);
    CHECK(judge_sqlite(version).severity == Severity::good);
  }
  for (const char* version : {"", "3", "3.x.1", "3.51"}) {
    CAPTURE(version);
    CHECK(judge_sqlite(version).message.find("not known") != std::string::npos);
  }
}

TEST_CASE("doctor: room") {
  CHECK(room(50 * k_gib, 100 * k_gib) == Severity::good);
  CHECK(room(4 * k_gib, 100 * k_gib) == Severity::warning);
  CHECK(room(k_gib / 2, 8 * k_gib) == Severity::warning);
  CHECK(room(k_gib / 2, 3 * k_gib) == Severity::good);
  CHECK(room(0, 3 * k_gib) == Severity::problem);
  CHECK(room(0, 0) == Severity::good);
  CHECK(room(50 * k_gib, 100 * k_gib, 0) == Severity::problem);
  CHECK(room(50 * k_gib, 100 * k_gib, 0, 0) == Severity::good);
}

TEST_CASE("doctor: a store that goes with its source is told") {
  const auto severity = [](Whereabouts source, Whereabouts store) {
    return judge_separation("source a", source, "main", store).severity;
  };
  CHECK(severity({1, "sda"}, {1, "sda"}) == Severity::warning);
  CHECK(severity({1, "sda"}, {2, "sda"}) == Severity::warning);
  CHECK(severity({1, ""}, {1, ""}) == Severity::warning);
  CHECK(severity({1, "sda"}, {2, "sdb"}) == Severity::note);
  CHECK(severity({1, "sda"}, {2, ""}) == Severity::good);
}

TEST_CASE("doctor: whereabouts of what is not there yet are those of its directory") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const auto there = whereabouts_of(directory.path());
  const auto below = whereabouts_of(directory.path() / "no" / "such");
  REQUIRE(there);
  REQUIRE(below);
  CHECK(there->device == below->device);
}

TEST_CASE("doctor: a timer or a crontab runs the program, a comment does not") {
  const TemporaryDirectory root{fs::temp_directory_path()};
  CHECK(enabled_units(root.path()).empty());
  CHECK(crontabs_with_program(root.path()).empty());
  CHECK(judge_timers({}, {}).severity == Severity::warning);
  fs::create_directories(root.path() / "etc/systemd/system/timers.target.wants");
  fs::create_directories(root.path() / "etc/cron.d");
  std::ofstream{root.path() / "etc/cron.d/other"} << "# cairn run\n0 1 * * * root true\n";
  CHECK(crontabs_with_program(root.path()).empty());
  std::ofstream{root.path() / "etc/cron.d/mine"} << "0 1 * * * root cairn run\n";
  CHECK(crontabs_with_program(root.path()).size() == 1);
  fs::create_symlink("/usr/lib/x", root.path() / "etc/systemd/system/timers.target.wants/cairn-run.timer");
  fs::create_symlink("/usr/lib/x", root.path() / "etc/systemd/system/timers.target.wants/apt-daily.timer");
  CHECK(enabled_units(root.path()) == std::vector<std::string>{"cairn-run.timer"});
  CHECK(judge_timers({"cairn-run.timer"}, {}).severity == Severity::good);
  CHECK(judge_timers({}, {"/etc/cron.d/mine"}).severity == Severity::good);
}
