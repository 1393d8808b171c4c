// The configuration file: what cairn.toml(5) says, as types. Everything works without one, too.
#pragma once

#include "capture/source_kind.hpp"
#include "engine/drill/drill_command.hpp"
#include "engine/drill/drill_comparison.hpp"
#include "engine/notify/settings.hpp"
#include "engine/prune/retention.hpp"
#include "engine/run/hooks.hpp"
#include "engine/snapshot/size_guard.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/trust.hpp"
#include "store/store_address.hpp"
#include "util/environment.hpp"
#include "util/file.hpp"
#include "util/spool_directory.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct StoreConfig {
  std::string name;  // empty for one that is no part of the configuration
  StoreAddress address;
  std::optional<std::string> store_id;  // of the store that must be there
  std::vector<std::string> recipients;  // age1..., ascending: it must be encrypted to exactly these
  std::vector<TrustedKey> trusted_keys;
  std::vector<RevokedKey> revoked_keys;
  bool prune = false;  // by cairn run
};

// How the restores of a source are rehearsed.
struct DrillConfig {
  std::optional<Nanoseconds> max_recovery_time;  // a restore that takes longer fails
  std::optional<Nanoseconds> every;              // by cairn run; nothing: never
  DrillLimits limits;
  std::vector<DrillCommand> checks;
  Nanoseconds timeout = k_drill_timeout;  // of each of them
};

struct SourceConfig {
  std::string name;
  SourceKind type = SourceKind::directory;
  std::string series;  // the source's name where the file names none
  std::map<std::string, std::string> tags;
  std::optional<std::string> store;  // into which it is captured; else --store, CAIRN_STORE, default_store
  std::vector<std::string> push_to;  // names of stores, in the order of the file
  std::optional<RetentionPolicy> retention;
  SizeGuard guard;
  std::optional<Nanoseconds> max_age;  // beyond which its newest snapshot is stale
  std::optional<VerifyLevel> verify;   // by cairn run: its own level or the general one; nothing: none
  Hooks hooks;                         // with the general timeout where it has none of its own
  Hooks restore_hooks;                 // around restores of its snapshots; likewise
  DrillConfig drill;

  // directory and sqlite
  fs::path path;  // absolute
  std::optional<std::chrono::milliseconds> busy_timeout;
  std::optional<std::chrono::milliseconds> lock_budget;
  bool assume_local = false;
  // directory
  std::vector<std::string> exclude;
  std::vector<std::string> include;
  bool one_file_system = false;
  bool exclude_caches = false;
  bool reread = false;
  // command
  std::vector<std::vector<std::string>> stages;  // one argument vector for each stage of the pipeline
  std::vector<std::string> env;                  // variables with secrets that the command inherits all the same
  std::optional<std::string> file_name;          // of the one file in the snapshot
};

// "50%": the share by which a source may shrink. Nothing where it is no percentage from 0 to 100.
std::optional<double> parse_percentage(std::string_view text);

struct GroupConfig {
  std::string name;
  std::vector<std::string> sources;
  Hooks hooks;
};

// Sources that are done together: those of one operand, or one group.
struct SelectedSources {
  std::string group;  // empty: they are named alone
  std::vector<const SourceConfig*> sources;
};

struct SpoolConfig {
  std::optional<fs::path> dir;
  std::optional<std::uint64_t> size;  // bytes
  SpoolFull full = SpoolFull::stream;
};

struct Config {
  std::optional<fs::path> file;  // where it was read from
  std::optional<std::string> default_store;
  std::optional<fs::path> cache_dir;
  std::optional<fs::path> state_dir;
  std::optional<fs::path> identity;     // an age identity file
  std::optional<fs::path> signing_key;  // PKCS#8 PEM
  SpoolConfig spool;
  // Of all policies, those of the sources too, and of those that flags give.
  std::string time_zone;
  std::optional<VerifyLevel> verify = VerifyLevel::quick;  // by cairn run; nothing: none
  Hooks hooks;
  NotifySettings notify;
  RetentionPolicy retention;  // of every series whose source has none of its own
  std::map<std::string, StoreConfig> stores;
  std::map<std::string, SourceConfig> sources;
  std::map<std::string, GroupConfig> groups;

  // The store of that name, else the address that the text is.
  StoreConfig store(const std::string& name_or_url) const;
  // The policy that holds for a series: of the source that has it, else the general one.
  const RetentionPolicy& retention_of(std::string_view series) const;
  // The source that has a series; null where none has.
  const SourceConfig* source_of(std::string_view series) const;
  // The age beyond which the newest snapshot of a series is stale; nothing where its source, if there is one, has no
  // limit.
  std::optional<Nanoseconds> max_age_of(std::string_view series) const;
  // The sources that the names mean, each once, in their order; a group means all of its sources. Throws Error(usage)
  // naming the closest known name.
  std::vector<const SourceConfig*> select_sources(const std::vector<std::string>& names) const;
  // The same, by groups, none of them empty: a source that several names mean is where the first of them has it.
  std::vector<SelectedSources> select_groups(const std::vector<std::string>& names) const;
  // Everything: every group in the order of names, then the sources that are in none.
  std::vector<SelectedSources> all_groups() const;
};

// file_name is for messages only. Throws Error(usage), "FILE:LINE:COLUMN: cause".
Config parse_config(std::string_view text, const std::string& file_name);

// Reads the first there is of: option (--config), CAIRN_CONFIG, $XDG_CONFIG_HOME/cairn/cairn.toml (XDG_CONFIG_HOME is
// $HOME/.config where unset or relative), system_file. The first two must exist. Without any file, an empty Config.
// Throws Error(usage); for root also where others can change the file, which says what programs to run.
Config load_config(const std::optional<std::string>& option, const EnvironmentLookup& environment,
                   const fs::path& system_file = "/etc/cairn/cairn.toml");

}  // namespace cairn
