// Signs, after all of it was read, which packs the snapshots of a store name: for those that were stored by programs
// which did not do that, or by a host without a signing key.
#pragma once

#include "engine/context.hpp"
#include "engine/verify/verifier.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Error(usage) where there is no signing key, or another one than those that are trusted.
void check_list_signer(const Repository& repository);

struct SignListsRequest {
  std::vector<ManifestInfo> manifests;  // those that were verified
  std::vector<PackRef> proven;          // VerifyResult::proven_packs
  std::optional<fs::path> spool;        // as for a push
};

struct SignListsResult {
  struct Left {
    std::string name;  // as verify names it
    std::string cause;
  };
  std::uint64_t snapshots = 0;  // that have a signed list now, and had none
  std::vector<Left> left;
};

// Each trusted snapshot of which no manifest has a list that a trusted key signed gets another one, with packs that
// were read whole and with its list signed. The first one stays until prune removes it. Throws what check_list_signer()
// does, StoreError, Error(interrupted).
SignListsResult sign_lists(Context& context, const SignListsRequest& request);

}  // namespace cairn
