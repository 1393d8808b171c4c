// A restore to standard output.
#pragma once

#include "cli/session.hpp"
#include "engine/restore/streamer.hpp"
#include "util/exit_status.hpp"

#include <string>
#include <utility>
#include <vector>

namespace cairn {

// Whether TARGET means standard output. A directory of that name is "./-".
bool is_standard_output(const std::string& target);

// Error(usage) where what was asked for does not go together with TARGET.
struct OutputOptions {
  bool tar = false;
  bool plan = false;
  std::vector<std::pair<const char*, bool>>
      of_files{};  // options that are about files at TARGET; whether they are given
};
void check_output_options(const Session& session, const std::string& target, const OutputOptions& options);

// An error for each entry that was left out.
void print_problems(Session& session, const std::vector<RestoreProblem>& problems);
// How many of which kind were left out of what, and the exit status that this makes.
ExitStatus print_left_out(Session& session, const std::vector<RestoreProblem>& problems, const std::string& where);

// Only content goes to standard output; what is told beside it goes to standard error. Throws OutputLost where the
// reader went away or the disk is full, and what stream_snapshot() throws.
ExitStatus restore_to_output(Session& session, Context& context, const Manifest& manifest,
                             const RestoreRequest& request, StreamShape shape);

}  // namespace cairn
