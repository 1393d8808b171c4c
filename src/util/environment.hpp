// Variables of the environment, as whoever runs the program, or a test, gives them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// A variable of the environment, or nothing. Tests give their own.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view)>;

// An empty variable counts as none.
inline std::optional<std::string> nonempty(const EnvironmentLookup& environment, std::string_view name) {
  auto value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

}  // namespace cairn
