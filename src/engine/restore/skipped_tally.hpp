// Counts of what a restore could not do for want of privilege, or of support by the file system.
#pragma once

#include "engine/restore/apply_metadata.hpp"
#include "util/log.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace cairn {

// Thread-safe but for tell().
class SkippedTally {
 public:
  void note(const SkippedMetadata& skipped);
  // A device, or a link to one: it is not in place.
  void note_device() noexcept { ++m_devices; }

  // A hard link that the file system does not make: a copy of the file is in its place.
  void note_copy() noexcept { ++m_copies; }
  // An entry that the file system does not take, by its name or its kind: it is not in place.
  struct LeftOut {
    std::string path;
    std::string reason;
    bool file = false;
  };
  void leave_out(LeftOut entry);
  // By path. Not while entries are being made.
  std::vector<LeftOut> left_out() const;

  std::uint64_t devices() const noexcept { return m_devices; }
  // Entries and attributes.
  std::uint64_t all() const noexcept { return m_xattrs + m_acls + m_owners + m_modes + m_times + m_devices; }

  // One warning a kind.
  void tell(Reporter& reporter) const;

 private:
  void keep_first(std::string& first, const std::string& given);

  std::atomic<std::uint64_t> m_xattrs{0};
  std::atomic<std::uint64_t> m_owners{0};
  std::atomic<std::uint64_t> m_devices{0};
  std::atomic<std::uint64_t> m_acls{0};
  std::atomic<std::uint64_t> m_modes{0};
  std::atomic<std::uint64_t> m_times{0};
  std::atomic<std::uint64_t> m_copies{0};
  std::mutex m_mutex;  // of the rest
  std::string m_first_xattr;
  std::string m_first_acl;
  std::string m_first_mode;
  std::string m_first_time;
  std::vector<LeftOut> m_left_out;
};

}  // namespace cairn
