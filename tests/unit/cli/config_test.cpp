#include "cli/config.hpp"

#include "unit/skipped.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

// The sample of the contract, with keys of a length that real ones have.
constexpr const char* k_sample = R"(default_store = "local"
[stores.local]
url = "/var/lib/cairn"
[stores.offsite]
url = "s3://backups/corrosion"
endpoint = "https://s3.example.net"
region = "eu-1"
recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
trusted_keys = [{ key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", series = "*" }]
[sources.state]
type = "sqlite"
path = "/var/lib/corrosion/state.db"
push_to = ["offsite"]
[sources.state.retention]
keep_last = 24
keep_daily = 14
[groups.node]
sources = ["state"]
)";

Error failure(const std::string& text) {
  try {
    parse_config(text, "/etc/cairn.toml");
  } catch (const Error& error) {
    return error;
  }
  FAIL("accepted: ", text);
  return {ErrorKind::failed, ""};
}

struct Bad {
  std::string text;
  std::string message;
  std::string hint;  // its beginning; empty: any
};

std::string text_of(const char* file) {
  return std::string{as_text(read_file(file))};
}

void write(const fs::path& file, std::string_view text) {
  make_directories(file.parent_path());
  write_file_atomic(file, as_bytes(text));
}

}  // namespace

TEST_CASE("config: the sample") {
  const Config config = parse_config(k_sample, "sample");
  CHECK(config.default_store == "local");
  CHECK(config.time_zone.empty());
  REQUIRE(config.stores.size() == 2);
  CHECK(config.store("local").address.url == "/var/lib/cairn");
  const auto& offsite = config.stores.at("offsite");
  CHECK(offsite.name == "offsite");
  CHECK(offsite.address.url == "s3://backups/corrosion");
  CHECK(offsite.address.endpoint == "https://s3.example.net");
  CHECK(offsite.address.region == "eu-1");
  CHECK_FALSE(offsite.address.style);
  CHECK(offsite.recipients.size() == 1);
  REQUIRE(offsite.trusted_keys.size() == 1);
  CHECK(offsite.trusted_keys[0].series == "*");

  const auto& state = config.sources.at("state");
  CHECK(state.type == SourceKind::sqlite);
  CHECK(state.path == "/var/lib/corrosion/state.db");
  CHECK(state.series == "state");
  CHECK(state.push_to == std::vector<std::string>{"offsite"});
  REQUIRE(state.retention);
  CHECK(state.retention->keep_last == 24);
  CHECK(state.retention->keep_daily == 14);
  CHECK_FALSE(state.retention->keep_weekly);
  CHECK(config.groups.at("node").sources == std::vector<std::string>{"state"});
}

TEST_CASE("config: keys of a store") {
  const Config config = parse_config(R"(identity = "/root/id.key"
signing_key = "/root/sign.pem"
state_dir = "/var/lib/state"
[stores.s]
url = "/s"
store_id = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
recipients = ["age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
trusted_keys = [{ key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", series = "db-*" }]
revoked_keys = [{ key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", since = "2026-11-21T00:00:00Z" }]
)",
                                     "c");
  CHECK(config.identity == "/root/id.key");
  CHECK(config.signing_key == "/root/sign.pem");
  CHECK(config.state_dir == "/var/lib/state");
  const auto store = config.store("s");
  CHECK(store.store_id == "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
  REQUIRE(store.recipients.size() == 2);
  CHECK(store.recipients[0] < store.recipients[1]);
  REQUIRE(store.trusted_keys.size() == 1);
  CHECK(store.trusted_keys[0].series == "db-*");
  REQUIRE(store.revoked_keys.size() == 1);
  CHECK(store.revoked_keys[0].since == parse_time("2026-11-21T00:00:00Z"));
}

TEST_CASE("config: every key") {
  const Config config = parse_config(R"(
cache_dir = "/var/cache/cairn"
spool_dir = "/var/spool/cairn"
spool_size = "20G"
spool_full = "fail"
time_zone = "Europe/Berlin"
default_store = "local"

[stores.local]
url = "file:///srv/cairn"
[stores.s3]
url = "s3://b"
endpoint = "https://[::1]:8080"
region = "r"
style = "path"
profile = "backup"
ca_file = "/etc/ssl/own.pem"

[retention]
keep_last = 1
keep_hourly = 2
keep_daily = 3
keep_weekly = 4
keep_monthly = 5
keep_yearly = 0
keep_within = "7d"
minimum = 6

[sources.www]
type = "directory"
path = "/srv/www"
series = "web"
store = "s3"
push_to = ["local"]
exclude = ["*.tmp", "/cache/"]
include = ["*.html"]
one_file_system = true
exclude_caches = true
reread = true
busy_timeout = "90s"
lock_budget = "5m"
assume_local = true
tags = { env = "prod", "dotted.name" = "" }

[sources.dump]
type = "command"
command = [["pg_dump", "-Fc", "app"], ["age", "-r", ""]]
file_name = "app.dump"
min_size = 4096
max_drop = "50%"
[sources.dump.retention]
keep_within = "36h"

[sources.one]
type = "command"
command = ["pg_dumpall"]
min_size = "1.5 KiB"

[groups.all]
sources = ["www", "dump"]
)",
                                     "c");
  CHECK(config.cache_dir == "/var/cache/cairn");
  CHECK(config.spool.dir == "/var/spool/cairn");
  CHECK(config.spool.size == 20ULL << 30);
  CHECK(config.spool.full == SpoolFull::fail);
  const auto s3 = config.store("s3");
  CHECK(s3.address.endpoint == "https://[::1]:8080");
  CHECK(s3.address.style == "path");
  CHECK(s3.address.profile == "backup");
  CHECK(s3.address.ca_file == "/etc/ssl/own.pem");

  RetentionPolicy policy;
  policy.keep_last = 1;
  policy.keep_hourly = 2;
  policy.keep_daily = 3;
  policy.keep_weekly = 4;
  policy.keep_monthly = 5;
  policy.keep_yearly = 0;
  policy.keep_within = std::chrono::hours{7 * 24};
  policy.minimum = 6;
  policy.time_zone = "Europe/Berlin";
  CHECK(config.retention == policy);

  const auto& www = config.sources.at("www");
  CHECK(www.series == "web");
  CHECK(www.store == "s3");
  CHECK(www.exclude == std::vector<std::string>{"*.tmp", "/cache/"});
  CHECK(www.include == std::vector<std::string>{"*.html"});
  CHECK(www.one_file_system);
  CHECK(www.exclude_caches);
  CHECK(www.reread);
  CHECK(www.assume_local);
  CHECK(www.busy_timeout == std::chrono::milliseconds{90'000});
  CHECK(www.lock_budget == std::chrono::milliseconds{300'000});
  CHECK(www.tags == std::map<std::string, std::string>{{"env", "prod"}, {"dotted.name", ""}});
  CHECK_FALSE(www.retention);

  const auto& dump = config.sources.at("dump");
  CHECK(dump.stages == std::vector<std::vector<std::string>>{{"pg_dump", "-Fc", "app"}, {"age", "-r", ""}});
  CHECK(dump.file_name == "app.dump");
  CHECK(dump.guard.min_size == 4096);
  CHECK(dump.guard.max_drop == 0.5);
  CHECK(config.sources.at("one").stages == std::vector<std::vector<std::string>>{{"pg_dumpall"}});
  CHECK(config.sources.at("one").guard.min_size == 1536);

  // A source's own table replaces the general one; the zone is everybody's.
  CHECK(config.retention_of("web") == policy);
  CHECK(config.retention_of("somebody-elses") == policy);
  CHECK(config.retention_of("dump").keep_within == std::chrono::hours{36});
  CHECK_FALSE(config.retention_of("dump").keep_last);
  CHECK(config.retention_of("dump").time_zone == "Europe/Berlin");
}

TEST_CASE("config: an empty file is a configuration") {
  const Config config = parse_config("", "c");
  CHECK(config.stores.empty());
  CHECK_FALSE(config.retention.has_rule());
  CHECK(config.retention.minimum == 1);
  CHECK(config.spool.full == SpoolFull::stream);
  // Any word that is no configured name is an address.
  CHECK(config.store("s3://b/p").address.url == "s3://b/p");
  CHECK(config.store("./local").name.empty());
}

TEST_CASE("config: what is wrong, and where") {
  const std::string sources = "[stores.a]\nurl = \"/a\"\n[sources.s]\ntype = \"directory\"\npath = \"/s\"\n";
  const std::vector<Bad> all{
      {"defualt_store = \"x\"\n", ":1:1: unknown key 'defualt_store' in the configuration",
       "did you mean 'default_store'?"},
      {"\n\n  zzzzzz = 1\n", ":3:3: unknown key 'zzzzzz' in the configuration", "known here: default_store, "},
      {"zzz = 1\naaa = 2\n", ":1:1: unknown key 'zzz' in the configuration", ""},
      {"[store.local]\nurl = \"/x\"\n", ":1:2: unknown key 'store' in the configuration", "did you mean 'stores'?"},
      {"\"\\u001b[2J\" = 1\n", ":1:1: unknown key '\\x1b[2J' in the configuration", ""},
      {"[hooks]\nbefore = \"x\"\n", ":1:2: unknown key 'hooks' in the configuration", ""},
      {"[notifications]\n", ":1:2: unknown key 'notifications' in the configuration", ""},
      {"default_store = \"x\n", ":1:19: invalid TOML: ", ""},
      {"a = 1\na = 2\n", ":2:5: invalid TOML: ", ""},
      {"default_store = 1\n", ":1:1: 'default_store' must be a string, not a whole number", ""},
      {"default_store = \"\"\n", ":1:1: 'default_store' is empty", ""},
      {"default_store = \"x\"\n", ":1:1: 'default_store' names 'x', which is no configured store", "add [stores.x]"},
      {"default_store = \"s3://AKIA:HUSH@b\"\n",
       ":1:1: 'default_store' names 's3://...@b', which is no configured store", "add [stores.s3://...@b]"},
      {"cache_dir = \"cache\"\n", ":1:1: 'cache_dir' must be an absolute path", ""},
      {"spool_full = \"wait\"\n", ":1:1: 'spool_full' must be \"stream\" or \"fail\"", ""},
      {"spool_size = \"lots\"\n", ":1:1: 'spool_size' must be a size", ""},
      {"spool_size = -1\n", ":1:1: 'spool_size' must not be negative", ""},
      {"spool_size = 1.5\n",
       ":1:1: 'spool_size' must be a size as \"64k\", or a number of bytes, not a number with a "
       "fraction",
       ""},
      {"time_zone = \"Mars/Olympus\"\n", ":1:1: unknown time zone 'Mars/Olympus'", "names are those below"},

      {"stores = 1\n", ":1:1: 'stores' must be a table, not a whole number", ""},
      {"[stores]\nurl = \"/x\"\n", ":2:1: 'url' in [stores] must be a table, not a string", "write [stores.NAME]"},
      {"[stores.\"a/b\"]\nurl = \"/x\"\n", ":1:1: invalid store name 'a/b'", "a name is a letter or digit"},
      {"[stores.a]\n", ":1:1: store 'a' has no 'url'", ""},
      {"[stores.a]\nurl = \"srv\"\n", ":2:1: the path in 'url' must be absolute", ""},
      {"[stores.a]\nurl = \"ftp://h/x\"\n", ":2:1: ", ""},
      {"[stores.a]\nurl = \"s3://\"\n", ":2:1: ", ""},
      {"[stores.a]\nurl = \"/x\"\nregion = \"r\"\n", ":3:1: 'region' is for s3:// stores only, and 'a' is a directory",
       ""},
      {"[stores.a]\nurl = \"s3://b\"\nstyle = \"dns\"\n", ":3:1: 'style' must be \"auto\", \"path\" or \"virtual\"",
       ""},
      {"[stores.a]\nurl = \"s3://b\"\nca_file = \"own.pem\"\n", ":3:1: 'ca_file' must be an absolute path", ""},
      {"[stores.a]\nurl = \"s3://b\"\nrecipients = \"age1x\"\n",
       ":3:1: 'recipients' must be an array of strings, not a string", ""},
      {"[stores.a]\nurl = \"s3://b\"\nrecipients = [\"ssh-ed25519 AAAA\"]\n",
       ":3:1: ", "a recipient is the public key"},
      {"[stores.a]\nurl = \"s3://b\"\nstore_id = \"x\"\n", ":3:1: 'store_id' must be the 32 hexadecimal digits", ""},
      {"[stores.a]\nurl = \"s3://b\"\ntrusted_keys = [{ key = \"RWx\" }]\n", ":3:19: ", "a key is the minisign"},
      {"[stores.a]\nurl = \"s3://b\"\ntrusted_keys = [\"RWx\"]\n", ":3:1: 'trusted_keys' must be an array of tables",
       ""},
      {"[stores.a]\nurl = \"s3://b\"\ntrusted_keys = [{ serie = \"*\" }]\n",
       ":3:19: unknown key 'serie' in a trusted key", "did you mean 'series'?"},
      {"[stores.a]\nurl = \"s3://b\"\nencryption = \"none\"\n", ":3:1: unknown key 'encryption' in a store", ""},

      {"[retention]\nkeep_last = -1\n", ":2:1: 'keep_last' must be from 0 to 4294967295", ""},
      {"[retention]\nkeep_last = \"24\"\n", ":2:1: 'keep_last' must be a whole number, not a string", ""},
      {"[retention]\nkeep_last = 4294967296\n", ":2:1: 'keep_last' must be from 0 to 4294967295", ""},
      {"[retention]\nkeep_dayly = 1\n", ":2:1: unknown key 'keep_dayly' in a retention table",
       "did you mean 'keep_daily'?"},
      {"[retention]\nkeep_within = \"1m\"\n", ":2:1: invalid time to keep snapshots for: '1m'", "write hours, days"},
      {"[retention]\nminimum = 0\n", ":2:1: 'minimum' must be from 1 to 4294967295", ""},
      {"[retention]\ntime_zone = \"UTC\"\n", ":2:1: unknown key 'time_zone' in a retention table", ""},

      {"[sources.s]\npath = \"/s\"\n", ":1:1: source 's' has no 'type'", "it is "},
      {"[sources.s]\ntype = \"file\"\n", ":2:1: 'type' must be \"directory\", \"sqlite\" or \"command\"", ""},
      {"[sources.s]\ntype = \"directory\"\n", ":1:1: source 's' has no 'path'", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"~/s\"\n", ":3:1: 'path' must be an absolute path", ""},
      {"[sources.s]\ntype = \"sqlite\"\npath = \"/s\"\nexclude = []\n",
       ":4:1: unknown key 'exclude' in a source of type \"sqlite\"", ""},
      {"[sources.s]\ntype = \"command\"\npath = \"/s\"\n", ":3:1: unknown key 'path' in a source of type \"command\"",
       ""},
      {"[sources.s]\ntype = \"command\"\n", ":1:1: source 's' of type \"command\" has no 'command'", ""},
      {"[sources.s]\ntype = \"command\"\ncommand = \"pg_dump | gzip\"\n",
       ":3:1: 'command' must be an array of strings, or an array of such arrays, not a string", "no shell is used"},
      {"[sources.s]\ntype = \"command\"\ncommand = []\n", ":3:1: 'command' has a stage without a program", ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [[\"a\"], []]\n", ":3:1: 'command' has a stage without a program",
       ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [\"\"]\n", ":3:1: 'command' has a stage without a program", ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [\"a\", [\"b\"]]\n", ":3:1: 'command' must be an array of strings",
       ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [\"a\"]\nmax_drop = \"150%\"\n",
       ":4:1: 'max_drop' must be a percentage", ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [\"a\"]\nmax_drop = 0.5\n",
       ":4:1: 'max_drop' must be a string, not a number with a fraction", ""},
      {"[sources.s]\ntype = \"command\"\ncommand = [\"a\"]\nfile_name = \"a/b\"\n",
       ":4:1: 'file_name' must be one name without '/'", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nreread = \"yes\"\n",
       ":4:1: 'reread' must be true or false, not a string", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nexclude = [\"a\", 1]\n",
       ":4:1: 'exclude' must be an array of strings, not an array", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nbusy_timeout = \"5\"\n",
       ":4:1: 'busy_timeout' must be a time", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nbusy_timeout = 5\n",
       ":4:1: 'busy_timeout' must be a string, not a whole number", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nseries = \"a b\"\n", ":4:1: invalid series name 'a b'",
       "a series is"},
      {"[sources.deadbeef]\ntype = \"directory\"\npath = \"/s\"\n", ":1:1: invalid series name 'deadbeef'",
       "a series is"},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\ntags = { a = 1 }\n",
       ":4:10: 'a' must be a string, not a whole number", ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\ntags = { \"a=b\" = \"c\" }\n", ":4:1: invalid tag name 'a=b'",
       ""},
      {"[sources.s]\ntype = \"directory\"\npath = \"/s\"\nhooks = {}\n",
       ":4:1: unknown key 'hooks' in a source of type \"directory\"", ""},
      {sources + "push_to = [\"b\"]\n", ":6:1: 'push_to' names 'b', which is no configured store", "add [stores.b]"},
      {sources + "push_to = [\"a\", \"a\"]\n", ":6:1: 'push_to' names 'a' twice", ""},
      {sources + "store = \"b\"\n", ":6:1: 'store' names 'b', which is no configured store", ""},
      {sources + "store = \"a\"\npush_to = [\"a\"]\n",
       ":7:1: 'push_to' names 'a', the store that source 's' is captured into", ""},
      {"default_store = \"a\"\n" + sources + "push_to = [\"a\"]\n",
       ":7:1: 'push_to' names 'a', the store that source 's' is captured into", ""},
      {sources + "[sources.s.retention]\nkeep_lats = 1\n", ":7:1: unknown key 'keep_lats' in a retention table",
       "did you mean 'keep_last'?"},
      {sources + "[sources.t]\ntype = \"directory\"\npath = \"/t\"\nseries = \"s\"\n",
       ":9:1: sources 's' and 't' have the same series 's'", ""},

      {sources + "[groups.s]\nsources = [\"s\"]\n", ":6:1: 's' is the name of a source, too", ""},
      {sources + "[groups.g]\n", ":6:1: group 'g' has no 'sources'", ""},
      {sources + "[groups.g]\nsources = []\n", ":7:1: group 'g' has no 'sources'", ""},
      {sources + "[groups.g]\nsources = [\"t\"]\n", ":7:1: 'sources' names 't', which is no configured source", ""},
      {sources + "[groups.g]\nsources = [\"s\", \"s\"]\n", ":7:1: 'sources' names 's' twice", ""},
      {sources + "[groups.g]\nsource = [\"s\"]\n", ":7:1: unknown key 'source' in a group", "did you mean 'sources'?"},
  };
  for (const auto& bad : all) {
    INFO(bad.text);
    const Error error = failure(bad.text);
    CHECK(error.kind() == ErrorKind::usage);
    const std::string expected = "/etc/cairn.toml" + bad.message;
    CHECK(error.message().substr(0, expected.size()) == expected);
    CHECK(error.hint().substr(0, bad.hint.size()) == bad.hint);
  }
}

TEST_CASE("config: sources by name and group, each once, in order") {
  const Config config = parse_config(R"(
[sources.a]
type = "directory"
path = "/a"
[sources.b]
type = "directory"
path = "/b"
[sources.c]
type = "directory"
path = "/c"
[groups.node]
sources = ["c", "a"]
)",
                                     "c");
  const auto names = [&](const std::vector<std::string>& wanted) {
    std::string out;
    for (const auto* source : config.select_sources(wanted)) out += source->name;
    return out;
  };
  CHECK(names({}).empty());
  CHECK(names({"b", "a"}) == "ba");
  CHECK(names({"a", "node", "b", "a"}) == "acb");
  try {
    config.select_sources({"nod"});
    FAIL("found");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.message() == "no source 'nod' in the configuration");
    CHECK(error.hint() == "did you mean 'node'?");
  }
}

TEST_CASE("config: the first file there is, is read") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path root = directory.path();
  const fs::path system = root / "etc/cairn.toml";
  std::map<std::string, std::string, std::less<>> variables;
  const EnvironmentLookup environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  const auto loaded = [&](const std::optional<std::string>& option = std::nullopt) {
    return load_config(option, environment, system).file;
  };

  CHECK_FALSE(loaded());
  CHECK(load_config(std::nullopt, environment, system).stores.empty());

  write(system, "");
  CHECK(loaded() == system);
  variables["HOME"] = (root / "home").native();
  CHECK(loaded() == system);
  write(root / "home/.config/cairn/cairn.toml", "");
  CHECK(loaded() == root / "home/.config/cairn/cairn.toml");
  // The specification of XDG: a relative path is ignored, one that is set replaces the default.
  variables["XDG_CONFIG_HOME"] = "relative";
  CHECK(loaded() == root / "home/.config/cairn/cairn.toml");
  variables["XDG_CONFIG_HOME"] = (root / "xdg").native();
  CHECK(loaded() == system);
  write(root / "xdg/cairn/cairn.toml", "");
  CHECK(loaded() == root / "xdg/cairn/cairn.toml");

  variables["CAIRN_CONFIG"] = "";
  CHECK(loaded() == root / "xdg/cairn/cairn.toml");
  variables["CAIRN_CONFIG"] = (root / "named.toml").native();
  CHECK_THROWS_AS(loaded(), Error);
  write(root / "named.toml", "cache_dir = \"/c\"\n");
  CHECK(loaded() == root / "named.toml");
  CHECK(load_config(std::nullopt, environment, system).cache_dir == "/c");

  write(root / "option.toml", "");
  CHECK(loaded((root / "option.toml").native()) == root / "option.toml");
  CHECK_NOTHROW(loaded("/dev/null"));
  try {
    loaded((root / "missing.toml").native());
    FAIL("read");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.message() == "unable to read '" + (root / "missing.toml").native() + "': no such file");
    CHECK(error.hint() == "--config names it");
  }
}

TEST_CASE("config: a file that cannot be read is not passed over") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const EnvironmentLookup environment = [](std::string_view) { return std::optional<std::string>{}; };
  try {
    load_config(std::nullopt, environment, directory.path());  // a directory: not readable even to root
    FAIL("read");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK_FALSE(error.hint().empty());
  }
  write(directory.path() / "big.toml", "#" + std::string(5 << 20, 'x'));
  CHECK_THROWS_AS(load_config((directory.path() / "big.toml").native(), environment), Error);
  write(directory.path() / "bytes.toml", "a = \"\xff\xfe\"\n");
  CHECK_THROWS_AS(load_config((directory.path() / "bytes.toml").native(), environment), Error);
}

TEST_CASE("config: the packaged example and the manual page's are valid") {
  const Config packaged = parse_config(text_of(CAIRN_SOURCE_DIR "/packaging/cairn.toml"), "packaging/cairn.toml");
  const std::string page = text_of(CAIRN_SOURCE_DIR "/man/cairn.toml.5");
  std::vector<Config> shown;
  for (auto at = page.find(".Bd -literal"); at != std::string::npos; at = page.find(".Bd -literal", at + 1)) {
    const auto first_line = page.find('\n', at) + 1;
    shown.push_back(parse_config(page.substr(first_line, page.find(".Ed", at) - first_line), "man/cairn.toml.5"));
  }
  REQUIRE(shown.size() == 5);
  CHECK(shown.at(0).sources.at("app").restore_hooks.after.size() == 2);
  CHECK(shown.at(1).sources.at("app").drill.checks.size() == 2);
  CHECK(shown.at(3).notify.mail == std::vector<std::string>{"ops@example.org"});
  CHECK(shown.at(2).sources.at("app").hooks.finally == Hooks::List{{"systemctl", "start", "app"}});
  for (const Config* config : {&packaged, &std::as_const(shown.back())}) {
    CHECK(config->store("offsite").address.region == "eu-1");
    CHECK(config->sources.at("accounts").guard.max_drop == 0.5);
    CHECK(config->retention.has_rule());
  }
}

TEST_CASE("config: every kind of source has the guards") {
  for (const std::string& kind :
       {std::string{"type = \"directory\"\npath = \"/s\"\n"}, std::string{"type = \"sqlite\"\npath = \"/s\"\n"},
        std::string{"type = \"command\"\ncommand = [\"a\"]\n"}}) {
    CAPTURE(kind);
    const auto plain = parse_config("[sources.s]\n" + kind, "f").sources.at("s").guard;
    CHECK(plain.min_files == 0);
    CHECK(plain.min_size == 0);
    CHECK_FALSE(plain.max_drop);
    CHECK_FALSE(plain.allow_empty);
    const auto guard = parse_config("[sources.s]\n" + kind +
                                        "min_files = 3\nmin_size = \"2 KiB\"\nmax_drop = \"30%\"\nallow_empty = true\n",
                                    "f")
                           .sources.at("s")
                           .guard;
    CHECK(guard.min_files == 3);
    CHECK(guard.min_size == 2048);
    CHECK(guard.max_drop == 0.3);
    CHECK(guard.allow_empty);
  }
}

TEST_CASE("config: a source says from when on it is stale") {
  const std::string source = "[sources.s]\ntype = \"command\"\ncommand = [\"a\"]\nseries = \"t\"\n";
  const auto config = parse_config(source + "max_age = \"26h\"\n", "f");
  CHECK(config.max_age_of("t") == std::chrono::hours{26});
  CHECK_FALSE(config.max_age_of("s"));
  CHECK_FALSE(parse_config(source, "f").max_age_of("t"));
  CHECK(failure(source + "max_age = \"soon\"\n").message().find("'max_age'") != std::string::npos);
}

TEST_CASE("config: the manual page describes every key, and no other") {
  // The keys that each kind of table takes, as the error for an unknown key tells them.
  const std::string nonsense = "\nqqqqqqqqqqqqqqqqqqqq = 1\n";
  std::set<std::string> known;
  for (const std::string& table :
       {std::string{}, std::string{"[stores.a]"}, std::string{"[retention]"}, std::string{"[groups.g]"},
        std::string{"[notify]"}, std::string{"[sources.s]\ntype = \"directory\""},
        std::string{"[sources.s]\ntype = \"sqlite\""}, std::string{"[sources.s]\ntype = \"command\""},
        std::string{"[sources.s]\ntype = \"sqlite\"\npath = \"/s\"\n[sources.s.drill]"}}) {
    const std::string hint = failure(table + nonsense).hint();
    REQUIRE(hint.starts_with("known here: "));
    std::istringstream words(hint.substr(12));
    for (std::string word; std::getline(words, word, ',');) known.insert(word.substr(word.find_first_not_of(' ')));
  }
  // Tables have headings of their own; "sources" is a key of groups, too.
  for (const char* table : {"stores", "groups", "notify"}) CHECK(known.erase(table) == 1);

  std::set<std::string> described;
  std::istringstream page(text_of(CAIRN_SOURCE_DIR "/man/cairn.toml.5"));
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with(".It Ic ")) continue;
    std::istringstream words(line.substr(7));
    for (std::string word; words >> word && word != "No";) {
      if (word != ",") described.insert(word);
    }
  }
  for (const auto& key : known) CHECK_MESSAGE(described.contains(key), "not described: ", key);
  for (const auto& key : described) CHECK_MESSAGE(known.contains(key), "not known: ", key);
}

TEST_CASE("config: root's names programs, so nobody else may write it") {
  if (!test::is_root_for("a configuration that others can write")) return;
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "cairn.toml";
  write_file_atomic(file, as_bytes(""));
  const EnvironmentLookup nothing = [](std::string_view) { return std::nullopt; };
  const auto refusal = [&](const std::optional<std::string>& option, const EnvironmentLookup& environment) {
    try {
      load_config(option, environment, file);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.hint().find("read-only mount") != std::string::npos);
      return e.message();
    }
    return std::string{};
  };
  // However it was found.
  const auto all_refuse = [&](const std::string& cause) {
    const std::string expected =
        "unable to use " + quote(file.native()) + " as root: " + cause + ", and it says which programs root runs";
    CHECK(refusal(file.native(), nothing) == expected);
    CHECK(refusal(std::nullopt, nothing) == expected);
    CHECK(refusal(std::nullopt, [&](std::string_view name) {
            return name == "CAIRN_CONFIG" ? std::optional{file.native()} : std::nullopt;
          }) == expected);
  };
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(refusal(file.native(), nothing).empty());
  REQUIRE(::chmod(file.c_str(), 0664) == 0);
  all_refuse(quote(file.native()) + " can be written by group 0");
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  REQUIRE(::chown(directory.path().c_str(), 65534, 0) == 0);
  all_refuse(quote(directory.path().native()) + " belongs to user 65534");
  REQUIRE(::chown(directory.path().c_str(), 0, 0) == 0);
  CHECK(refusal("/dev/null", nothing).empty());
}

TEST_CASE("config: variables that a command inherits are named, not set") {
  const std::string begin = "[sources.a]\ntype = \"command\"\ncommand = [\"true\"]\nenv = ";
  CHECK(parse_config(begin + "[\"AWS_SESSION_TOKEN\", \"_x1\"]", "c").sources.at("a").env ==
        std::vector<std::string>{"AWS_SESSION_TOKEN", "_x1"});
  for (const char* bad : {"[\"A=b\"]", "[\"1\"]", "[\"\"]", "[\"a b\"]", "\"A\"", "[1]"}) {
    CHECK_THROWS_AS(parse_config(begin + bad, "c"), Error);
  }
  CHECK_THROWS_AS(parse_config("[sources.a]\ntype = \"directory\"\npath = \"/\"\nenv = []", "c"), Error);
}

namespace {

const std::string k_two_sources = R"(
[sources.a]
type = "command"
command = ["a"]
[sources.b]
type = "command"
command = ["b"]
[sources.c]
type = "command"
command = ["c"]
)";

// "g: a b" of each.
std::vector<std::string> names_of(const std::vector<SelectedSources>& selected) {
  std::vector<std::string> out;
  for (const auto& together : selected) {
    std::string text = together.group + ":";
    for (const auto* source : together.sources) text += " " + source->name;
    out.push_back(text);
  }
  return out;
}

}  // namespace

TEST_CASE("config: groups are done together, and a source where it is named first") {
  using Names = std::vector<std::string>;
  const auto config =
      parse_config(k_two_sources + "[groups.g]\nsources = [\"c\", \"a\"]\n[groups.h]\nsources = [\"a\", \"c\"]\n", "f");
  CHECK(names_of(config.select_groups({"a", "b", "g"})) == Names{": a b", "g: c"});
  CHECK(names_of(config.select_groups({"g", "b", "a"})) == Names{"g: c a", ": b"});
  CHECK(names_of(config.select_groups({"g", "h", "b"})) == Names{"g: c a", ": b"});
  CHECK(names_of(config.all_groups()) == Names{"g: c a", ": b"});
  CHECK(parse_config("", "f").all_groups().empty());
}

TEST_CASE("config: programs around runs, groups and sources are argument lists") {
  const auto config = parse_config(R"(before = [["a", "b c"], ["d"]]
hook_timeout = "2m"
finally = []
)" + k_two_sources + R"(after = [["e"]]
failed = [["f"]]
[sources.d]
type = "directory"
path = "/d"
hook_timeout = "5s"
[groups.g]
sources = ["a"]
finally = [["g", ""]]
)",
                                   "f");
  CHECK(config.hooks.before == Hooks::List{{"a", "b c"}, {"d"}});
  CHECK(config.hooks.finally.empty());
  CHECK(config.sources.at("a").hooks.empty());
  CHECK(config.sources.at("c").hooks.after == Hooks::List{{"e"}});
  CHECK(config.sources.at("c").hooks.failed == Hooks::List{{"f"}});
  CHECK(config.sources.at("c").hooks.timeout == std::chrono::minutes{2});
  CHECK(config.sources.at("d").hooks.timeout == std::chrono::seconds{5});
  CHECK(config.groups.at("g").hooks.finally == Hooks::List{{"g", ""}});
  CHECK(config.groups.at("g").hooks.timeout == std::chrono::minutes{2});
  CHECK(parse_config("", "f").hooks.timeout == k_hook_timeout);

  const auto restores = parse_config("hook_timeout = \"2m\"\n" + k_two_sources + R"(before = [["b"]]
hook_timeout = "3m"
[sources.c.restore]
before = [["r", "1"]]
after = [["s"]]
failed = [["t"]]
[sources.d]
type = "directory"
path = "/d"
restore.hook_timeout = "7s"
)",
                                     "f");
  const Hooks& around = restores.sources.at("c").restore_hooks;
  CHECK(around.before == Hooks::List{{"r", "1"}});
  CHECK(around.after == Hooks::List{{"s"}});
  CHECK(around.failed == Hooks::List{{"t"}});
  CHECK(around.timeout == std::chrono::minutes{3});
  CHECK(restores.sources.at("a").restore_hooks.empty());
  CHECK(restores.sources.at("a").restore_hooks.timeout == std::chrono::minutes{2});
  CHECK(restores.sources.at("d").restore_hooks.timeout == std::chrono::seconds{7});
  CHECK(failure("[sources.a]\ntype = \"directory\"\npath = \"/a\"\nrestore.finally = [[\"x\"]]")
            .message()
            .find("unknown key 'finally'") != std::string::npos);

  for (const char* wrong : {"[\"mountpoint\", \"-q\"]", "\"mountpoint -q\"", "[[\"a\"], \"b\"]", "[[1]]"}) {
    const auto e = failure(std::string{"before = "} + wrong);
    CHECK(e.message() == "/etc/cairn.toml:1:1: 'before' must be an array of arrays of strings");
    CHECK(e.hint() == "no shell is used: write before = [[\"program\", \"argument\"]]");
  }
  CHECK(failure("after = [[]]").message() == "/etc/cairn.toml:1:1: 'after' has an entry without a program");
  CHECK(failure("failed = [[\"\", \"a\"]]").message() ==
        "/etc/cairn.toml:1:1: 'failed' has an entry without a program");
  for (const char* wrong : {"\"0s\"", "\"soon\"", "\"2y\""}) {
    CHECK(failure(std::string{"hook_timeout = "} + wrong).message().find("'hook_timeout' must be a time above") !=
          std::string::npos);
  }
}

TEST_CASE("config: who is told, and of what") {
  const auto config = parse_config(R"([notify]
on = ["failure", "stale"]
ping = "https://ping.example.net/ID"
webhook_file = "/etc/cairn/webhook"
ca_file = "/etc/cairn/ca.pem"
command = ["/usr/local/bin/tell", "a b"]
mail = ["root", "ops@example.org"]
mail_from = "cairn@example.org"
sendmail = "/usr/bin/msmtp"
remind = "1d"
timeout = "30s"
)",
                                   "f");
  const NotifySettings& notify = config.notify;
  CHECK(notify.on == std::set{NotifyEvent::failure, NotifyEvent::stale});
  CHECK(notify.ping->text() == "https://ping.example.net/ID");
  CHECK(notify.ca_file == "/etc/cairn/ca.pem");
  CHECK(notify.webhook_file == "/etc/cairn/webhook");
  CHECK(notify.command == std::vector<std::string>{"/usr/local/bin/tell", "a b"});
  CHECK(notify.mail == std::vector<std::string>{"root", "ops@example.org"});
  CHECK(notify.mail_from == "cairn@example.org");
  CHECK(notify.sendmail == "/usr/bin/msmtp");
  CHECK(notify.remind == std::chrono::days{1});
  CHECK(notify.timeout == std::chrono::seconds{30});
  CHECK(parse_config("", "f").notify.on.size() == 3);
  CHECK_FALSE(parse_config("[notify]\n", "f").notify.has_ways());

  const std::vector<Bad> wrong{
      {"ping = \"ftp://secret\"", "2:1: invalid URL: it does not begin", "it is as https"},
      {"webhook = \"https://h/sec ret\"", "2:1: invalid URL: it has a character that", ""},
      {"ping = \"https://h/secret\"\nping_file = \"/f\"", "3:1: 'ping' and 'ping_file' exclude each other", ""},
      {"webhook = \"https://h/secret\"\nwebhook_file = \"/f\"", "3:1: 'webhook' and 'webhook_file' exclude", ""},
      {"ping_file = \"secret\"", "2:1: ", ""},
      {"on = [\"failures\"]", "2:1: 'on' has 'failures', which is no event", "events are"},
      {"on = [\"stale\", \"stale\"]", "2:1: 'on' names 'stale' twice", ""},
      {"on = \"failure\"", "2:1: ", ""},
      {"command = [\"\"]", "2:1: 'command' has an empty string in it", ""},
      {"command = \"tell me\"", "2:1: ", ""},
      {"mail = [\"a@b\\nBcc: c@d\"]", "2:1: 'mail' has ", "it is as ops@example.org"},
      {"mail_from = \"Cairn <a@b>\"", "2:1: 'mail_from' has ", ""},
      {"sendmail = \"msmtp\"", "2:1: ", ""},
      {"remind = \"1s\"", "2:1: 'remind' must be a time from 1m to a year", ""},
      {"timeout = \"1h\"", "2:1: 'timeout' must be a time from 1s to 10m", ""},
      {"pings = 1", "2:1: ", ""},
  };
  for (const auto& [text, message, hint] : wrong) {
    const auto e = failure("[notify]\n" + text);
    CHECK_MESSAGE(e.message().starts_with("/etc/cairn.toml:" + message), e.message());
    CHECK_MESSAGE(e.hint().starts_with(hint), e.hint());
    CHECK_MESSAGE((e.message() + e.hint()).find("/sec") == std::string::npos, e.message());
  }
}

TEST_CASE("config: what a run verifies and prunes") {
  CHECK(parse_config("", "f").verify == VerifyLevel::quick);
  const auto config =
      parse_config("verify = \"sample\"\n[stores.s]\nurl = \"/s\"\nprune = true\n[stores.t]\nurl = \"/t\"\n" +
                       k_two_sources + "verify = \"none\"\n",
                   "f");
  CHECK(config.sources.at("a").verify == VerifyLevel::sample);
  CHECK_FALSE(config.sources.at("c").verify);
  CHECK(config.stores.at("s").prune);
  CHECK_FALSE(config.stores.at("t").prune);
  CHECK(failure("verify = \"full\"").message() ==
        "/etc/cairn.toml:1:1: 'verify' must be \"quick\", \"sample\" or \"none\"");
}

TEST_CASE("config: drills of a source") {
  const auto config = parse_config(k_two_sources + R"(max_recovery_time = "5m"
drill_every = "7d"
[sources.c.drill]
max_row_drop = "10%"
timeout = "90s"
checks = [{ command = ["a", "b c"], output = "ok" }, { command = ["d"], status = 3 }]
)",
                                   "f");
  const DrillConfig& drill = config.sources.at("c").drill;
  CHECK(drill.max_recovery_time == std::chrono::minutes{5});
  CHECK(drill.every == std::chrono::days{7});
  CHECK(drill.limits.max_row_drop == 0.1);
  CHECK(drill.limits.max_size_drop == 0.5);
  CHECK(drill.timeout == std::chrono::seconds{90});
  REQUIRE(drill.checks.size() == 2);
  CHECK(drill.checks[0].argv == std::vector<std::string>{"a", "b c"});
  CHECK(drill.checks[0].output == "ok");
  CHECK(drill.checks[1].status == 3);
  CHECK_FALSE(config.sources.at("a").drill.every);
  CHECK(config.sources.at("a").drill.timeout == k_drill_timeout);
  for (const char* wrong :
       {"max_recovery_time = \"0s\"", "drill_every = \"often\"", "drill = { max_row_drop = \"half\" }",
        "drill = { checks = [{ output = \"ok\" }] }", "drill = { checks = [{ command = [\"\"] }] }",
        "drill = { checks = [{ command = [\"a\"], status = 256 }] }", "drill = { checks = [[\"a\"]] }",
        "drill = { every = \"7d\" }"}) {
    CAPTURE(wrong);
    CHECK(failure(k_two_sources + wrong).kind() == ErrorKind::usage);
  }
}
