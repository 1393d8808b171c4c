// From an opener to chunks with their digests: small files whole, in the pool; large ones segment by segment.
#pragma once

#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "util/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Bytes of one file and how they are cut; or a hole.
struct Segment {
  Bytes bytes;
  std::vector<std::uint32_t> lengths;
  std::vector<Digest> digests;
  std::uint64_t hole = 0;
};

// Segments begin at multiples of this in content without holes, and a chunk never spans two: so they can be cut and
// hashed side by side. An insertion costs one odd chunk a segment at most.
inline constexpr std::size_t k_segment_size = 4U << 20;

// Fills in lengths and digests. Pure.
void cut_segment(Segment& segment, const ChunkRule& rule);

// Reads up to one segment: data until it is full, a hole begins or the content ends. Nothing at the end. A hole that
// was met after data is kept in `hole_ahead` for the next call. `buffer`: of a segment that is no longer needed; its
// memory is used again.
std::optional<Segment> read_segment(Content& content, std::uint64_t& hole_ahead, bool& ended, Bytes buffer = {});

// A file read whole, cut and hashed.
struct WholeFile {
  std::vector<Segment> segments;
  std::uint64_t size = 0;
  bool changed = false;    // at the last of k_tries
  bool too_large = false;  // more than `limit`: nothing is returned, the caller reads it in segments
  std::string problem;     // Content::problem()
  ChunkRule rule;
};
inline constexpr int k_read_tries = 3;

// Throws SourceError. May update the entry.
WholeFile read_whole_file(ContentOpener& opener, Entry& entry, std::uint64_t limit);

}  // namespace cairn
