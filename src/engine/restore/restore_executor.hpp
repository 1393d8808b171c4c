// Carries a prepared restore out: fetches what its steps need and writes it into staging.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/tree_writer.hpp"
#include "repo/frame_fetcher.hpp"
#include "util/busy_clock.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// An entry that is left out while the rest is restored, but for an unsound database.
struct RestoreProblem {
  enum class Kind : std::uint8_t {
    damaged,  // a file whose stored content is
    broken,   // a database that was so when it was captured, and would have replaced another file
    unsound,  // such a database where nothing was in its place: it is not left out
    unfit,    // the target's file system does not take its name or its kind
  };
  std::string path;
  std::string message;
  Kind kind = Kind::damaged;
};

struct Restored {
  std::uint64_t files = 0;               // made, or found to be what they are to be
  std::uint64_t bytes = 0;               // of those that were made, holes included
  std::uint64_t reused = 0;              // bytes that came from local files or stayed where they are
  std::vector<RestoreProblem> problems;  // files by path, then links to them
  // Files whose local files are not what they were when the restore was planned: they are to be planned anew, without
  // those.
  std::set<std::string> outdated;
};

// Takes the steps from their beginning, but for hard links. fetcher: told what to expect. Throws what is no damage to a
// single file; then everything that was begun is at rest. By one thread, which is none of the context's. writing:
// counts the time in which files are written.
Restored execute_files(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan,
                       BusyClock* writing = nullptr);
// Hard links, when all files are there. done: of them all.
void execute_links(TreeWriter& writer, PreparedRestore& plan, Restored& done);

}  // namespace cairn
