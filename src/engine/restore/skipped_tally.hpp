// What a restore could not do for want of privilege, or of support by the file system.
#pragma once

#include "engine/restore/apply_metadata.hpp"
#include "util/log.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace cairn {

// Thread-safe but for tell().
class SkippedTally {
 public:
  void note(const SkippedMetadata& skipped);
  // A device, or a link to one: it is not in place.
  void note_device() noexcept { ++m_devices; }

  std::uint64_t devices() const noexcept { return m_devices; }
  // Entries and attributes.
  std::uint64_t all() const noexcept { return m_xattrs + m_owners + m_devices; }

  // One warning a kind.
  void tell(Reporter& reporter) const;

 private:
  std::atomic<std::uint64_t> m_xattrs{0};
  std::atomic<std::uint64_t> m_owners{0};
  std::atomic<std::uint64_t> m_devices{0};
  std::mutex m_mutex;
  std::string m_first_xattr;
};

}  // namespace cairn
