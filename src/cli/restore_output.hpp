// A restore to standard output.
#pragma once

#include "cli/exit_status.hpp"
#include "cli/session.hpp"
#include "engine/restore/streamer.hpp"

namespace cairn {

// Whether TARGET means standard output. A directory of that name is "./-".
bool is_standard_output(const std::string& target);

// Error(usage) where what was asked for does not go together with TARGET.
struct OutputOptions {
  bool tar = false;
  bool plan = false;
  bool overwrite = false;
};
void check_output_options(const Session& session, const std::string& target, const OutputOptions& options);

// Only content goes to standard output; what is told beside it goes to standard error. Throws OutputLost where the
// reader went away or the disk is full, and what stream_snapshot() throws.
ExitStatus restore_to_output(Session& session, Context& context, const Manifest& manifest,
                             const RestoreRequest& request, StreamShape shape);

}  // namespace cairn
