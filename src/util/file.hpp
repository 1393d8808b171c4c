// Files, descriptors and durability. Every function throws Error with the path on failure.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cairn {

namespace fs = std::filesystem;

// Owns a descriptor. The destructor closes and cannot report: call close() where a failed close loses data.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : m_fd(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : m_fd(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const noexcept { return m_fd; }
  explicit operator bool() const noexcept { return m_fd >= 0; }
  int release() noexcept;
  void reset() noexcept;

 private:
  int m_fd = -1;
};

// open(2) with O_CLOEXEC added.
UniqueFd open_file(const fs::path& path, int flags, unsigned mode = 0666);
// Nothing where the file does not exist (ENOENT, ENOTDIR); any other failure throws.
std::optional<UniqueFd> open_file_if_exists(const fs::path& path, int flags);

// Whole transfers: EINTR and short counts are handled. read_at returns fewer bytes than asked only at end of file.
std::size_t read_at(int fd, ByteSpan out, std::uint64_t offset, const fs::path& path);
std::size_t read_some(int fd, ByteSpan out, const fs::path& path);
void write_all(int fd, ByteView bytes, const fs::path& path);
void write_at(int fd, ByteView bytes, std::uint64_t offset, const fs::path& path);

// The whole file, at most limit bytes (larger: Error). Nothing where it does not exist.
std::optional<Bytes> read_file_if_exists(const fs::path& path, std::uint64_t limit = UINT64_MAX);
Bytes read_file(const fs::path& path, std::uint64_t limit = UINT64_MAX);

void sync_file(int fd, const fs::path& path);
void sync_directory(const fs::path& directory);
// mkdir -p; each directory that it makes is fsynced into its parent. mode is before the umask.
void make_directories(const fs::path& directory, unsigned mode = 0777);

// A file that appears under its name complete and durable, or not at all: written under a temporary name in the same
// directory, fsynced, renamed, directory fsynced. The destructor of an uncommitted one removes the temporary file.
class AtomicFile {
 public:
  // The temporary name is ".tmp-" and random digits in the directory of path.
  explicit AtomicFile(fs::path path, unsigned mode = 0666);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  int fd() const noexcept { return m_fd.get(); }
  void write(ByteView bytes);
  enum class Replace { no, yes };
  // Replace::no: false, and nothing changed, where the name is taken already (link(2) semantics).
  bool commit(Replace replace = Replace::yes);

 private:
  fs::path m_path;
  fs::path m_temporary;
  UniqueFd m_fd;
};

void write_file_atomic(const fs::path& path, ByteView bytes, unsigned mode = 0666);

// Where temporary files go: TMPDIR, or /tmp where that is not set or empty. Error(failed) where there is no such
// directory. Only callers that need one should ask.
fs::path temporary_directory();

// A private directory (0700) below parent, removed with all it holds by the destructor.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const fs::path& parent, const std::string& prefix = "cairn-");
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const fs::path& path() const noexcept { return m_path; }

 private:
  fs::path m_path;
};

// An empty file without a name below that directory, open for reading and writing by nobody else; it goes with its last
// descriptor.
UniqueFd open_nameless_file(const fs::path& directory);

// Bytes that an unprivileged process may still write to the file system that holds path (an existing directory).
std::uint64_t free_space(const fs::path& path);

// n random bytes as hexadecimal, for names.
std::string random_name(std::size_t bytes = 8);

}  // namespace cairn
