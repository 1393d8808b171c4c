// The limits within which a source's files and bytes are believed. A disk that is not mounted is an empty directory,
// and a dump of a half-configured database ends with status 0, too. Pure.
//
// A limit that the user set is absolute: beyond it nothing is committed. Where he set none, a loss is only a doubt: the
// snapshot is committed, marked in its record (repo/manifest.hpp), and displaces no other in retention.
#pragma once

#include "repo/manifest.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

struct SourceSize {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // logical, of all files
};

// The user's settings.
struct SizeGuard {
  std::uint64_t min_files = 0;
  std::uint64_t min_size = 0;      // bytes
  std::optional<double> max_drop;  // share (0 to 1) by which it may be smaller than the one before
  bool allow_empty = false;        // an emptied source is no doubt, and no drop
};

// By how much (a share) a database or a tree may be smaller than the one before without a doubt, where no limit is set.
inline constexpr double k_usual_drop = 0.5;

struct SizeJudgement {
  std::optional<std::string> refusal;  // "it gave 12 B, less than the minimum of 1 KiB"
  Doubt doubt = Doubt::none;
  std::string reason;  // of the doubt, in the same form
};

// The newest snapshot to compare with.
struct SizeBefore {
  std::optional<SourceSize> size = {};  // nothing: there is none, or it is not known
  bool closed = false;                  // there are snapshots, and no key at hand opens one
};

// usual_drop: nothing where the size of the source says little, as that of one file of any kind. Where the snapshots
// before are closed, nothing at all is in doubt: a host that was rebuilt may have its disk still to be mounted.
SizeJudgement judge_size(const SizeGuard& guard, const SourceSize& size, const SizeBefore& before,
                         std::optional<double> usual_drop);

}  // namespace cairn
