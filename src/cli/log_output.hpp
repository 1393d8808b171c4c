// Where messages go: standard error, as people, the journal or a program reads it, and the file of --log-file.
#pragma once

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

namespace cairn {

// By the numbers of syslog(3).
enum class LogLevel { error = 3, warning = 4, info = 6 };

// Thread-safe. Text is made safe for terminals, and secret keys are taken out of it.
class LogOutput {
 public:
  enum class Form {
    people,   // "cairn: warning: MESSAGE", a hint on a line of its own
    journal,  // the same with the level as sd-daemon(3) has it, and the run's id: "<4>cairn[1a2b3c4d]: warning:
              // MESSAGE"
    json,     // an object a line: time, level, run, source, message, hint
  };
  LogOutput(std::ostream& err, Form form, std::string run_id, std::function<Time()> clock);

  // From now on messages go to the end of that file, too, with time and run id, or as JSON with Form::json. It is made
  // with permissions 0600 where it is not there. Error(usage) where it cannot be opened.
  void open_file(const fs::path& file);
  bool has_file() const noexcept { return static_cast<bool>(m_file); }
  Form form() const noexcept { return m_form; }

  // The source that messages are about from now on; empty: none.
  void set_source(std::string source);
  void add(LogLevel level, std::string_view message, std::string_view hint = {});
  void add(const Error& error) { add(LogLevel::error, error.message(), error.hint()); }
  // To the file alone: what is printed on standard output, or left out as --quiet wants it.
  void add_to_file(LogLevel level, std::string_view message);
  // A line as Form::journal has it, without its end.
  std::string line_for_journal(LogLevel level, std::string_view text) const;

 private:
  struct Message {
    LogLevel level;
    std::string text;
    std::string hint;
  };
  std::string json_of(const Message& message) const;
  void write_error(const Message& message);
  void write_file(const Message& message);

  std::ostream& m_err;
  Form m_form;
  std::string m_run_id;
  std::function<Time()> m_clock;
  std::mutex m_mutex;
  std::string m_source;
  fs::path m_path;
  UniqueFd m_file;
  bool m_file_failed = false;
};

}  // namespace cairn
