#include "repo/trust.hpp"

#include "codec/minisign.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace cairn {

namespace {

// A snapshot has one author; more signatures than this are somebody's attempt to waste time.
constexpr std::size_t k_max_signatures = 16;

bool is_right(const Signature& signature, const std::string& line) {
  try {
    return minisign::verify(minisign::PublicKey::parse(signature.key), line, signature.minisig);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool TrustPolicy::trusts(const std::string& key, const std::string& series, Time stored_at) const {
  const bool gone = std::any_of(revoked.begin(), revoked.end(), [&](const RevokedKey& each) {
    return each.key == key && (!each.since || stored_at >= *each.since);
  });
  return !gone && std::any_of(trusted.begin(), trusted.end(), [&](const TrustedKey& each) {
    return each.key == key && ::fnmatch(each.series.c_str(), series.c_str(), FNM_NOESCAPE) == 0;
  });
}

Judgement TrustPolicy::judge(const Record& record, const Digest& id, const std::vector<Signature>& signatures,
                             Time stored_at) const {
  Judgement out;
  out.trusted = !demands_signature();
  bool revoked_signer = false;
  const std::string line = signed_line(record, id);
  for (std::size_t i = 0; i < signatures.size() && i < k_max_signatures; ++i) {
    const Signature& signature = signatures[i];
    if (!is_right(signature, line)) continue;
    const bool gone = std::any_of(revoked.begin(), revoked.end(), [&](const RevokedKey& key) {
      return key.key == signature.key && (!key.since || stored_at >= *key.since);
    });
    const bool known = std::any_of(trusted.begin(), trusted.end(), [&](const TrustedKey& key) {
      return key.key == signature.key && ::fnmatch(key.series.c_str(), record.series.c_str(), FNM_NOESCAPE) == 0;
    });
    revoked_signer = revoked_signer || gone;
    if (known && !gone) {
      out.trusted = true;
      out.signer = signature.key;
      return out;
    }
    if (!out.signer) out.signer = signature.key;
  }
  // Without keys to trust everything is taken, but not what a key signed that is known to be in the wrong hands.
  if (revoked_signer) out.trusted = false;
  return out;
}

}  // namespace cairn
