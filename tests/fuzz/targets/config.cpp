// The configuration file.
#include "cli/config.hpp"

#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  try {
    const Config config = parse_config(input, "cairn.toml");
    for (const auto& [name, source] : config.sources) {
      require(name == source.name && !source.series.empty(), "a source has its name and a series");
      require(source.type == SourceKind::command ? !source.stages.empty() : source.path.is_absolute(),
              "a source has what it is captured from");
      static_cast<void>(config.retention_of(source.series));
    }
    for (const auto& [name, group] : config.groups) {
      require(!config.select_sources({name}).empty() || group.sources.empty(), "a group means its sources");
    }
    for (const auto& [name, store] : config.stores) require(!store.address.url.empty(), "a store is somewhere");
  } catch (const Error& e) {
    fuzz::check_error(e, {ErrorKind::usage});
    require(e.message().starts_with("cairn.toml:"), "a message says where");
  }
}

std::vector<std::string> seeds() {
  return {R"(default_store = "local"
time_zone = "Europe/Berlin"
identity = "/etc/cairn/identity"
signing_key = "/etc/cairn/key.pem"
cache_dir = "/var/cache/cairn"
state_dir = "/var/lib/cairn"
spool_dir = "/var/spool"
spool_size = "10G"
spool_full = "fail"
[stores.local]
url = "/var/lib/cairn"
[stores.offsite]
url = "s3://backups/corrosion"
endpoint = "https://s3.example.net"
region = "eu-1"
recipients = [")" +
              fuzz::fixed_identity().recipient().text() +
              R"("]
trusted_keys = [{ key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", series = "*" }]
[sources.state]
type = "sqlite"
path = "/var/lib/corrosion/state.db"
push_to = ["offsite"]
busy_timeout = "5s"
lock_budget = "5s"
[sources.state.retention]
keep_last = 24
keep_daily = 14
keep_within = "7d"
[sources.etc]
type = "directory"
path = "/etc"
exclude = ["*.tmp", "!a/b"]
one_file_system = true
tags = { why = "drill" }
[sources.dump]
type = "command"
command = [["pg_dump", "app"], ["gzip"]]
min_size = "1M"
max_drop = "50%"
[groups.node]
sources = ["state", "dump"]
)",
          "[retention]\nkeep_last = 3\nminimum = 1\n", "a = [1, 2.5, true, 1979-05-27T07:32:00Z, {x = 'y'}]\n"};
}

const fuzz::Registration k_registration{{"config", run, seeds}};

}  // namespace
