// Where the bytes of a pack go while it is made: memory, or a file that is gone with its owner unless it was finished.
#pragma once

#include "util/bytes.hpp"
#include "util/file.hpp"

#include <optional>

namespace cairn {

// Where the file of a large pack is made, and with which permissions: those of the store where the file becomes the
// object, else nobody else has any business with it.
struct Spool {
  Spool(fs::path path, unsigned file_mode = 0600) : directory(std::move(path)), mode(file_mode) {}
  fs::path directory;
  unsigned mode;
};

// Of objects in a store.
inline constexpr unsigned k_object_mode = 0666;

// Used by one thread.
class PackOutput {
 public:
  // Nothing: in memory, for which so many bytes are reserved.
  explicit PackOutput(const std::optional<Spool>& spool, std::size_t memory_reserve = 0);
  PackOutput(const PackOutput&) = delete;
  PackOutput& operator=(const PackOutput&) = delete;
  ~PackOutput();

  void append(ByteView bytes);

  struct Finished {
    Bytes memory;                  // all, where it was in memory
    std::optional<fs::path> file;  // or the file; whoever takes it removes it
  };
  // Nothing may be appended afterwards.
  Finished finish();

 private:
  std::optional<fs::path> m_path;
  UniqueFd m_fd;
  Bytes m_memory;
};

}  // namespace cairn
