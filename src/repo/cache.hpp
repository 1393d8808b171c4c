// A place on this host for what can always be made again: pack directories, manifests, the journal of packs that this
// host stored. Losing it costs time and some deduplication, never correctness; nothing in it is believed unchecked.
#pragma once

#include "repo/pack.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// One store's part of the cache. Thread-safe. A cache that cannot be written is silently none: no error leaves here.
class Cache {
 public:
  // root/STORE-ID/ is used. An empty root, or for root one that is in another user's power (is_way_own()): every get
  // misses, every put does nothing.
  Cache(const fs::path& root, const std::string& store_id);

  // kind: "directories", "manifests", "heads" (the beginning of manifests) and "marks", both behind the size of their
  // objects, "own" (ids of snapshots that this host took, without content), "damaged" (packs that this host found
  // damaged, without content); name: a hexadecimal digest or an object's base name.
  std::optional<Bytes> get(std::string_view kind, std::string_view name) const;
  void put(std::string_view kind, std::string_view name, ByteView bytes) const;
  // Data that is a part of its object, or made of it, stands behind the size of the object, as listed: nothing where it
  // was made of one of another size.
  std::optional<Bytes> get_of_size(std::string_view kind, const std::string& name, std::uint64_t size) const;
  void put_of_size(std::string_view kind, const std::string& name, std::uint64_t size, std::string_view text) const;
  // The names of that kind that are there.
  std::vector<std::string> names(std::string_view kind) const;

  // Whether a day has gone by since the last claim of this store's cache, or since the first one was tried.
  bool claim_sweep() const;
  // Removes what keep() denies and is a day old: what is younger may have been put since keep() was made.
  void sweep(const std::function<bool(std::string_view kind, const std::string& name)>& keep) const;

  // Where the journals of runs are kept; empty where there is no cache.
  const fs::path& directory() const noexcept { return m_directory; }

 private:
  fs::path m_directory;  // empty: no cache
};

// The packs of one run, line by line, written before each pack is put: after a crash the next run of the series knows
// what to look for in the store. Thread-safe. Does nothing without a cache.
class RunJournal {
 public:
  RunJournal(const Cache& cache, const std::string& series, const std::string& run);
  void append(const PackRef& ref);
  // Packs in the journals of earlier runs of the series that ended without a commit; those of runs that are still
  // alive are left alone. Torn or wrong lines are skipped.
  const std::vector<PackRef>& abandoned() const noexcept { return m_abandoned; }
  // After the commit: this journal and the abandoned ones are of no more use.
  void clear();

 private:
  void read_abandoned(const fs::path& path);
  fs::path m_path;
  UniqueFd m_fd;  // holds flock(2): "this run is alive"
  std::mutex m_mutex;
  std::vector<fs::path> m_old;
  std::vector<UniqueFd> m_old_locks;
  std::vector<PackRef> m_abandoned;
};

}  // namespace cairn
