// How content refers to packs: runs of chunks, and holes. Text form: cairn-format(5), EXTENTS.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

struct Extent {
  std::uint64_t pack = 0;   // first 8 bytes of the pack's logical id, big-endian; unused in a hole
  std::uint32_t first = 0;  // chunk
  std::uint32_t count = 0;  // chunks; 0: a hole
  std::uint64_t hole = 0;   // bytes of a hole

  bool is_hole() const noexcept { return count == 0; }
  auto operator<=>(const Extent&) const = default;
  static Extent make_hole(std::uint64_t bytes) { return {0, 0, 0, bytes}; }
};

// Appends e, merging it with the last one where they are one run.
void append_extent(std::vector<Extent>& to, const Extent& e);

// "[["0123456789abcdef",0,12],[4096]]", appended to out.
void append_extents_text(std::string& out, const std::vector<Extent>& extents);

}  // namespace cairn
