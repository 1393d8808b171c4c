// Carries a prepared restore out: fetches what its steps need and writes it into staging.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/tree_writer.hpp"
#include "repo/frame_fetcher.hpp"

#include <cstdint>
#include <functional>
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
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;               // of them, holes included
  std::vector<RestoreProblem> problems;  // files by path, then links to them
};

// Called when all files are written, and no hard links yet: what it takes out of staging and puts among the problems is
// not there for them.
using AfterFiles = std::function<void(Restored&)>;

// Takes the steps from their beginning. fetcher: told what to expect. Throws what is no damage to a single file; then
// everything that was begun is at rest. By one thread, which is none of the context's.
Restored execute_restore(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan,
                         const AfterFiles& after_files = {});

}  // namespace cairn
