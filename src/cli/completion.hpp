// Completion scripts, generated from the option tree, so that they never say anything else than --help.
#pragma once

#include "cli/options.hpp"

#include <string>

namespace cairn {

std::string bash_completion(const CommandInfo& program);
std::string zsh_completion(const CommandInfo& program);
std::string fish_completion(const CommandInfo& program);

// The completions to offer for a value or operand, by its name in the help.
enum class Completes { nothing, words, files, directories };
Completes completes(const std::string& value_name);
// The words of "quick|sample|full".
std::vector<std::string> choices(const std::string& value_name);

}  // namespace cairn
