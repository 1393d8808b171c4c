// The store's descriptor: what kind of store this is. A sequence of immutable generations; the highest one counts.
#pragma once

#include "repo/format.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn {

struct Descriptor {
  std::uint64_t generation = 1;
  std::string store_id;  // 32 hex digits, random
  Time created;
  std::string encryption = "none";
  std::vector<std::string> recipients;  // of encryption; none here
  Requirements requirements;
  bool create_only = false;  // init found that the store honours create-only puts

  std::string text() const;
  static Descriptor parse(std::string_view text, std::string_view what);
};

}  // namespace cairn
