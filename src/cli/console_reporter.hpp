// Messages by the log output, progress on standard error and to the service manager.
#pragma once

#include "cli/log_output.hpp"
#include "util/error.hpp"
#include "util/log.hpp"
#include "util/service_manager.hpp"

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
  // All must outlive it. manager: null where nobody has to know how far the work is.
  ConsoleReporter(std::ostream& err, LogOutput& log, Level level, Progress progress, ServiceManager* manager = nullptr);

  void warning(const std::string& message) override;
  void info(const std::string& message) override;
  void progress(const char* what, std::uint64_t done, std::uint64_t total) override;
  // Of a failure that does not end the program.
  void error(const Error& error);
  // The source that messages are about from now on; empty: none.
  void set_source(const std::string& source);
  // Whether every line on standard error is this program's own, in a form of its own.
  bool has_form() const noexcept { return m_log.form() != LogOutput::Form::people || m_log.has_file(); }
  // A line on standard output belongs into the log file, too.
  void said(const std::string& line) { m_log.add_to_file(LogLevel::info, line); }
  // A line of standard output as it is to be where that is the journal.
  std::string line_for_journal(std::string_view line) const { return m_log.line_for_journal(LogLevel::info, line); }
  // A line for people that is neither a warning nor too much said; not at Level::quiet.
  void note(const std::string& message);
  // A line that another program printed, "cairn: [PREFIX] LINE", whatever the level.
  void pass_on(std::string_view prefix, std::string_view line);
  // Removes the progress line.
  void clear_progress();

 private:
  void clear_line();
  void print(LogLevel level, const std::string& message, const std::string& hint = {});

  std::ostream& m_err;
  LogOutput& m_log;
  Level m_level;
  Progress m_progress;
  ServiceManager* m_manager;
  std::mutex m_mutex;
  bool m_drawn = false;
  std::string m_what;  // of the phase under way
  std::chrono::steady_clock::time_point m_begin{};
  std::chrono::steady_clock::time_point m_last{};
  std::chrono::steady_clock::time_point m_next_status{};
  std::uint64_t m_begin_done = 0;
  std::string m_source;
};

// "reading 1.5 GiB of 3.0 GiB (50 %), 210 MiB/s, 7 s to go". elapsed: since done was begin_done. Pure.
std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::uint64_t begin_done,
                          std::chrono::nanoseconds elapsed);

}  // namespace cairn
