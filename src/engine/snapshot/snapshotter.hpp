// Takes one snapshot: capture, deduplicate, compress, pack, store, commit.
//
// Room engine/snapshot: from a source into a store, through engine/commit. Writes to no file but its own in the spool.
#pragma once

#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "codec/minisign.hpp"
#include "engine/context.hpp"
#include "engine/snapshot/size_guard.hpp"
#include "repo/manifest.hpp"
#include "util/spool_directory.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

enum class DryRun { no, yes };

struct SnapshotRequest {
  std::string series;
  // The series name came from a default: refused (usage) where the series is another source's (check_claim()).
  bool series_defaulted = false;
  std::optional<Time> own_key_since;  // as in SeriesClaim
  bool taken_before = false;
  SizeGuard guard;
  std::map<std::string, std::string> tags;
  bool reread = false;          // read every file, whatever its metadata says
  DryRun dry_run = DryRun::no;  // reads and deduplicates, stores nothing
  std::optional<fs::path>
      spool;                    // where packs wait for a store that has no place of its own; nothing: in memory, a few
  SpoolLimit spool_limit = {};  // how much of them
  std::shared_ptr<const minisign::SecretKey> signing_key;  // nothing: the snapshot is not signed
};

struct SnapshotResult {
  Digest id;  // of nothing where dry_run
  std::string series;
  Time cut_point;
  std::uint64_t sequence = 0;  // in its series
  SnapshotStats stats;
  bool incomplete = false;
  Doubt doubt = Doubt::none;
  std::vector<SourceProblem> problems;  // a doubt is among them
  std::chrono::nanoseconds duration{};
  std::string content_facts;  // JSON members
};

// Commits exactly when it returns. Refused (SourceError(failed)) is what the guard refuses. A SourceError that ends the
// capture and every StoreError leave no manifest; what was stored till then is recorded (pending record, journal) for
// the next run.
SnapshotResult take_snapshot(Context& context, Source& source, const SnapshotRequest& request);

}  // namespace cairn
