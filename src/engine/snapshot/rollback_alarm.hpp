// Notices that snapshots of a series were taken away. Somebody who can delete from the store can remove the newest
// ones, and nothing in the store would tell: the next one follows on those that are left. But this host remembers.
#pragma once

#include "engine/snapshot/snapshotter.hpp"
#include "repo/repository.hpp"
#include "repo/sequence_memory.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

// One for each snapshot. A memory that cannot be read or written costs the alarm, not the snapshot: that is an info.
class RollbackAlarm {
 public:
  // To be made before the run lists the store: what another run notes later is newer than that listing, and proves
  // nothing. All outlive it.
  RollbackAlarm(Repository& repository, const SequenceMemory& memory, Reporter& reporter, std::string series);
  RollbackAlarm(const RollbackAlarm&) = delete;
  RollbackAlarm& operator=(const RollbackAlarm&) = delete;

  // Whether the memory says that this host has taken snapshots of the series.
  bool taken_before() const noexcept { return m_noted != 0; }
  // Warns where the snapshot that was noted is not found any more, nor a newer one; once, as from then on it counts
  // from what is there. Notes the number of the new one.
  void committed(const SnapshotResult& result);

 private:
  std::optional<std::string> missed(const SnapshotResult& result) const;

  Repository& m_repository;
  const SequenceMemory& m_memory;
  Reporter& m_reporter;
  std::string m_series;
  std::uint64_t m_noted = 0;
};

}  // namespace cairn
