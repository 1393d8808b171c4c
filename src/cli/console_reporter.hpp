// Warnings and progress on standard error.
#pragma once

#include "util/log.hpp"

#include <chrono>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

namespace cairn {

// Progress is one line that is written over, with rate and time to go; it is drawn at most ten times a second and
// removed before anything else is printed.
class ConsoleReporter : public Reporter {
 public:
  enum class Level { quiet, normal, verbose };
  enum class Progress { no, yes };
  ConsoleReporter(std::ostream& err, Level level, Progress progress);

  void warning(const std::string& message) override;
  void info(const std::string& message) override;
  void progress(const char* what, std::uint64_t done, std::uint64_t total) override;
  // A line for people that is neither a warning nor too much said; not at Level::quiet.
  void note(const std::string& message);
  // A line that another program printed, "cairn: [PREFIX] LINE", whatever the level.
  void pass_on(std::string_view prefix, std::string_view line);
  // Removes the progress line.
  void clear_progress();

 private:
  void clear_line();
  void print(const std::string& message);

  std::ostream& m_err;
  Level m_level;
  Progress m_progress;
  std::mutex m_mutex;
  bool m_drawn = false;
  std::string m_what;  // of the phase under way
  std::chrono::steady_clock::time_point m_begin{};
  std::chrono::steady_clock::time_point m_last{};
  std::uint64_t m_begin_done = 0;
};

// "reading 1.5 GiB of 3.0 GiB (50 %), 210 MiB/s, 7 s to go". elapsed: since done was begin_done. Pure.
std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::uint64_t begin_done,
                          std::chrono::nanoseconds elapsed);

}  // namespace cairn
