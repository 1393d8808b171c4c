#include "engine/restore/write_order.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>

namespace cairn {

void append_by_frame(std::vector<Write>& to, const PlannedWrite& write, const PackDirectory& directory) {
  const ChunkRange& source = write.source;
  const std::uint64_t end = std::uint64_t{source.first} + source.count;
  if (end > directory.chunk_count()) {
    throw Error(ErrorKind::damaged, fmt::format("chunk {} is not in its pack any more", end - 1));
  }
  std::uint64_t offset = write.offset;
  std::uint32_t frame = directory.frame_of(source.first);
  for (std::uint32_t chunk = source.first; chunk < end; ++frame) {
    const Frame& f = directory.frames()[frame];
    const auto frame_end = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, f.first_chunk + f.chunk_count));
    Write piece{{source.pack, frame}, chunk, frame_end - chunk, offset, 0, 0};
    for (; chunk < frame_end; ++chunk) piece.bytes += directory.length(chunk);
    offset += piece.bytes;
    to.push_back(piece);
  }
}

void order_by_pack(std::vector<Write>& writes) {
  std::unordered_map<std::uint64_t, std::uint32_t> orders;
  const Write* before = nullptr;
  for (auto& write : writes) {
    if (before != nullptr && before->frame.pack == write.frame.pack) {
      write.order = before->order;
    } else {
      write.order = orders.emplace(write.frame.pack, static_cast<std::uint32_t>(orders.size())).first->second;
    }
    before = &write;
  }
  const auto earlier = [](const Write& a, const Write& b) {
    return std::tie(a.order, a.frame.frame, a.offset) < std::tie(b.order, b.frame.frame, b.offset);
  };
  if (!std::is_sorted(writes.begin(), writes.end(), earlier)) std::sort(writes.begin(), writes.end(), earlier);
}

}  // namespace cairn
