#include "cli/console_reporter.hpp"

#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

using std::chrono::duration;
using std::chrono::steady_clock;

namespace {

// Between two lines that the service manager shows of the progress.
constexpr std::chrono::seconds k_status_pause{1};

}  // namespace

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::uint64_t begin_done,
                          std::chrono::nanoseconds elapsed) {
  std::string text = fmt::format("{} {}", what, format_size(done));
  if (total >= done && total > 0) {
    text += fmt::format(" of {} ({:.0f} %)", format_size(total),
                        100.0 * static_cast<double>(done) / static_cast<double>(total));
  }
  const double seconds = duration<double>(elapsed).count();
  // A rate of the first moments tells nothing.
  if (seconds < 1 || done <= begin_done) return text;
  const double rate = static_cast<double>(done - begin_done) / seconds;
  text += fmt::format(", {}/s", format_size(static_cast<std::uint64_t>(rate)));
  if (total > done) {
    const auto left = static_cast<std::int64_t>(static_cast<double>(total - done) / rate) + 1;
    text += fmt::format(", {} to go", format_duration(std::chrono::seconds{left}));
  }
  return text;
}

ConsoleReporter::ConsoleReporter(std::ostream& err, LogOutput& log, Level level, Progress progress,
                                 ServiceManager* manager)
    : m_err(err), m_log(log), m_level(level), m_progress(progress), m_manager(manager) {}

void ConsoleReporter::clear_line() {
  if (m_drawn) m_err << "\r\x1b[K";
  m_drawn = false;
}

void ConsoleReporter::clear_progress() {
  const std::scoped_lock lock{m_mutex};
  clear_line();
  m_err.flush();
}

void ConsoleReporter::print(LogLevel level, const std::string& message, const std::string& hint) {
  const std::scoped_lock lock{m_mutex};
  clear_line();
  m_log.add(level, message, hint);
}

void ConsoleReporter::error(const Error& error) {
  print(LogLevel::error, error.message(), error.hint());
}

void ConsoleReporter::warning(const std::string& message) {
  print(LogLevel::warning, message);
}

void ConsoleReporter::info(const std::string& message) {
  if (m_level == Level::verbose) print(LogLevel::info, message);
}

void ConsoleReporter::note(const std::string& message) {
  if (m_level != Level::quiet) return print(LogLevel::info, message);
  m_log.add_to_file(LogLevel::info, message);
}

void ConsoleReporter::pass_on(std::string_view prefix, std::string_view line) {
  std::string text = fmt::format("[{}] {}", prefix, line);
  // A tab between columns becomes a space here.
  std::replace(text.begin(), text.end(), '\t', ' ');
  print(LogLevel::info, text);
}

void ConsoleReporter::set_source(const std::string& source) {
  m_log.set_source(source);
  const std::scoped_lock lock{m_mutex};
  m_source = source;
  if (m_manager != nullptr && !source.empty()) m_manager->set_status(source);
}

void ConsoleReporter::progress(const char* what, std::uint64_t done, std::uint64_t total) {
  if (m_progress == Progress::no && m_manager == nullptr) return;
  const std::scoped_lock lock{m_mutex};
  const auto now = steady_clock::now();
  if (m_what != what) {
    m_what = what;
    m_begin = now;
    m_begin_done = done;
  } else if (now - m_last < std::chrono::milliseconds{100}) {
    return;
  }
  m_last = now;
  const std::string text = progress_text(m_what, done, total, m_begin_done, now - m_begin);
  if (m_manager != nullptr && now >= m_next_status) {
    m_next_status = now + k_status_pause;
    m_manager->set_status(m_source.empty() ? text : fmt::format("{}: {}", m_source, text));
  }
  if (m_progress == Progress::no) return;
  clear_line();
  m_err << text;
  m_err.flush();
  m_drawn = true;
}

}  // namespace cairn
