// The content of one snapshot, entry by entry.
#pragma once

#include "cli/session.hpp"
#include "repo/entry.hpp"
#include "repo/manifest.hpp"

namespace cairn {

// A line an entry: "-rw-r--r-- root root 1.5 KiB 2026-11-21 03:24:10 UTC path" with aligned columns, or, with --json,
// {"schema":"cairn.list/1", and the members of the entry}. Streams: memory is bounded whatever the snapshot.
void print_files(Session& session, OpenStore& store, const Manifest& manifest);

// As ls -l prints type and permissions: "drwxr-xr-x".
std::string mode_text(EntryType type, std::uint32_t mode);

}  // namespace cairn
