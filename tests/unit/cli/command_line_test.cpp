#include "cli/command_line.hpp"

#include "cli/completion.hpp"
#include "cli/edit_distance.hpp"
#include "cli/help.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

using Words = std::vector<std::string>;

// Takes everything there is to take.
class Probe : public Command {
 public:
  explicit Probe(std::string name) : m_name(std::move(name)) {}
  std::string name() const override { return m_name; }
  std::string summary() const override { return "a probe"; }
  void declare(OptionSet& options) override {
    options.operands("REF", operands, OptionSet::Required::no, "operands");
    options.value("--level", "quick|full", level, "a choice");
    options.values("--tag", "KEY=VALUE", tags, "a list");
    options.flag("--apply", apply, "a flag");
  }
  Words* trailing_command() override { return m_name == "run" ? &trailing : nullptr; }
  ExitStatus run(Session&) override { return ExitStatus::done; }

  Words operands;
  Words tags;
  Words trailing;
  std::optional<std::string> level;
  bool apply = false;

 private:
  std::string m_name;
};

struct Parse {
  Commands commands;
  Probe* list;
  Probe* runner;
  GlobalOptions global;
  ParsedCommandLine parsed;

  Parse() {
    auto first = std::make_unique<Probe>("list");
    auto second = std::make_unique<Probe>("run");
    list = first.get();
    runner = second.get();
    commands.push_back(std::move(first));
    commands.push_back(std::move(second));
  }
  explicit Parse(const Words& words) : Parse() { parsed = parse_command_line(words, commands, global); }
};

std::string refusal(const Words& words) {
  Parse parse;
  try {
    parse_command_line(words, parse.commands, parse.global);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    return e.message() + " | " + e.hint();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("global options are taken before and after the command") {
  const Parse before{{"--json", "--config", "list", "list", "a"}};
  CHECK(before.parsed.command == before.list);
  CHECK(before.global.json);
  CHECK(before.global.config == "list");
  CHECK(before.list->operands == Words{"a"});
  const Parse after{{"list", "a", "--quiet", "b", "--config=c"}};
  CHECK(after.global.quiet);
  CHECK(after.global.config == "c");
  CHECK(after.list->operands == Words{"a", "b"});
}

TEST_CASE("an operand may have the name of a command, and brackets") {
  const Parse parse{{"list", "run", "list", "[a,b]", "--tag", "[x]", "--tag", "[y,z]", "c"}};
  CHECK(parse.parsed.command == parse.list);
  CHECK(parse.list->operands == Words{"run", "list", "[a,b]", "c"});
  CHECK(parse.list->tags == Words{"[x]", "[y,z]"});
}

TEST_CASE("of an option with one value the last one counts") {
  const Parse parse{{"list", "--level", "quick", "--level=full", "--apply", "--apply"}};
  CHECK(parse.list->level == "full");
  CHECK(parse.list->apply);
}

TEST_CASE("what follows -- is a command where one is taken, and operands elsewhere") {
  const Parse command{{"run", "--tag", "a", "--", "pg_dump", "--json", "--", "x"}};
  CHECK(command.runner->trailing == Words{"pg_dump", "--json", "--", "x"});
  CHECK(command.runner->operands.empty());
  CHECK_FALSE(command.global.json);
  const Parse operands{{"list", "--", "--apply"}};
  CHECK(operands.list->operands == Words{"--apply"});
  CHECK_FALSE(operands.list->apply);
  CHECK(refusal({"run", "--"}) == "no command after '--' | see: cairn run --help");
}

TEST_CASE("mistakes are named, with advice") {
  CHECK(refusal({}) == "no command given | see: cairn --help");
  CHECK(refusal({"lsit"}) == "unknown command 'lsit' | did you mean cairn list?");
  CHECK(refusal({"doctor"}) == "unknown command 'doctor' | see: cairn --help, for the commands of this version");
  CHECK(refusal({"list", "--leevl=full"}) == "unknown option '--leevl' of cairn list | did you mean --level?");
  CHECK(refusal({"list", "-x"}) == "unknown option '-x' of cairn list | see: cairn list --help");
  CHECK(refusal({"--josn", "list"}) == "unknown option '--josn' of cairn list | did you mean --json?");
  CHECK(refusal({"list", "--level"}) == "option '--level' needs a value | see: cairn list --help");
  CHECK(refusal({"list", "--level=", "full"}) == "option '--level' needs a value | ");
  CHECK(refusal({"list", "--quiet", "--verbose"}) == "--quiet and --verbose exclude each other | ");
}

TEST_CASE("help and version are asked of the program or of a command") {
  const Parse program{{"--help"}};
  CHECK(program.parsed.asked == ParsedCommandLine::Asked::help);
  CHECK(program.parsed.command == nullptr);
  const Parse command{{"list", "-h"}};
  CHECK(command.parsed.asked == ParsedCommandLine::Asked::help);
  CHECK(command.parsed.command == command.list);
  const Parse version{{"--version"}};
  CHECK(version.parsed.asked == ParsedCommandLine::Asked::version);
}

TEST_CASE("all that follows --exec is the program's, which is not looked at") {
  const auto parse = [](std::vector<std::string> arguments) {
    const Commands commands = make_commands();
    GlobalOptions global;
    const auto parsed = parse_command_line(arguments, commands, global);
    return std::pair{*parsed.command->trailing_command(), global.json};
  };
  const std::vector<std::string> program{"prog", "--json", "--", "--empty=", "[a]", ""};
  std::vector<std::string> arguments{"restore", "REF", "T", "--exec"};
  arguments.insert(arguments.end(), program.begin(), program.end());
  CHECK(parse(arguments) == std::pair{program, false});
  CHECK(parse({"restore", "REF", "T", "--json", "--exec", "prog"}).second);
  // After "--" there are operands alone.
  CHECK(parse({"restore", "--", "REF", "--exec"}).first.empty());
  const auto refused = [&](std::vector<std::string> given) {
    try {
      parse(std::move(given));
    } catch (const Error& e) {
      return e.message();
    }
    return std::string{"taken"};
  };
  CHECK(refused({"restore", "REF", "T", "--exec"}) == "no command after '--exec'");
  CHECK(refused({"restore", "REF", "T", "--exec=prog"}) == "'--exec' takes no '='");
  CHECK(refused({"restore", "REF", "--exec", "prog"}) == "TARGET is missing");
}

TEST_CASE("a failure to parse is reported as JSON where that is asked for") {
  CHECK(asks_for("--json", {"list", "--bogus", "--json"}));
  CHECK_FALSE(asks_for("--json", {"run", "--", "--json"}));
  CHECK_FALSE(asks_for("--json", {"restore", "--exec", "prog", "--json"}));
}

TEST_CASE("the description is the tree that parses") {
  const Parse parse;
  const CommandInfo program = describe_command_line(parse.commands);
  REQUIRE(program.commands.size() == 2);
  CHECK(program.commands[0].name == "list");
  CHECK_FALSE(program.commands[0].takes_command);
  CHECK(program.commands[1].takes_command);
  const auto& options = program.commands[0].options;
  const auto level =
      std::find_if(options.begin(), options.end(), [](const auto& o) { return o.names.back() == "--level"; });
  REQUIRE(level != options.end());
  CHECK(level->value_name == "quick|full");
  const auto operand = std::find_if(options.begin(), options.end(), [](const auto& o) { return o.operand; });
  REQUIRE(operand != options.end());
  CHECK(operand->repeats);
  const std::string help = command_help(program, program.commands[1]);
  CHECK(help.starts_with("usage: cairn run [--level quick|full] [--tag KEY=VALUE]... [--apply] [REF...]\n"));
  CHECK(help.find("[-- COMMAND ARG...]") != std::string::npos);
}

TEST_CASE("values are completed by their names") {
  CHECK(completes("quick|full") == Completes::words);
  CHECK(choices("quick|full") == Words{"quick", "full"});
  CHECK(completes("FILE") == Completes::files);
  CHECK(completes("STORE") == Completes::directories);
  CHECK(completes("N") == Completes::nothing);
}

TEST_CASE("the nearest word is near enough or none") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(closest("snapshto", {"snapshot", "show"}) == "snapshot");
  CHECK_FALSE(closest("drill", {"list", "diff"}));
  CHECK_FALSE(closest(std::string(1000, 'x'), {"list"}));
}
