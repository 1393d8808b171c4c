// Whether names in a directory may be made, replaced and removed: judged before anything is moved there.
#pragma once

#include "util/file.hpp"

#include <optional>
#include <string>

#include <sys/stat.h>
#include <sys/types.h>

namespace cairn {

// Rights of this process beyond what modes say. The number of its user tells little: the root of a container may have
// no capabilities, and another user some.
struct Rights {
  uid_t user = 0;
  bool any_owner = false;  // CAP_FOWNER: what only an owner may do is allowed
};
Rights own_rights() noexcept;

// Of a file or directory, as far as it decides whether it may be replaced or changed.
struct Protection {
  uid_t owner = 0;
  mode_t mode = 0;
  bool immutable = false;
  bool append_only = false;
};
// statx(2) was asked for owner and mode.
Protection protection_of(const struct statx& told) noexcept;

// A directory, and what the kernel says of writing to it.
struct DirectoryAccess {
  Protection protection;
  int write_error = 0;  // 0: names may be made in it
  int read_error = 0;   // 0: it may be opened
};
// Of an open directory (O_PATH is enough). Throws Error(failed), naming `shown`, where that cannot be found out.
DirectoryAccess look_at_access(int directory, const std::string& shown);

// Why something is refused.
struct Refusal {
  std::string reason;
  std::string hint;
};
// Throws it as Error(failed).
[[noreturn]] void throw_refusal(const Refusal& refusal, const std::string& shown);

// The pure decisions.
enum class Writing { granted, mendable, refused };
struct WriteJudgement {
  Writing writing = Writing::granted;
  Refusal refusal;  // where it is refused
};
// mendable: only the mode stands in the way, and it is this user's to change (MendedDirectories).
WriteJudgement judge_writing(const DirectoryAccess& directory, const Rights& rights);
// Whether a name of a directory that may be written can be given to something else, and what had it be removed.
std::optional<Refusal> refusal_to_replace(const Protection& there, const Protection& directory, const Rights& rights);
// Whether mode, times and attributes may be set at all.
std::optional<Refusal> refusal_to_change(const Protection& there);

}  // namespace cairn
