// Reads one pack whole and checks everything in it.
#pragma once

#include "repo/repository.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

struct PackCheck {
  std::uint64_t bytes = 0;            // read
  std::vector<std::string> failures;  // what is wrong, in the order of the pack; none: it is whole
  // False: sealed, and no key at hand opens its content: only its bytes were checked against its name.
  bool decoded = true;
};

// Header, every frame and chunk as restore opens and decodes them, directory, padding, trailer, and the SHA-256 of the
// whole against its name. Each byte is read once (the directory twice), and all once more where something is wrong:
// what is right then was changed on the way, of which a warning tells. Memory stays within some frames whatever the
// pack's size. A StoreError is thrown; damage is a result.
PackCheck check_pack(Repository& repository, const PackRef& ref);

}  // namespace cairn
