// The store's descriptor: what kind of store this is. A sequence of immutable generations; the highest one counts.
#pragma once

#include "repo/format.hpp"
#include "store/object_store.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

inline constexpr const char* k_encryption_none = "none";
inline constexpr const char* k_encryption_age = "age";

struct Descriptor {
  std::uint64_t generation = 1;
  std::string store_id;  // 32 hex digits, random
  Time created;
  std::string encryption = k_encryption_none;
  std::vector<std::string> recipients;  // age1..., ascending; none where nothing is encrypted
  Requirements requirements;
  // Of the files of a directory store; umask: nothing is recorded. A value that a later program may have recorded
  // counts as owner, and is among the unknown members.
  Permissions permissions = Permissions::umask;
  bool create_only = false;                  // init found that the store honours create-only puts
  std::vector<std::string> unknown_members;  // of a later program, by name: text() is without them

  bool encrypted() const noexcept { return encryption != k_encryption_none; }
  std::string text() const;
  // Error(damaged); or failed, for a newer version, or where it does not fit and asks for a feature or has an
  // encryption that this program does not know.
  static Descriptor parse(std::string_view text, std::string_view what);
  // Error(failed) where it asks for an unknown feature to be read, or has an unknown encryption.
  void require_readable(std::string_view what) const;
};

// Tells the store what was recorded of it: that it honours create-only puts, and whose its files are to be. For whoever
// opened it, once, before anything is put.
void tell_store(ObjectStore& store, const Descriptor& descriptor);

}  // namespace cairn
