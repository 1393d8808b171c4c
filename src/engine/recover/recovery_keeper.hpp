// Puts recovery files into a store: cairn-format(5), recover/.
#pragma once

#include "codec/digest.hpp"
#include "codec/minisign.hpp"
#include "engine/recover/recovery_files.hpp"
#include "store/object_store.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cairn {

struct RecoveryKept {
  std::size_t put = 0;
  std::size_t there = 0;
};

// Puts those that a listing does not show, each with its signature where there is a key. version: of this program.
// Costs one request where all are there. Throws StoreError.
RecoveryKept keep_recovery_files(ObjectStore& store, std::span<const RecoveryFile> files, std::string_view version,
                                 const minisign::SecretKey* key);

// Differs where keep_recovery_files() has something else to put: to be noted, so that it needs not be asked.
Digest recovery_digest(std::span<const RecoveryFile> files, std::string_view version, const minisign::SecretKey* key);

}  // namespace cairn
