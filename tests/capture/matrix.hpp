// Captures spread over every combination of page size, auto_vacuum, journal mode, checkpoints and moment; databases
// that lie across the lock bytes at 1 GiB; and the proof that a fault is seen. Each prints its figures and gives the
// exit status: 0 where every image was exactly one committed state and the application noticed nothing.
#pragma once

#include "util/file.hpp"

#include <cstdint>

namespace cairn::hammer {

int run_matrix(const fs::path& parent, int captures, std::uint64_t seed);

// The first so many of three databases beyond 1 GiB.
int run_large(const fs::path& parent, int databases, std::uint64_t seed);

// A process that closes a descriptor of its own on -shm during its captures, so that its locks are gone: 0 where wrong
// images came of it and were found.
int run_planted(const fs::path& parent, int captures, std::uint64_t seed);

}  // namespace cairn::hammer
