// The conditions that --swap and --keep-old have beyond other restores, found out before anything is fetched.
#pragma once

#include "codec/digest.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/staging.hpp"
#include "util/log.hpp"

#include <string>
#include <vector>

namespace cairn {

// "NAME.before-ID" for what a snapshot replaces.
std::string kept_name(const RestoreTarget& target, const Digest& snapshot);

// Throws Error(usage) where that name is taken (by something else than what an interrupted restore began to keep), is
// too long, or the target is a directory that is not swapped: of that each file is replaced for itself.
void check_keeping(const RestoreTarget& target, const std::string& kept);

// Of a target that is swapped: throws what require_unused_tree() throws, and says once how much could not be looked at.
// own: places that the restore itself reads or writes.
void check_swap(const RestoreTarget& target, const std::vector<fs::path>& own, Reporter& reporter);
// Throws Error(failed) where the file system does not exchange names. Says what interrupted swaps left there.
void check_exchange(const RestoreTarget& target, const Staging& staging, Reporter& reporter);

}  // namespace cairn
