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

[[noreturn]] inline void throw_damaged_content(const Entry& entry, std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged content of {}: {}", quote(entry.path), cause));
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
      if (extent.hole > entry.size - offset) throw_damaged_content(entry, "a hole beyond its end");
      offset += extent.hole;
      continue;
    }
    const std::shared_ptr<const PackDirectory> directory = directory_of(extent.pack);
    if (std::uint64_t{extent.first} + extent.count > directory->chunk_count()) {
      throw_damaged_content(entry, "an extent out of its pack");
    }
    ContentRun run{offset, 0, extent.pack, extent.first, extent.count, begin};
    for (std::uint32_t i = 0; i < extent.count; ++i) run.length += directory->length(extent.first + i);
    if (run.length > entry.size - offset) throw_damaged_content(entry, "chunks beyond its end");
    visit(run, *directory);
    offset += run.length;
  }
  return offset;
}

}  // namespace cairn
