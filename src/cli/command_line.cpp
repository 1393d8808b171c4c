#include "cli/command_line.hpp"

#include "cli/edit_distance.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace cairn {

namespace {

// CLI11 takes an operand "[a,b]" of a list for two; a mark in front of the bracket keeps it whole.
constexpr char k_bracket_mark = '\x01';

std::string mark_bracket(const std::string& argument) {
  const bool special = !argument.empty() && (argument.front() == '[' || argument.front() == k_bracket_mark);
  return special ? k_bracket_mark + argument : argument;
}

std::string unmark_bracket(const std::string& value) {
  return !value.empty() && value.front() == k_bracket_mark ? value.substr(1) : value;
}

using Results = CLI::results_t;

CLI::callback_t take_one(std::optional<std::string>& to) {
  return [&to](const Results& results) {
    to = unmark_bracket(results.back());
    return true;
  };
}

CLI::callback_t take_all(std::vector<std::string>& to) {
  return [&to](const Results& results) {
    for (const auto& result : results) to.push_back(unmark_bracket(result));
    return true;
  };
}

}  // namespace

void OptionSet::flag(const std::string& names, bool& to, const std::string& help) {
  m_app.add_flag(names, to, help);
}

void OptionSet::value(const std::string& names, const std::string& value_name, std::optional<std::string>& to,
                      const std::string& help) {
  m_app.add_option(names, take_one(to), help)
      ->type_name(value_name)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void OptionSet::values(const std::string& names, const std::string& value_name, std::vector<std::string>& to,
                       const std::string& help) {
  m_app.add_option(names, take_all(to), help)
      ->type_name(value_name)
      ->type_size(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

void OptionSet::operand(const std::string& name, std::optional<std::string>& to, Required required,
                        const std::string& help) {
  m_app.add_option(name, take_one(to), help)->required(required == Required::yes);
}

void OptionSet::operands(const std::string& name, std::vector<std::string>& to, Required required,
                         const std::string& help) {
  m_app.add_option(name, take_all(to), help)
      ->expected(-1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->required(required == Required::yes);
}

namespace {

std::unique_ptr<CLI::App> build(const Commands& commands, GlobalOptions& global) {
  auto app = std::make_unique<CLI::App>("whole, self-sufficient checkpoints of stateful services", "cairn");
  app->fallthrough();
  app->allow_extras();
  app->require_subcommand(0, 1);
  app->set_help_flag("-h,--help", "print what the program or a command takes");
  app->set_version_flag("--version", CAIRN_VERSION, "print the version");
  OptionSet options{*app};
  options.value("--config", "FILE", global.config, "read this configuration file");
  options.flag("--json", global.json, "print JSON on standard output, failures too");
  options.value("--log-file", "FILE", global.log_file, "add what is told to this file, too, with times");
  options.flag("--local-time", global.local_time, "show times in this machine's zone, not in UTC");
  options.flag("--log-json", global.log_json, "print what is told on standard error as JSON, an object a line");
  options.flag("--quiet", global.quiet, "print neither progress nor what goes without saying");
  options.flag("--verbose", global.verbose, "say more about what is done");
  for (const auto& command : commands) {
    CLI::App* sub = app->add_subcommand(command->name(), command->summary());
    OptionSet own{*sub};
    command->declare(own);
  }
  return app;
}

CommandInfo describe(const CLI::App& app) {
  CommandInfo info;
  info.name = app.get_name();
  info.summary = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    OptionInfo one;
    one.help = option->get_description();
    one.operand = option->get_positional();
    one.required = option->get_required();
    one.repeats = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    if (one.operand) {
      one.names.push_back(option->get_name(true, false));
      one.value_name = one.names.back();
    } else {
      for (const auto& name : option->get_snames()) one.names.push_back("-" + name);
      for (const auto& name : option->get_lnames()) one.names.push_back("--" + name);
      if (option->get_items_expected_max() > 0) one.value_name = option->get_type_name();
    }
    info.options.push_back(std::move(one));
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    info.commands.push_back(describe(*sub));
  }
  return info;
}

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorKind::usage, message, hint);
}

std::string help_hint(const Command* command) {
  return command == nullptr ? "see: cairn --help" : fmt::format("see: cairn {} --help", command->name());
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

[[noreturn]] void refuse_left_over(const CLI::App& app, const CLI::App* sub, const Command* command,
                                   const std::string& argument) {
  const std::string where = command == nullptr ? std::string{} : fmt::format(" of cairn {}", command->name());
  if (argument.size() > 1 && argument.front() == '-') {
    const std::string name = argument.substr(0, argument.find('='));
    auto known = option_names(app);
    if (sub != nullptr) {
      const auto more = option_names(*sub);
      known.insert(known.end(), more.begin(), more.end());
    }
    const auto close = closest(name, known);
    refuse(fmt::format("unknown option {}{}", quote_given(name), where),
           close ? fmt::format("did you mean {}?", *close) : help_hint(command));
  }
  if (command == nullptr) {
    std::vector<std::string> names;
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(each->get_name());
    }
    const auto close = closest(argument, names);
    refuse(
        fmt::format("unknown command {}", quote_given(argument)),
        close ? fmt::format("did you mean cairn {}?", *close) : "see: cairn --help, for the commands of this version");
  }
  refuse(fmt::format("unexpected operand {}{}", quote_given(without_secrets(argument)), where), help_hint(command));
}

// The command that the arguments name: the first one that is neither an option nor an option's value.
Command* find_command(const std::vector<std::string>& arguments, const Commands& commands) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] == "--config" || arguments[i] == "--log-file") {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      const auto at =
          std::find_if(commands.begin(), commands.end(), [&](const auto& c) { return c->name() == arguments[i]; });
      return at == commands.end() ? nullptr : at->get();
    }
  }
  return nullptr;
}

// "--name=" gives an empty value, for which CLI11 would take the next argument.
void refuse_empty_values(const std::vector<std::string>& arguments, std::vector<std::string>::const_iterator end) {
  for (auto at = arguments.begin(); at != end; ++at) {
    const std::string& argument = *at;
    if (argument == "--") return;
    if (argument.starts_with("--") && argument.ends_with('=') && argument.find('=') == argument.size() - 1) {
      refuse(fmt::format("option {} needs a value", quote(argument.substr(0, argument.size() - 1))), {});
    }
  }
}

// Takes the program that the command is given with its arguments, none of which is looked at. Returns where it begins.
std::vector<std::string>::const_iterator take_trailing(const std::vector<std::string>& arguments, Command* command) {
  auto* const trailing = command == nullptr ? nullptr : command->trailing_command();
  if (trailing == nullptr) return arguments.end();
  const std::string marker{command->trailing_marker()};
  // After "--" there are operands alone, or the program.
  const auto at = std::find_if(arguments.begin(), arguments.end(),
                               [&](const std::string& argument) { return argument == "--" || argument == marker; });
  // As "--exec=CMD" it would be one word.
  const auto joined = std::find_if(arguments.begin(), at, [&](const std::string& argument) {
    return marker != "--" && argument.starts_with(marker + "=");
  });
  if (joined != at) {
    refuse(fmt::format("{} takes no '='", quote(marker)),
           "the program and its arguments follow it, as words of their own");
  }
  if (at == arguments.end() || *at != marker) return arguments.end();
  trailing->assign(at + 1, arguments.end());
  if (trailing->empty()) refuse(fmt::format("no command after {}", quote(marker)), help_hint(command));
  return at;
}

}  // namespace

ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments, const Commands& commands,
                                     GlobalOptions& global) {
  auto app = build(commands, global);
  ParsedCommandLine parsed;
  parsed.command = find_command(arguments, commands);
  const auto end = take_trailing(arguments, parsed.command);
  refuse_empty_values(arguments, end);
  std::vector<std::string> reversed;
  for (auto argument = arguments.begin(); argument != end; ++argument) reversed.push_back(mark_bracket(*argument));
  std::reverse(reversed.begin(), reversed.end());

  const CLI::App* sub = parsed.command == nullptr ? nullptr : app->get_subcommand(parsed.command->name());
  try {
    app->parse(std::move(reversed));
    for (const auto& left : app->remaining(true)) {
      if (left != "--") refuse_left_over(*app, sub, parsed.command, unmark_bracket(left));
    }
  } catch (const CLI::CallForHelp&) {
    parsed.asked = ParsedCommandLine::Asked::help;
    return parsed;
  } catch (const CLI::CallForVersion&) {
    parsed.asked = ParsedCommandLine::Asked::version;
    return parsed;
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string text = e.what();
    refuse(fmt::format("option {} needs a value", quote(text.substr(0, text.find(':')))), help_hint(parsed.command));
  } catch (const CLI::RequiredError& e) {
    // An unknown option is the likelier mistake where both are there.
    for (const auto& left : app->remaining(true)) {
      if (left.starts_with("--") && left != "--") refuse_left_over(*app, sub, parsed.command, left);
    }
    const std::string text = e.what();
    refuse(fmt::format("{} is missing", text.substr(0, text.find(' '))), help_hint(parsed.command));
  } catch (const CLI::Error& e) {
    refuse(terminal_safe(e.what()), help_hint(parsed.command));
  }
  if (parsed.command == nullptr) refuse("no command given", "see: cairn --help");
  if (global.quiet && global.verbose) refuse("--quiet and --verbose exclude each other", {});
  return parsed;
}

CommandInfo describe_command_line(const Commands& commands) {
  GlobalOptions global;
  const auto app = build(commands, global);
  CommandInfo info = describe(*app);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    info.commands[i].takes_command =
        commands[i]->trailing_command() != nullptr && commands[i]->trailing_marker() == "--";
  }
  return info;
}

bool asks_for(const char* flag, const std::vector<std::string>& arguments) {
  for (const auto& argument : arguments) {
    if (argument == "--" || argument == k_exec_option) return false;
    if (argument == flag) return true;
  }
  return false;
}

}  // namespace cairn
