// Checks that snapshots would restore.
//
// Room engine/verify: reads a store and tells what is wrong; of what it found right it signs lists, through
// engine/commit.
#pragma once

#include "engine/context.hpp"
#include "repo/repository.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

enum class VerifyLevel {
  quick,   // every manifest; every pack of it is there with its right size; marks and pending records
  sample,  // and the directories, entry lists, and all bytes of a rotating share of the packs
  full,    // and every byte, through restore's own code path, into nothing
};

// "quick", "sample", "full".
const char* verify_level_name(VerifyLevel level) noexcept;

// How a snapshot is named in what is reported about it: "SERIES@TIME (id)", from the name of its manifest.
std::string snapshot_name(const ManifestInfo& info);

struct VerifyRequest {
  VerifyLevel level = VerifyLevel::quick;
  std::vector<ManifestInfo> manifests;  // those to check
  double sample_share = 0.05;           // of the packs' bytes
};

struct VerifyProblem {
  std::string object;  // key of what is damaged or missing
  std::string message;
  std::vector<std::string> snapshots;  // snapshot_name() of each that needs it
};

struct VerifyResult {
  std::uint64_t snapshots = 0;         // one with two manifests is one
  std::uint64_t packs = 0;             // seen with their right size
  std::uint64_t packs_read = 0;        // decoded whole
  std::uint64_t bytes_read = 0;        // of packs
  std::uint64_t packs_closed = 0;      // of packs_read: sealed, so that their bytes were hashed but not decoded
  std::uint64_t snapshots_closed = 0;  // sealed, so that their entry lists were not followed
  std::uint64_t bytes_verified = 0;    // of files, at level full: of content that was decoded, and holes
  std::vector<VerifyProblem> problems;
  // Those that were found damaged or missing, also where another pack or manifest of the same content stands in for it.
  std::vector<PackRef> damaged_packs;
  std::vector<ManifestInfo> damaged_manifests;  // that cannot be read
  std::vector<PackRef> proven_packs;            // read whole, every chunk of them, and right
  // Where keys are trusted: packs that no list names which one of them signed, of the manifests that were looked at.
  std::vector<PackRef> unvouched_packs;
  std::chrono::nanoseconds duration{};
};

// Problems are results, not exceptions; a store that cannot be reached is a StoreError.
VerifyResult verify(Context& context, const VerifyRequest& request);

}  // namespace cairn
