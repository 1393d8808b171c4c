// The engine's messages while it works. The command line gives the implementation; the engine never prints.
#pragma once

#include <cstdint>
#include <string>

namespace cairn {

// Thread-safe. Warnings are for people (standard error); nothing that changes the result is only logged.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void warning(const std::string& message) = 0;
  virtual void info(const std::string& message) = 0;  // shown with --verbose
  // Progress: an amount done out of a total that is 0 while unknown; unit is bytes. Called often; cheap.
  virtual void progress(const char* what, std::uint64_t done, std::uint64_t total) = 0;
};

class SilentReporter : public Reporter {
 public:
  void warning(const std::string&) override {}
  void info(const std::string&) override {}
  void progress(const char*, std::uint64_t, std::uint64_t) override {}
};

}  // namespace cairn
