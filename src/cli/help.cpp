#include "cli/help.hpp"

#include "cli/command.hpp"
#include "cli/output.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_width = 80;

// "-h, --help" or "--store STORE" or "REF...".
std::string left_side(const OptionInfo& option) {
  std::string out;
  for (const auto& name : option.names) out += (out.empty() ? "" : ", ") + name;
  if (!option.operand && !option.value_name.empty()) out += " " + option.value_name;
  return out;
}

std::string usage_of(const OptionInfo& option) {
  std::string text = option.names.back();
  if (!option.operand && !option.value_name.empty()) text += " " + option.value_name;
  if (option.repeats && option.operand) text += "...";
  if (!option.required) text = "[" + text + "]";
  if (option.repeats && !option.operand) text += "...";
  return text;
}

std::string wrapped(const std::vector<std::string>& words, std::size_t indent, std::size_t begin) {
  std::string out;
  std::size_t column = begin;
  for (const auto& word : words) {
    if (column > indent && column + 1 + display_width(word) > k_width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!out.empty()) {
      out += " ";
      ++column;
    }
    out += word;
    column += display_width(word);
  }
  return out;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string listing(const std::string& title, const std::vector<std::pair<std::string, std::string>>& rows) {
  if (rows.empty()) return {};
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  width = std::min<std::size_t>(width, 28);
  std::string out = "\n" + title + ":\n";
  for (const auto& [left, right] : rows) {
    out += "  " + left;
    if (left.size() > width) {
      out += "\n" + std::string(width + 4, ' ');
    } else {
      out += std::string(width - left.size() + 2, ' ');
    }
    out += wrapped(words_of(right), width + 4, width + 4) + "\n";
  }
  return out;
}

std::string options_listing(const std::string& title, const CommandInfo& info, bool operands) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& option : info.options) {
    if (option.operand == operands) rows.emplace_back(left_side(option), option.help);
  }
  return listing(title, rows);
}

}  // namespace

std::string program_help(const CommandInfo& program) {
  std::string out =
      "usage: cairn [--config FILE] [--json] [--quiet | --verbose] COMMAND ...\n\n" + program.summary + "\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& command : program.commands) rows.emplace_back(command.name, command.summary);
  out += listing("commands", rows);
  out += options_listing("options, before or after the command", program, false);
  out += "\nSee cairn(1), and cairn COMMAND --help.\n";
  return out;
}

std::string command_help(const CommandInfo& program, const CommandInfo& command) {
  std::vector<std::string> usage;
  std::vector<std::string> end;
  for (const auto& option : command.options) {
    const bool is_last = option.names.back() == k_exec_option;
    if (!option.operand && !is_last && option.names.back() != "--help") usage.push_back(usage_of(option));
    if (is_last) end.push_back(fmt::format("[{} {} ARG...]", option.names.back(), option.value_name));
  }
  for (const auto& option : command.options) {
    if (option.operand) usage.push_back(usage_of(option));
  }
  if (command.takes_command) end.emplace_back("[-- COMMAND ARG...]");
  usage.insert(usage.end(), end.begin(), end.end());
  const std::string start = "usage: cairn " + command.name;
  std::string out = start;
  if (!usage.empty()) out += " " + wrapped(usage, start.size() + 1, start.size() + 1);
  out += "\n\n" + command.summary + "\n";
  out += options_listing("operands", command, true);
  out += options_listing("options", command, false);
  std::string globals;
  for (const auto& option : program.options) {
    if (option.names.back() == "--help" || option.names.back() == "--version") continue;
    globals += (globals.empty() ? "" : ", ") + left_side(option);
  }
  out += "\nAlso: " + globals + ".\nSee cairn-" + command.name + "(1).\n";
  return out;
}

}  // namespace cairn
