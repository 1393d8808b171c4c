// Numbers and names of format version 1 that more than one object kind shares. The authority is cairn-format(5).
#pragma once

#include "util/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

inline constexpr std::uint64_t k_format_version = 1;

// Limits that a reader enforces before it allocates.
inline constexpr std::uint32_t k_max_chunk = 1U << 20;          // bytes in a chunk
inline constexpr std::uint32_t k_max_frame_raw = 1U << 24;      // raw bytes in a frame
inline constexpr std::uint32_t k_max_frame_stored = 17U << 20;  // stored bytes of a frame
inline constexpr std::uint32_t k_max_pack_chunks = 1U << 24;    // chunks in a pack
inline constexpr std::uint64_t k_max_json_object = 1ULL << 30;  // bytes of a manifest, mark, pending record
inline constexpr std::size_t k_max_entry_line = 1U << 26;       // bytes of a line of an entry list
inline constexpr std::size_t k_max_preamble = (1U << 20) + 16;  // bytes before the first segment of a sealed part

// The sizes that a writer aims at.
inline constexpr std::uint32_t k_frame_target = 1U << 20;        // raw bytes in a frame
inline constexpr std::uint64_t k_min_pack_target = 16ULL << 20;  // stored bytes in a pack
inline constexpr std::uint64_t k_max_pack_target = 512ULL << 20;
inline constexpr std::uint32_t k_chunks_per_part = 128;  // of a page file, in one record of the entry list

// The features that an object asks its user to know, by what the user wants to do with it.
struct Requirements {
  std::vector<std::string> read;
  std::vector<std::string> write;
  std::vector<std::string> prune;
};
enum class Operation {
  read,
  write,
  prune,
  rewrite,  // store the object anew, with what this program knows of it: any feature may speak of something else
};

void write_requirements(JsonWriter& to, const Requirements& requirements);
Requirements parse_requirements(const Json& from);
// Throws Error(failed) "unable to OPERATION 'what': needs feature 'x', which this program does not know".
void check_requirements(const Requirements& requirements, Operation operation, std::string_view what);

// Checks the members "format" and "version". Wrong format: Error(damaged). Newer version: Error(failed) with a hint.
void check_format(const Json& object, std::string_view format, std::string_view what);

}  // namespace cairn
