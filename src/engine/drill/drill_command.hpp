// Programs that a drill runs on what was restored: the user's own checks, and pg_restore.
#pragma once

#include "repo/drill_record.hpp"
#include "util/file.hpp"
#include "util/log.hpp"
#include "util/time.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

struct DrillCommand {
  std::vector<std::string> argv;      // not empty
  std::optional<std::string> output;  // what it has to print, without blanks at the ends; nothing: anything
  int status = 0;                     // that it has to end with
};

inline constexpr std::chrono::minutes k_drill_timeout{10};

// One thread.
class DrillCommands {
 public:
  // directory: where they run, in which the restored files lie. environment: added to their own, which has no secrets.
  // Without a network, where this system can take it away (network namespaces, unshare(1)): else that is told once.
  DrillCommands(Reporter& reporter, fs::path directory, std::vector<std::pair<std::string, std::string>> environment,
                Nanoseconds timeout);

  // name: of the check. Throws Error(interrupted).
  DrillCheck run(const std::string& name, const DrillCommand& command);

  struct Printed {
    std::vector<std::string> lines;
    std::optional<std::string> failure;  // why it did not end well
  };
  Printed output_of(const std::vector<std::string>& argv, int status = 0);

 private:
  std::vector<std::string> without_network(std::vector<std::string> argv);

  Reporter& m_reporter;
  fs::path m_directory;
  std::vector<std::pair<std::string, std::string>> m_environment;
  Nanoseconds m_timeout;
  std::optional<std::vector<std::string>> m_wrapper;  // what takes the network away; nothing: not looked for yet
};

}  // namespace cairn
