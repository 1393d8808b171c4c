// One item of a source on its way through the capture.
#pragma once

#include "capture/content_reader.hpp"
#include "capture/source.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/previous_entries.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

// Owned by one thread at a time: the one that walks the source hands it to a worker, and takes it back in order.
struct CapturedItem {
  explicit CapturedItem(SourceItem item) : source(std::move(item)), seen_inode(source.entry.inode) {}

  SourceItem source;
  bool read = false;                                  // its content is to be read
  std::vector<LocalPart> reuse;                       // otherwise: where the unchanged content is
  std::deque<PreviousEntries::ContentPart> previous;  // parts of the previous version that were looked at in vain
  WholeFile content;
  std::string failure;       // the source could not be read
  bool vanished = false;     // it is not there any more: no problem, as if the walk had begun a moment later
  bool replaced = false;     // something that cannot be read has taken its name
  bool locked = false;       // another process has locked it
  bool can_wait = true;      // it may be tried again at the end
  std::uint64_t seen_inode;  // the one that the walk saw

  void fail(const SourceError& e) {
    failure = e.message();
    vanished = e.kind() == ErrorKind::not_found;
    replaced = dynamic_cast<const ReplacedError*>(&e) != nullptr;
    locked = e.kind() == ErrorKind::busy;
  }
  // Whether the name is another file's by now, or nobody's, as far as opening it has shown.
  bool lost_name() const { return vanished || replaced || source.entry.inode != seen_inode; }
};

}  // namespace cairn
