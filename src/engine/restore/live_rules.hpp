// The conditions that --live has beyond other restores, found out before anything is fetched.
#pragma once

#include "capture/sqlite/format.hpp"
#include "engine/restore/live_estimate.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/manifest.hpp"
#include "util/file_id.hpp"

#include <cstdint>

namespace cairn {

// What its header says of the database at the target. While others use it the rest is theirs.
struct LiveDatabase {
  FileId id;
  std::uint64_t bytes = 0;
  bool has_log = false;         // WAL mode
  std::uint32_t page_size = 0;  // 0: it has no pages
  std::uint32_t encoding = 0;   // as in sqlite::Header
};
// Throws Error(usage) where it is no database of SQLite's, has several names, or lies on a file system on which the
// locks of all who use it are not seen; Error(failed) where it cannot be read. The target is live.
LiveDatabase look_at_live(const RestoreTarget& target);

// Throws Error(usage) where the snapshot is none of one SQLite database, or only a part of it is asked for.
void check_live_snapshot(const Manifest& manifest, const RestoreRequest& request);

// Throw Error(usage) where its users could not go on with what is to go into it: under WAL the page size cannot change,
// and the text encoding never can. By what was recorded of the snapshot, as far as it was; by the image itself.
void check_fits(const LiveDatabase& there, const Manifest& manifest, const fs::path& shown);
void check_fits(const LiveDatabase& there, const sqlite::Header& image, const fs::path& shown);

// bytes: of the snapshot's one file.
LiveEstimate estimate_live(const LiveDatabase& there, const Manifest& manifest, std::uint64_t bytes);

}  // namespace cairn
