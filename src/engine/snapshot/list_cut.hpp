// Where the text of an entry list is cut into chunks. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace cairn {

// Whether a chunk ends behind this line. chunk_size: bytes of the chunk so far, with the line.
//
// The chance is in proportion to the line's length, so that chunks have about 4 KiB in the mean whatever the lines are
// like; from 2 KiB on a line ends its chunk always. The choice depends on the line alone, so that a change rewrites its
// surroundings only.
bool ends_list_chunk(std::string_view line, std::size_t chunk_size) noexcept;

}  // namespace cairn
