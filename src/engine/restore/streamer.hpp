// Gets a snapshot back as a stream: the content of one file, or a tar archive. Plan, then execute, as restorer.hpp
// does; but nothing can be taken back from a stream, so every chunk is verified before a byte of it is written.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/restore/stream_form.hpp"
#include "engine/restore/stream_planner.hpp"
#include "repo/manifest.hpp"

#include <cstdint>

namespace cairn {

struct StreamResult {
  std::uint64_t entries = 0;  // in the stream
  std::uint64_t sockets = 0;  // that an archive has no form for: left out
  std::vector<RestoreProblem> problems;
};

// The plan of stream_snapshot(). It throws what that would throw before it writes anything: Error(usage) where the
// shape is a file and a directory was chosen, several files or none that has content; Error(not_found) for paths that
// are not there. The target, overwrite and stripe of the request are of no use.
RestoreFigures plan_stream(Context& context, const Manifest& manifest, const RestoreRequest& request,
                           StreamShape shape);

// Memory is bounded whatever the size; content that is scattered over packs waits in the spool, up to k_stream_stripe.
// Files of an archive whose damage is known before their name is written are left out and named in the result. Whatever
// else is wrong throws: of one file, damage of any kind; then the output ends there, an archive so that whoever reads
// it finds it broken, and that is warned of.
StreamResult stream_snapshot(Context& context, const Manifest& manifest, const RestoreRequest& request,
                             StreamShape shape, StreamOutput& output);

}  // namespace cairn
