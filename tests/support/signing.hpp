// The one author whose key tests trust where they trust any, and its signatures.
#pragma once

#include "codec/minisign.hpp"
#include "repo/manifest.hpp"
#include "repo/trust.hpp"

namespace cairn::test {

inline const minisign::SecretKey& author() {
  static const auto key = minisign::SecretKey::generate();
  return key;
}

inline TrustPolicy trusting_author() {
  return {{{author().public_key().text(), "*"}}, {}};
}

inline void sign(Manifest& manifest) {
  manifest.signatures = {{author().public_key().text(),  //
                          author().sign(signed_line(manifest.record, manifest.id), "comment")}};
}

}  // namespace cairn::test
