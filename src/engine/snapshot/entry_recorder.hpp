// Entries into the spool, with what is counted of them, and what of the source could not be stored.
#pragma once

#include "engine/snapshot/captured_item.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/lost_names.hpp"
#include "engine/snapshot/path_order.hpp"
#include "repo/entry.hpp"
#include "repo/manifest.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

// Every problem is a warning as well. One thread.
class EntryRecorder {
 public:
  struct Options {
    SourceShape shape = SourceShape::tree;  // of a single file: what cannot be stored ends the capture
    std::uint64_t expected = 0;             // bytes, for progress; 0 where unknown
    PathOrder* order = nullptr;             // of entries that do not come in path order: takes them down
  };
  EntryRecorder(Reporter& reporter, EntrySpool& spool, Options options)
      : m_reporter(reporter), m_spool(spool), m_options(options) {}
  EntryRecorder(const EntryRecorder&) = delete;
  EntryRecorder& operator=(const EntryRecorder&) = delete;

  // Adds the entry, whose parts are in the spool. Data that the format has no room for, or that a reader would refuse,
  // is left out and told: else nobody could read the list. Throws SourceError(failed) where that is a single file.
  void end_entry(Entry& entry);
  // The same; and notes a name that was lost while its content was read.
  void end_item(CapturedItem& item);
  // Leaves out what could not be read (CapturedItem::failure). One that vanished is no problem.
  void leave_out(const CapturedItem& item);
  // Leaves out a path, so that no link may lead to it.
  void drop(const std::string& path, const std::string& message);
  // The snapshot is incomplete.
  void problem(const std::string& path, const std::string& message);
  // The same of content that is stored: the next run must not take the file for unchanged, and say nothing.
  void tell_each_time(Entry& entry, const std::string& message);
  // under_way: bytes of the file that is being read.
  void progress(std::uint64_t under_way) const {
    m_reporter.progress("snapshot", m_stats.bytes + under_way, m_options.expected);
  }

  LostNames& lost() noexcept { return m_lost; }
  // Entries, files and bytes.
  const SnapshotStats& stats() const noexcept { return m_stats; }
  const std::vector<SourceProblem>& problems() const noexcept { return m_problems; }

 private:
  Reporter& m_reporter;
  EntrySpool& m_spool;
  Options m_options;
  LostNames m_lost;
  SnapshotStats m_stats;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn
