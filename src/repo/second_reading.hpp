// Bytes change on the way, too, by a proxy, a cable, memory; and disks fail now and then. Bytes that fail their check
// are read once more before they are called damaged.
#pragma once

#include "store/object_store.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <optional>
#include <string>
#include <utility>

namespace cairn {

// Calls read(), which reads and checks; where it throws Error(damaged), once more. second_was_right(first error) is
// called where that helped: where the same bytes were read, and not where an empty optional says that they are gone. An
// exception of the second call is thrown on.
template <class Read, class Tell>
auto read_again_if_damaged(Read read, Tell second_was_right) -> decltype(read()) {
  std::optional<decltype(read())> right;
  const auto first = damage_of([&] { right.emplace(read()); });
  if (!first) return std::move(*right);
  auto result = read();
  bool gone = false;
  if constexpr (requires { result.has_value(); }) gone = !result.has_value();
  if (!gone) second_was_right(*first);
  return result;
}

// Only of bytes that were themselves read twice. Which of disk, memory and network gave them otherwise the first time,
// nobody knows.
inline std::string right_when_read_again(const Error& first) {
  return first.message() + "; read again, it was right: what is stored is whole, and came wrong once";
}

// For read_again_if_damaged(): tells the user.
inline auto telling(Reporter& reporter) {
  return [&reporter](const Error& first) { reporter.warning(right_when_read_again(first)); };
}

}  // namespace cairn
