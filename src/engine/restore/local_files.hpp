// The local files that a restore may take content from, and how each of them was when it was looked at.
#pragma once

#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/file_id.hpp"
#include "util/spool_file.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace cairn {

// How a file was. One that is written, replaced, linked or renamed has another stamp from then on, as long as its file
// system keeps ctime.
struct FileStamp {
  FileId id;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  // nanoseconds
  std::int64_t ctime = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const struct stat& status) noexcept;

// A directory below which local files lie. It is pinned: whatever its name leads to later.
struct LocalRoot {
  enum class Kind {
    target,   // the target, or the directory of a target that is one file
    seed,     // somebody named it
    staging,  // what an earlier run of the same snapshot left: private to this user
    other,    // what one of another snapshot left
    spare,    // the file that was at the target before this one, left there to be mended: nobody has it open
  };
  Kind kind = Kind::seed;
  UniqueFd directory;
  std::string shown;  // its path, for messages
};
using LocalRoots = std::vector<LocalRoot>;

// Where a local file is and how it was. Its root outlives it.
struct LocalFile {
  const LocalRoot* root = nullptr;
  std::string path;  // below the root
  FileStamp stamp;
  std::string shown() const;
};

// Written while a restore is planned, read while it is carried out; waits on disk, so that memory does not grow with
// the number of files. One thread.
class LocalFiles {
 public:
  using Id = std::uint64_t;
  static constexpr Id k_none = UINT64_MAX;

  LocalFiles(std::shared_ptr<const LocalRoots> roots, const fs::path& spool)
      : m_roots(std::move(roots)), m_files(spool) {}

  Id add(std::size_t root, const std::string& path, const FileStamp& stamp);
  LocalFile get(Id id);

  const LocalRoots& roots() const noexcept { return *m_roots; }

 private:
  std::shared_ptr<const LocalRoots> m_roots;
  SpoolFile m_files;
};

// A local file is not what it was when the restore was planned, or cannot be read any more.
class LocalChanged : public Error {
 public:
  explicit LocalChanged(const std::string& shown);
};

// As many bytes of an open file as there are; fewer at its end, or where it cannot be read.
std::size_t read_there(int fd, ByteSpan out, std::uint64_t offset) noexcept;

// How the name below the root is now; a symbolic link is not followed. Throws LocalChanged where that is not known.
FileStamp stamp_now(const LocalFile& file);

}  // namespace cairn
