// The kinds of sources that there are.
#pragma once

#include <optional>
#include <string_view>

namespace cairn {

enum class SourceKind { directory, sqlite, command };

// "directory", "sqlite", "command": as records (Facts::kind), the configuration and messages spell it.
std::string_view kind_name(SourceKind kind) noexcept;
// Nothing for a name that is none of these; a record may have one that a later program wrote.
std::optional<SourceKind> parse_source_kind(std::string_view name) noexcept;

}  // namespace cairn
