// Decides what of a snapshot goes to a stream: from the manifest, the entry list and directories of packs. Writes
// nothing, and looks at no target.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/data_segments.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_executor.hpp"
#include "engine/restore/restore_planner.hpp"
#include "repo/manifest.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

enum class StreamShape {
  file,  // the bytes of the one file that is chosen
  tar,
};

// Facts of an entry that its step does not hold.
struct StreamNote {
  std::string user;
  std::string group;
  SegmentRange data;     // of a file
  bool damaged = false;  // it is known that its content cannot be had
  // Of a hard link, which is no step at all: steps give links after all else, and a directory that gets a name after
  // its own turn does not keep its time.
  std::string link_path = {};
  std::string link_target = {};
};

// One for each entry, in the order of the stream. Written once, read back once. One thread.
class StreamNotes {
 public:
  explicit StreamNotes(const fs::path& directory) : m_spool(directory) {}
  void add(const StreamNote& note);
  // Nothing at the end.
  std::optional<StreamNote> next();

 private:
  std::string next_text();

  SpoolFile m_spool;
  std::uint64_t m_at = 0;  // read so far
};

struct PreparedStream {
  RestoreFigures figures;
  FetchPlan fetch;
  RestoreSteps steps;  // of every entry that is written but hard links; owners are as they were recorded
  StreamNotes notes;
  DataSegments segments;
  std::set<std::string> linked;          // paths that hard links lead to
  std::vector<RestoreProblem> problems;  // files whose content is damaged
  std::uint64_t sockets = 0;             // left out
  std::optional<Error> refusal;          // why what was chosen is not one file
  fs::path spool;
};

// So much of a large file may wait on disk for its turn.
inline constexpr std::uint64_t k_stream_stripe = 256ULL << 20;

// The access in tools is never to whole packs: how long the content is, and where it has holes, is known before the
// first byte is fetched. Throws Error for what stream_snapshot() refuses: see there.
PreparedStream prepare_stream(Context& context, const Manifest& manifest, const RestoreRequest& request,
                              StreamShape shape, const PlanningTools& tools);

}  // namespace cairn
