// Where the extents of a file put its content.
#pragma once

#include "repo/entry.hpp"
#include "repo/extent.hpp"
#include "repo/pack_directory.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace cairn {

// Chunks of one extent and where in the file they belong.
struct ContentRun {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t pack = 0;  // as extents name it
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint64_t part = 0;  // bytes of the file before the part that it belongs to
};

// These four hold what an entry list says of a file's content against the packs and against itself. path: of the file,
// for the message of the Error(damaged) that they throw.
[[noreturn]] inline void throw_damaged_content(std::string_view path, std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged content of {}: {}", quote(path), cause));
}

// How many bytes these chunks of a pack are. room: what the file has left for them.
inline std::uint64_t length_of_chunks(std::string_view path, const PackDirectory& directory, std::uint32_t first,
                                      std::uint32_t count, std::uint64_t room) {
  if (std::uint64_t{first} + count > directory.chunk_count()) throw_damaged_content(path, "an extent out of its pack");
  std::uint64_t length = 0;
  for (std::uint32_t i = 0; i < count; ++i) length += directory.length(first + i);
  if (length > room) throw_damaged_content(path, "chunks beyond its end");
  return length;
}

inline std::uint64_t length_of_hole(std::string_view path, std::uint64_t hole, std::uint64_t room) {
  if (hole > room) throw_damaged_content(path, "a hole beyond its end");
  return hole;
}

// length: of what came; said: what the list says of it.
inline void check_part_length(std::string_view path, std::uint64_t length, std::uint64_t said) {
  if (length != said) throw_damaged_content(path, "a part has another size than its chunks");
}
inline void check_content_length(std::string_view path, std::uint64_t length, std::uint64_t said) {
  if (length != said) throw_damaged_content(path, "it has another size than its chunks");
}

// Calls visit(run, directory of its pack) for each extent of a part of the entry's content but for holes, in order,
// and returns where the part ends. begin: where it begins. directory_of(pack) gives a shared PackDirectory. Extents are
// held against the directories and against the size of the entry: Error(damaged).
template <class DirectoryOf, class Visit>
std::uint64_t place_extents(const Entry& entry, std::uint64_t begin, const std::vector<Extent>& extents,
                            DirectoryOf directory_of, Visit visit) {
  std::uint64_t offset = begin;
  for (const auto& extent : extents) {
    if (extent.is_hole()) {
      offset += length_of_hole(entry.path, extent.hole, entry.size - offset);
      continue;
    }
    const std::shared_ptr<const PackDirectory> directory = directory_of(extent.pack);
    const std::uint64_t length =
        length_of_chunks(entry.path, *directory, extent.first, extent.count, entry.size - offset);
    visit(ContentRun{offset, length, extent.pack, extent.first, extent.count, begin}, *directory);
    offset += length;
  }
  return offset;
}

}  // namespace cairn
