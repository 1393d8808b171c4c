// A file's content as pieces of frames, and the order in which they are written. Pure.
#pragma once

#include "engine/restore/restore_steps.hpp"
#include "repo/frame_fetcher.hpp"
#include "repo/pack_directory.hpp"

#include <cstdint>
#include <vector>

namespace cairn {

// Neighbouring chunks of one frame and where in the file they belong.
struct Write {
  FrameId frame;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t order = 0;  // of the pack; for order_by_pack()
};

// Appends the write as what each frame gives of it. Error(damaged) where the directory does not have its chunks: they
// may have been looked up in another pack with the same content.
void append_by_frame(std::vector<Write>& to, const PlannedWrite& write, const PackDirectory& directory);

// Brings the writes of a pack together: packs in the order of their first use, of each the frames in ascending order,
// within a frame as they come: FetchPlan's order. A database that changed here and there for weeks has its neighbours
// in dozens of packs; page by page, each of their frames would be fetched and decoded again and again, or all of them
// kept.
void order_by_pack(std::vector<Write>& writes);

}  // namespace cairn
