// Small objects of the format are read whole, and no larger than they may be.
#pragma once

#include "repo/format.hpp"
#include "store/object_store.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace cairn {

inline Error missing_object(std::string_view kind, std::string_view key) {
  return {ErrorKind::not_found, fmt::format("unable to read {} {}: it is not in the store", kind, quote(key))};
}

// Before the object is read: whoever can write to the store must not choose how much memory a reader takes.
inline void check_object_size(std::string_view kind, std::string_view key, std::uint64_t size) {
  if (size <= k_max_json_object) return;
  throw Error(ErrorKind::damaged,
              fmt::format("damaged {} {}: it is larger than {} bytes", kind, quote(key), k_max_json_object));
}

// A server, or who may overwrite an object, must not choose how much is read of what was listed with that size. One
// that is 0 is not known. Info: has key and size. Nothing where the object is not there.
template <class Info>
std::optional<Bytes> get_whole(ObjectStore& store, const Info& info) {
  return store.get(info.key, ByteRange{0, info.size == 0 ? k_max_json_object : info.size});
}

}  // namespace cairn
