#include "cli/log_output.hpp"

#include "util/beneath.hpp"
#include "util/json.hpp"
#include "util/secret_text.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

const char* level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      break;
  }
  return "info";
}

std::string made_safe(std::string_view text) {
  return terminal_safe(without_secret_keys(text));
}

// Lines, each with its prefix; what goes without saying has no level.
std::string lines(LogLevel level, const std::string& text, const std::string& hint, const std::string& prefix,
                  const std::string& hint_prefix) {
  const std::string word = level == LogLevel::info ? "" : fmt::format("{}: ", level_name(level));
  std::string out = fmt::format("{}{}{}\n", prefix, word, text);
  if (!hint.empty()) out += fmt::format("{}hint: {}\n", hint_prefix, hint);
  return out;
}

}  // namespace

LogOutput::LogOutput(std::ostream& err, Form form, std::string run_id, std::function<Time()> clock)
    : m_err(err), m_form(form), m_run_id(std::move(run_id)), m_clock(std::move(clock)) {}

void LogOutput::open_file(const fs::path& file) {
  refuse_secret(file.native(), "--log-file");
  try {
    m_file = cairn::open_file(file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0600);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, error.message(), "--log-file names it");
  }
  m_path = file;
}

void LogOutput::set_source(std::string source) {
  const std::scoped_lock lock{m_mutex};
  m_source = std::move(source);
}

std::string LogOutput::json_of(const Message& message) const {
  JsonWriter to;
  to.begin_object().member("time", format_time(m_clock())).member("level", level_name(message.level));
  to.member("run", m_run_id).key("source");
  m_source.empty() ? to.null() : to.value(terminal_safe(m_source));
  to.member("message", message.text).key("hint");
  message.hint.empty() ? to.null() : to.value(message.hint);
  to.end_object();
  return to.text() + '\n';
}

std::string LogOutput::line_for_journal(LogLevel level, std::string_view text) const {
  return fmt::format("<{}>cairn[{}]: {}", static_cast<int>(level), m_run_id, text);
}

void LogOutput::write_error(const Message& message) {
  switch (m_form) {
    case Form::people:
      m_err << lines(message.level, message.text, message.hint, "cairn: ", "");
      break;
    case Form::journal: {
      const std::string prefix = line_for_journal(message.level, "");
      m_err << lines(message.level, message.text, message.hint, prefix, prefix);
      break;
    }
    case Form::json:
      m_err << json_of(message);
      break;
  }
  m_err.flush();
}

// In one write: several processes may have one file.
void LogOutput::write_file(const Message& message) {
  if (!m_file) return;
  std::string text;
  if (m_form == Form::json) {
    text = json_of(message);
  } else {
    const std::string prefix = fmt::format("{} {} ", format_time(m_clock()), m_run_id);
    text = lines(message.level, message.text, message.hint, prefix, prefix);
  }
  const ssize_t written = retry_interrupted([&] { return ::write(m_file.get(), text.data(), text.size()); });
  if (written == static_cast<ssize_t>(text.size()) || m_file_failed) return;
  m_file_failed = true;
  write_error({LogLevel::warning,
               fmt::format("unable to write the log file {}: {}; it is not complete", quote(m_path.native()),
                           written < 0 ? errno_text(errno) : "a line was cut short"),
               {}});
}

void LogOutput::add(LogLevel level, std::string_view message, std::string_view hint) {
  const Message safe{level, made_safe(message), made_safe(hint)};
  const std::scoped_lock lock{m_mutex};
  write_error(safe);
  write_file(safe);
}

void LogOutput::add_to_file(LogLevel level, std::string_view message) {
  if (!m_file) return;
  const Message safe{level, made_safe(message), {}};
  const std::scoped_lock lock{m_mutex};
  write_file(safe);
}

}  // namespace cairn
