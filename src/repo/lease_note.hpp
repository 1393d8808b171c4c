// Which leases the processes of this host took: one whose holder was killed is told from one that is in use, and need
// not run out first.
#pragma once

#include "repo/cache.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"

#include <optional>

namespace cairn {

// A file in the cache, locked as long as this object lives (flock(2)), with the digests of the leases it took. It stays
// there after that, unless forget() was called: whoever does not know whether its lease is in the store leaves the note
// behind. Does nothing without a cache; no error leaves here.
class LeaseNote {
 public:
  explicit LeaseNote(const Cache& cache);
  LeaseNote(const LeaseNote&) = delete;
  LeaseNote& operator=(const LeaseNote&) = delete;
  // Before the lease is put.
  void add(ByteView lease);
  // No lease of it is in the store.
  void forget() const;

 private:
  fs::path m_path;
  UniqueFd m_fd;
};

// The note of a process of this host that took the lease and lives no more. Locked: of several that find it one gets
// it.
class DeadHolder {
 public:
  static std::optional<DeadHolder> find(const Cache& cache, ByteView lease);
  // The lease is gone: nobody needs the note any more.
  void forget() const;

 private:
  DeadHolder(fs::path path, UniqueFd fd) : m_path(std::move(path)), m_fd(std::move(fd)) {}
  fs::path m_path;
  UniqueFd m_fd;
};

}  // namespace cairn
