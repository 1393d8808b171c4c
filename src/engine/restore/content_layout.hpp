// Where in a file its chunks belong, and whether that fits. Pure.
#pragma once

#include "engine/restore/restore_steps.hpp"
#include "repo/pack_directory.hpp"

#include <cstdint>
#include <string>

namespace cairn {

// Takes the content of one file in order. Every call throws Error(damaged), naming the file, where what the
// entry list says does not fit the packs or itself; the layout is of no use after that. One thread.
class ContentLayout {
 public:
  explicit ContentLayout(const Entry& file) : m_path(file.path), m_size(file.size) {}

  // The next chunks begin there, at most at the file's size.
  void begin_at(std::uint64_t offset) noexcept { m_end = offset; }
  // The chunks are next. directory: of their pack. Throws where it does not have them, or they do not fit in the file.
  PlannedWrite place(const ChunkRange& chunks, const PackDirectory& directory);
  // A hole is next. Throws where it does not fit in the file.
  void skip(std::uint64_t bytes);
  // So much of the file has come, as the entry list says of its parts.
  void check_part(std::uint64_t end) const;
  // All of it has come.
  void check_whole() const;

  // So much has come.
  std::uint64_t end() const noexcept { return m_end; }

 private:
  std::string m_path;
  std::uint64_t m_size;
  std::uint64_t m_end = 0;
};

}  // namespace cairn
