// Walks a snapshot's entries and where their content is. Verify stands on this.
#pragma once

#include "repo/content_runs.hpp"
#include "repo/entry.hpp"
#include "repo/frame_fetcher.hpp"
#include "repo/manifest.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

class TreeVisitor {
 public:
  virtual ~TreeVisitor() = default;
  // An entry. For a file: whether its content is wanted; then run()s and one end_file() follow.
  virtual bool entry(const Entry& entry) = 0;
  virtual void run(const ContentRun& run) = 0;
  // failure: the content does not fit the packs or the entry (Error(damaged)); runs may have been seen before it.
  virtual void end_file(const std::optional<Error>& failure) = 0;
};

// Calls the visitor in order. lists fetches the entry list, content what is asked about packs with content; they may be
// one. Extents are checked against the directories: in range, lengths add up to the file's size.
// Throws Error(damaged) where the list itself cannot be read.
void walk_tree(const Manifest& manifest, FrameFetcher& lists, FrameFetcher& content, TreeVisitor& visitor);

}  // namespace cairn
