// What a local file has where, known without reading it: by the entry list that it was written from. Pure.
#pragma once

#include "engine/restore/restore_steps.hpp"
#include "repo/pack_directory.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace cairn {

// Neighbouring chunks of a pack, in a file one after the other.
struct KnownExtent {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t length = 0;  // bytes
  ChunkRange chunks;
  bool operator==(const KnownExtent&) const = default;
};
// Of one file, ascending. Holes have none.
using KnownExtents = std::vector<KnownExtent>;

// The chunks come next in the file; they become one with those before where they follow them in the pack, too.
void append_extent(KnownExtents& to, const PlannedWrite& next);

// Calls found(i), ascending, for each of the chunks, counted from 0, that the file is known to have where it is wanted:
// the first one at the offset, the others behind it. directory: of their pack. Chunks of another pack may well be the
// same: that they are is not known.
void find_known(const KnownExtents& known, std::uint64_t offset, const PackDirectory& directory,
                const ChunkRange& chunks, const std::function<void(std::uint32_t)>& found);

}  // namespace cairn
