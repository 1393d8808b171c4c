// The result for one of many objects that are read side by side. For an OrderedWindow, whose jobs run on other threads:
// what is wrong with one object is not the end of the others.
#pragma once

#include "util/error.hpp"

#include <optional>
#include <type_traits>

namespace cairn {

template <class Info, class T>
struct Loaded {
  const Info* info;        // the listing's, which outlives the window
  std::optional<T> value;  // nothing: it has gone since the listing, or failure
  std::optional<Error> failure;
};

// action: reads it, as std::optional. A store that fails and an interruption are thrown.
template <class Info, class F>
auto load(const Info& info, F action) {
  Loaded<Info, typename std::invoke_result_t<F>::value_type> loaded{&info, std::nullopt, std::nullopt};
  loaded.failure = any_failure_of([&] { loaded.value = action(); });
  return loaded;
}

}  // namespace cairn
