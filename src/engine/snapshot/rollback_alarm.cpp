#include "engine/snapshot/rollback_alarm.hpp"

#include "util/error.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

RollbackAlarm::RollbackAlarm(Repository& repository, const SequenceMemory& memory, Reporter& reporter,
                             std::string series)
    : m_repository(repository), m_memory(memory), m_reporter(reporter), m_series(std::move(series)) {
  try {
    m_noted = m_memory.last_sequence(m_repository.descriptor().store_id, m_series);
  } catch (const Error& e) {
    m_reporter.info(fmt::format("unable to read the number of the last snapshot: {}", e.message()));
  }
}

// The warning where no snapshot of the noted number or a newer one is found that this one follows on. Another run of
// this host that overlapped with one before may have given the newest snapshot a lower number.
std::optional<std::string> RollbackAlarm::missed(const SnapshotResult& result) const {
  std::vector<std::string> unreadable;
  bool untrusted = false;
  for (const auto& snapshot : m_repository.manifests().list_snapshots(result.series, &unreadable)) {
    if (snapshot.id == result.id || snapshot.record.sequence < m_noted) continue;
    if (snapshot.trusted) return std::nullopt;
    untrusted = true;
  }
  const char* found = !unreadable.empty() ? "among what can be read of the store"
                      : untrusted         ? "in the store with the signature of a trusted key"
                                          : "in the store";
  return fmt::format(
      "snapshot number {} of series {}, which this host took, is not {} any more, nor any newer one: unless it was "
      "removed on purpose, find out how it went",
      m_noted, quote(result.series), found);
}

void RollbackAlarm::committed(const SnapshotResult& result) {
  try {
    const std::string& store_id = m_repository.descriptor().store_id;
    const auto warning = m_noted >= result.sequence ? missed(result) : std::nullopt;
    if (warning) {
      m_reporter.warning(*warning);
      return m_memory.set_last_sequence(store_id, result.series, result.sequence);
    }
    const std::uint64_t now = m_memory.last_sequence(store_id, result.series);
    if (result.sequence > now) m_memory.set_last_sequence(store_id, result.series, result.sequence);
  } catch (const Error& e) {
    m_reporter.info(fmt::format("unable to note the number of the snapshot: {}", e.message()));
  }
}

}  // namespace cairn
