// Reads one pack whole and checks everything in it.
#pragma once

#include "repo/repository.hpp"

#include <cstdint>
#include <vector>

namespace cairn {

struct PackCheck {
  std::uint64_t bytes = 0;                // read
  std::vector<std::string> failures;      // what is wrong, in the order of the pack; none: it is whole
  std::vector<std::uint32_t> bad_chunks;  // that cannot be restored; every chunk where the directory is wrong
  bool all_bad = false;
  bool decoded =
      true;  // false: sealed, and no key at hand opens its content: only its bytes were checked against its name
};

// Header, every frame and chunk, directory, trailer, and the SHA-256 of the whole against its name. Memory stays within
// some frames whatever the pack's size. A StoreError is thrown; damage is a result.
PackCheck check_pack(Repository& repository, const PackRef& ref);

}  // namespace cairn
