#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "cli/session.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

class CompletionCommand : public Command {
 public:
  std::string name() const override { return "completion"; }
  std::string summary() const override { return "print a completion script for a shell"; }
  void declare(OptionSet& options) override {
    options.operand("bash|zsh|fish", m_shell, OptionSet::Required::yes, "the shell");
  }
  ExitStatus run(Session& session) override {
    const CommandInfo& program = session.program();
    if (m_shell == "bash") {
      session.out() << bash_completion(program);
    } else if (m_shell == "zsh") {
      session.out() << zsh_completion(program);
    } else if (m_shell == "fish") {
      session.out() << fish_completion(program);
    } else {
      throw Error(ErrorKind::usage, fmt::format("unknown shell {}", quote_given(*m_shell)),
                  "one of bash, zsh and fish");
    }
    return ExitStatus::done;
  }

 private:
  std::optional<std::string> m_shell;
};

}  // namespace

std::unique_ptr<Command> make_completion_command() {
  return std::make_unique<CompletionCommand>();
}

}  // namespace cairn
