#include "cli/setup_config.hpp"

#include "cli/config.hpp"
#include "util/error.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::string name_of_command(const std::string& program) {
  return source_of_command({program}, {}).name;
}

SetupAnswers answers_of(std::vector<SetupSource> sources, const std::string& url = "/var/lib/cairn") {
  SetupAnswers answers;
  answers.sources = std::move(sources);
  answers.stores = {{"local", url}};
  answers.rhythm = rhythm_of("hourly");
  return answers;
}

}  // namespace

TEST_CASE("setup: the name of a source is one that a series can have") {
  CHECK(name_of_command("/usr/bin/pg_dump") == "pg_dump");
  CHECK(name_of_command("./a b'c") == "a-b-c");
  CHECK(name_of_command("latest") == "source-latest");
  CHECK(name_of_command("deadbeef00") == "source-deadbeef00");
  CHECK(name_of_command("-_.") == "source");
  CHECK(name_of_command(std::string(90, 'x')).size() <= 64);
  const std::vector<SetupSource> taken{{"pg_dump", "", {}, {}}, {"pg_dump-2", "", {}, {}}};
  CHECK(source_of_command({"pg_dump"}, taken).name == "pg_dump-3");
}

TEST_CASE("setup: a database is told by its first bytes") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  std::ofstream{directory.path() / "state"} << std::string("SQLite format 3\0and more", 24);
  std::ofstream{directory.path() / "other.db"} << "text";
  CHECK(source_of_path((directory.path() / "state").native(), {}).type == "sqlite");
  CHECK(source_of_path((directory.path() / "other.db").native(), {}).type == "directory");
  const SetupSource whole = source_of_path(directory.path().native() + "/./", {});
  CHECK(whole.type == "directory");
  CHECK(whole.path == directory.path());
  CHECK_THROWS_AS(source_of_path((directory.path() / "none").native(), {}), Error);
  CHECK(source_of_path("/", {}).name == "root");
}

TEST_CASE("setup: stores by their addresses") {
  CHECK(store_of("/srv/b/", {}).url == "/srv/b");
  CHECK(store_of("/srv/b", {{"local", ""}}).name == "local-2");
  CHECK(store_of("s3://b/p?endpoint=http://h", {}).name == "offsite");
  CHECK_THROWS_AS(store_of("b2:bucket", {}), Error);
}

TEST_CASE("setup: what is written is read back as it was meant") {
  SetupAnswers answers = answers_of({{"a", "directory", "/srv/\"quoted\\ \x01 caf\xc3\xa9", {}},
                                     {"b.c", "command", {}, {"pg_dump", "-Fc", "it's \"x\""}}});
  answers.stores.push_back({"offsite", "s3://backups/node?endpoint=https://s3.example.net"});
  answers.recipients = {"age1hntp97w6mgkatsyytrcag2n4y6huh3ardv7q4cv8je3d24lgvcuqxs496h"};
  answers.public_key = "RWTR/QEH4+Wnx0VTFPlLUuaHaYPOxN+5CJAQFUVAjbSS4on1Xlxt0Nld";
  answers.signing_key = "/etc/cairn/sign.pem";
  answers.identity = "/etc/cairn/identity.txt";
  const Config config = parse_config(config_text(answers), "c.toml");
  REQUIRE(config.sources.contains("a"));
  REQUIRE(config.sources.contains("b.c"));
  CHECK(config.sources.at("a").path == answers.sources[0].path);
  CHECK(config.sources.at("a").push_to == std::vector<std::string>{"offsite"});
  REQUIRE(config.sources.at("b.c").stages.size() == 1);
  CHECK(config.sources.at("b.c").stages[0] == answers.sources[1].command);
  CHECK(config.sources.at("a").max_age == std::chrono::hours{3});
  CHECK(config.stores.at("local").prune);
  CHECK_FALSE(config.stores.at("offsite").prune);
  CHECK(config.stores.at("offsite").recipients == answers.recipients);
  CHECK(config.stores.at("offsite").trusted_keys.size() == 1);
  CHECK(config.signing_key == answers.signing_key);
  CHECK(config.identity == answers.identity);
}

TEST_CASE("setup: units need drop-ins for another rhythm, and for places that they may not write") {
  SetupAnswers answers = answers_of({{"a", "sqlite", "/var/lib/app/state.db", {}}});
  CHECK(timer_drop_in(answers).empty());
  CHECK(service_drop_in(answers).empty());
  answers.rhythm = rhythm_of("daily");
  CHECK(timer_drop_in(answers).find("OnCalendar=\nOnCalendar=daily\n") != std::string::npos);
  answers.stores[0].url = "/mnt/100% \"x\"";
  answers.sources.push_back({"b", "sqlite", "/opt/app/b.db", {}});
  answers.sources.push_back({"c", "directory", "/opt/other", {}});
  const std::string text = service_drop_in(answers);
  CHECK(text.find("ReadWritePaths=\"-/mnt/100%% \\\"x\\\"\"\n") != std::string::npos);
  CHECK(text.find("ReadWritePaths=\"-/opt/app\"\n") != std::string::npos);
  CHECK(text.find("/opt/other") == std::string::npos);
  CHECK(text.find("/var/lib") == std::string::npos);
}

TEST_CASE("setup: a line for cron") {
  const SetupAnswers answers = answers_of({});
  CHECK(cron_line(answers, "/etc/cairn/cairn.toml", true) == "17 * * * * root cairn --quiet run");
  CHECK(cron_line(answers, "/home/a/c 1%.toml", false) ==
        R"(17 * * * * cairn --quiet --config '/home/a/c 1\%.toml' run)");
  CHECK_THROWS_AS(rhythm_of("often"), Error);
}
