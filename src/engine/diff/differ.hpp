// Changes between two snapshots, or between a snapshot and what is at a path now. Memory is bounded: both lists are
// read side by side, in path order.
//
// Room engine/diff: reads two snapshots, or one and a source; writes nothing anywhere.
#pragma once

#include "capture/source.hpp"
#include "engine/context.hpp"
#include "repo/entry.hpp"
#include "repo/manifest.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cairn {

struct Difference {
  enum class Kind { added, removed, changed };
  Kind kind = Kind::changed;
  const Entry* before = nullptr;  // null where added; valid during the call
  const Entry* after = nullptr;   // null where removed
  // Of a changed one: "type", "content", "size", "target", "device", "mode", "owner", "xattrs", "mtime", in this order.
  // Where the type is another, only that; "size" comes with "content".
  std::vector<const char*> what;
  const std::string& path() const noexcept { return after != nullptr ? after->path : before->path; }
};

struct DiffSummary {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t changed = 0;  // content, type or metadata
  std::uint64_t content_changed = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t bytes_before = 0;  // of all files
  std::uint64_t bytes_after = 0;
  std::uint64_t bytes_added = 0;    // of files that came
  std::uint64_t bytes_removed = 0;  // of files that went
  std::uint64_t bytes_changed = 0;  // of files whose content changed, their size now
  // Live paths that could not be read; they are not among the differences.
  std::vector<SourceProblem> problems;
};

using DifferenceSink = std::function<void(const Difference&)>;

// Contents are compared by the digests of their chunks; where the chunks were cut differently, by their bytes, every
// one of which is verified. Two hard links of one file are compared as links. Error(damaged) where a snapshot cannot be
// read.
DiffSummary diff_snapshots(Context& context, const Manifest& before, const Manifest& after, const DifferenceSink& sink);

// A file of the same size and modification time is taken for unchanged, unless the source says that it must always be
// read; one of the same size and another time is read and compared. Throws SourceError where the source as a whole
// cannot be read, Error(usage) where it is not reopenable.
DiffSummary diff_with_source(Context& context, const Manifest& before, Source& after, const DifferenceSink& sink);

}  // namespace cairn
