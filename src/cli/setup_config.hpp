// From the answers of somebody who sets the program up to a configuration and a timer. Pure, but for looking at
// sources.
#pragma once

#include "util/file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct SetupSource {
  std::string name;
  std::string type;  // directory, sqlite, command
  fs::path path;     // absolute; empty: it is a command
  std::vector<std::string> command;
};

struct SetupStore {
  std::string name;
  std::string url;  // absolute path, or s3://
};

// How often, and what follows from it.
struct Rhythm {
  const char* name;      // "hourly"
  const char* calendar;  // systemd.time(7)
  const char* cron;      // the five fields
  const char* max_age;   // beyond which a source is stale
};
// Error(usage) for a word that is none: hourly, daily or weekly.
const Rhythm& rhythm_of(const std::string& word);

struct SetupAnswers {
  std::vector<SetupSource> sources;
  std::vector<SetupStore> stores;       // sources are captured into the first, and pushed to the others
  std::vector<std::string> recipients;  // empty: nothing is encrypted
  fs::path identity;                    // where this host has it; empty: it has none
  fs::path signing_key;                 // empty: nothing is signed
  std::string public_key;               // of it
  Rhythm rhythm{};
};

// A source of that path: a database by its first bytes, else a directory. Its name is the last component, as far as it
// can be one; taken: names that others have. Error(usage) where there is nothing.
SetupSource source_of_path(const std::string& path, const std::vector<SetupSource>& taken);
SetupSource source_of_command(const std::vector<std::string>& command, const std::vector<SetupSource>& taken);
// "local" for a directory, "offsite" for a bucket, with a number where it is taken. Error(usage) for what is no
// address.
SetupStore store_of(const std::string& address, const std::vector<SetupStore>& taken);

std::string config_text(const SetupAnswers& answers);
// Drop-ins of cairn-run.timer and cairn-run.service; empty: as they are shipped is right.
std::string timer_drop_in(const SetupAnswers& answers);
std::string service_drop_in(const SetupAnswers& answers);
std::string cron_line(const SetupAnswers& answers, const fs::path& config, bool is_root);

}  // namespace cairn
