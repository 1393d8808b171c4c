#include "capture/command_source.hpp"

#include "capture/metadata.hpp"
#include "util/error.hpp"
#include "util/process.hpp"

#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

std::int64_t now_nanoseconds() {
  const Time now = std::chrono::system_clock::now();
  return now.time_since_epoch().count();
}

// The last line of text that says something, safe for a terminal; empty where there is none.
std::string last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const std::size_t begin = text.rfind('\n');
  return terminal_safe(begin == std::string_view::npos ? text : text.substr(begin + 1));
}

class CommandContent : public Content {
 public:
  explicit CommandContent(std::shared_ptr<CommandSource::State> state)
      : m_state(std::move(state)),
        m_pipeline(m_state->options.stages,
                   {.environment = {},
                    .secrets = m_state->options.secrets,
                    .standard_error = ProcessOptions::StandardError::tail,
                    .errors = m_state->options.errors,
                    .standard_input = m_state->options.inherits_input ? ProcessOptions::StandardInput::inherit
                                                                      : ProcessOptions::StandardInput::none}) {}

  ChunkRule rule() const override { return {ChunkRule::Kind::stream, 0}; }
  std::uint64_t expected_size() const override { return 0; }

  Piece read(ByteSpan out) override {
    const std::size_t n = m_pipeline.read(out);
    return n == 0 ? Piece{} : Piece{Piece::Kind::data, n};
  }

  Outcome finish() override {
    const auto ends = m_pipeline.wait();
    for (const ProcessExit& status : ends) {
      // The others were ended for it.
      if (!status.asked_terminal) continue;
      throw SourceError(ErrorKind::failed, fmt::format("producer {} {}", quote(status.program), status.text()),
                        "it cannot ask for a password here: give it one in a file or in a variable of its environment");
    }
    for (const ProcessExit& status : ends) {
      if (status.ok()) continue;
      const std::string said = last_line(m_pipeline.error_tail());
      throw SourceError(ErrorKind::failed, fmt::format("producer {} {}{}{}", quote(status.program), status.text(),
                                                       said.empty() ? "" : ": ", said));
    }
    return Outcome::consistent;
  }

 private:
  std::shared_ptr<CommandSource::State> m_state;
  Pipeline m_pipeline;
};

class CommandOpener : public ContentOpener {
 public:
  explicit CommandOpener(std::shared_ptr<CommandSource::State> state) : m_state(std::move(state)) {}

  std::unique_ptr<Content> open(Entry& entry) override {
    const std::string& program = m_state->options.stages.front().front();
    if (m_state->started.exchange(true)) {
      throw SourceError(ErrorKind::failed, fmt::format("unable to run producer {} a second time", quote(program)));
    }
    m_state->cut_point = now_nanoseconds();
    entry.mtime = entry.ctime = Time{Nanoseconds{m_state->cut_point.load()}};
    try {
      return std::make_unique<CommandContent>(m_state);
    } catch (const Error& e) {
      throw SourceError(e.kind(), e.message(), e.hint());
    }
  }
  bool always_read() const override { return true; }

 private:
  std::shared_ptr<CommandSource::State> m_state;
};

}  // namespace

CommandSource::CommandSource(CommandOptions options) : m_state(std::make_shared<State>()) {
  const bool empty = options.stages.empty();
  for (const auto& argv : options.stages) {
    if (argv.empty()) throw Error(ErrorKind::usage, "unable to capture a command: a stage of it is empty");
  }
  if (empty) throw Error(ErrorKind::usage, "unable to capture a command: there is none");
  if (!is_valid_entry_path(options.file_name) || options.file_name == "." ||
      options.file_name.find('/') != std::string::npos) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to store a command's output as {}: not a file name", quote(options.file_name)));
  }
  m_state->options = std::move(options);
  m_state->cut_point = now_nanoseconds();
}

std::string CommandSource::location() const {
  std::string text;
  for (const auto& argv : m_state->options.stages) {
    if (!text.empty()) text += " | ";
    text += argv.front();
  }
  return text;
}

std::optional<SourceItem> CommandSource::next() {
  if (m_delivered) return std::nullopt;
  m_delivered = true;
  SourceItem item;
  OwnerNames names;
  item.entry.path = m_state->options.file_name;
  item.entry.mode = 0600;
  item.entry.uid = ::geteuid();
  item.entry.gid = ::getegid();
  item.entry.user = names.user(item.entry.uid);
  item.entry.group = names.group(item.entry.gid);
  item.entry.mtime = item.entry.ctime = cut_point();
  item.content = std::make_shared<CommandOpener>(m_state);
  return item;
}

}  // namespace cairn
