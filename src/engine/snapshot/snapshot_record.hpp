// The verdict on a capture once it is complete: whether it can be believed, what its clock was, and its record.
#pragma once

#include "engine/commit/commit_protocol.hpp"
#include "engine/snapshot/series_history.hpp"
#include "engine/snapshot/size_guard.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "repo/manifest.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// The name of a source in messages: "database '/srv/app.db'".
std::string subject_text(const Source& source);

// Whether what the source gave can be right; nothing is committed before that is known. Notes a doubt in the result,
// and its reason as a problem. Throws SourceError(failed) for what is beyond a limit that the user set. Pure.
void judge_capture(SnapshotResult& result, const Source& source, const SnapshotRequest& request,
                   const SizeBefore& before);

// The warning about the instant at which the snapshot is dated. A clock that is wrong is seen best when the snapshot is
// taken: later it is a name that means another snapshot, or retention that goes by the wrong one. clocks: at the
// commit. Pure.
std::optional<std::string> clock_warning(const SnapshotResult& result, const CommitProtocol::Clocks& clocks,
                                         const std::optional<SeriesHistory::Last>& last);

// The record of a snapshot that follows on the history. result: with doubt, cut point and whether it is incomplete.
// Pure.
Record make_record(const SnapshotResult& result, const SeriesHistory& history);

// Adds the author's signature. key: null: it stays as it is.
void sign_snapshot(Manifest& manifest, const minisign::SecretKey* key);

}  // namespace cairn
