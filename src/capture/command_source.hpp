// The standard output of a program (or of a pipeline of them) as a source of one file.
#pragma once

#include "capture/source.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct CommandOptions {
  // One argument vector for each stage of the pipeline; no shell looks at them.
  std::vector<std::vector<std::string>> stages;
  std::string file_name;  // of the entry: one component of a path
  // Variables that the programs inherit though they hold this program's secrets.
  std::vector<std::string> secrets{};
  // Whether the first stage reads what this process was given to read, unless that is a terminal; else it reads
  // nothing.
  bool inherits_input = false;
  // Takes what the programs write to standard error, a line at a time. Empty: it goes to this process's own.
  std::function<void(std::string_view line)> errors = {};
};

// One entry, a regular file of mode 0600 that belongs to whom this process runs as; its time is the start of the
// command. The command starts at open(), which can be called once only. finish() throws SourceError(failed) unless
// every stage exits 0: "producer 'pg_dump' exited with status 1". Everything that the programs write to standard error
// is passed on.
class CommandSource : public Source {
 public:
  explicit CommandSource(CommandOptions options);

  SourceKind kind() const override { return SourceKind::command; }
  SourceShape shape() const override { return SourceShape::file; }
  SourceAccess access() const override { return SourceAccess::sequential; }
  // The programs' names, "pg_dump | gzip". No arguments: people put passwords there.
  std::string location() const override;
  std::optional<SourceItem> next() override;
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  SourceEnd finish() override { return {cut_point()}; }
  // The start of the command; before it, of the program.
  Time cut_point() const { return Time{Nanoseconds{m_state->cut_point.load()}}; }

  // The state that the opener shares with the source, which it may outlive.
  struct State {
    CommandOptions options;
    std::atomic<std::int64_t> cut_point{0};  // nanoseconds since 1970
    std::atomic<bool> started{false};
  };

 private:
  std::shared_ptr<State> m_state;
  bool m_delivered = false;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn
