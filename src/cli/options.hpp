// The command line's options: declared by the commands, parsed by CLI11, described for help, man pages' test and
// completions. CLI11 itself is seen by options.cpp only (it costs seconds in each file that includes it).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace cairn {

// Where a command declares what it takes. The targets outlive the parsing.
//
// value_name tells people and completions what is expected: FILE, PATH, DIR, TARGET, STORE, or words as "quick|full".
class OptionSet {
 public:
  explicit OptionSet(CLI::App& app) : m_app(app) {}

  enum class Required { no, yes };

  // names as "--quiet" or "-q,--quiet".
  void flag(const std::string& names, bool& to, const std::string& help);
  // The last one wins.
  void value(const std::string& names, const std::string& value_name, std::optional<std::string>& to,
             const std::string& help);
  // May be given several times.
  void values(const std::string& names, const std::string& value_name, std::vector<std::string>& to,
              const std::string& help);
  // An operand; declared in their order. The last may take all that are left.
  void operand(const std::string& name, std::optional<std::string>& to, Required required, const std::string& help);
  void operands(const std::string& name, std::vector<std::string>& to, Required required, const std::string& help);

 private:
  CLI::App& m_app;
};

// One option or operand as it was declared.
struct OptionInfo {
  std::vector<std::string> names;  // "-h", "--help"; of an operand its name alone
  std::string value_name;          // empty: a flag
  std::string help;
  bool operand = false;
  bool required = false;
  bool repeats = false;
};

// The program or one of its commands.
struct CommandInfo {
  std::string name;
  std::string summary;
  std::vector<OptionInfo> options;  // in the order of declaration; --help first
  bool takes_command = false;       // "-- COMMAND ARG..."
  std::vector<CommandInfo> commands;
};

}  // namespace cairn
