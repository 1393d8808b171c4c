// The names that objects may have, the same in every store, so that what is written to one can be copied to another.
#pragma once

#include <string_view>

namespace cairn {

// Temporary files of a directory store begin with this; no component of a key may.
inline constexpr std::string_view k_temporary_prefix = ".tmp-";

// ASCII [A-Za-z0-9._/-]; at most 1024 bytes, each component 1 to 255; no "." or ".."; none that begins as a
// temporary file does.
bool is_valid_key(std::string_view key) noexcept;
// One component by the same rules.
bool is_valid_key_component(std::string_view name) noexcept;
// Throws StoreError(failed) for an invalid key: a mistake of the caller or a hostile store, never of the user.
void require_valid_key(std::string_view key);

}  // namespace cairn
