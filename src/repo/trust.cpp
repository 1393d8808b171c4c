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
  return judge(signed_line(record, id), record.series, signatures, stored_at);
}

Judgement TrustPolicy::judge(const std::string& line, const std::string& series,
                             const std::vector<Signature>& signatures, Time stored_at) const {
  Judgement out;
  out.trusted = !demands_signature();
  bool revoked_signer = false;
  for (std::size_t i = 0; i < signatures.size() && i < k_max_signatures; ++i) {
    const Signature& signature = signatures[i];
    if (!is_right(signature, line)) continue;
    const bool gone = is_revoked(signature.key, stored_at);
    const bool known = demands_signature() && trusts(signature.key, series);
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

bool TrustPolicy::is_revoked(const std::string& key, Time stored_at) const {
  return std::any_of(revoked.begin(), revoked.end(), [&](const RevokedKey& gone) {
    return gone.key == key && (!gone.since || stored_at >= *gone.since);
  });
}

bool TrustPolicy::trusts(const std::string& key, const std::string& series) const {
  if (!demands_signature()) return true;
  return std::any_of(trusted.begin(), trusted.end(), [&](const TrustedKey& known) {
    return known.key == key && ::fnmatch(known.series.c_str(), series.c_str(), FNM_NOESCAPE) == 0;
  });
}

std::vector<std::string> TrustPolicy::signers(const std::string& line, const std::vector<Signature>& signatures,
                                              Time stored_at, const std::optional<std::string>& own) const {
  const auto known = [&](const std::string& key) {
    if (!demands_signature()) return own && *own == key;
    return std::any_of(trusted.begin(), trusted.end(), [&](const TrustedKey& each) { return each.key == key; });
  };
  std::vector<std::string> out;
  for (std::size_t i = 0; i < signatures.size() && i < k_max_signatures; ++i) {
    const Signature& signature = signatures[i];
    if (!known(signature.key) || is_revoked(signature.key, stored_at) || !is_right(signature, line)) continue;
    out.push_back(signature.key);
  }
  return out;
}

}  // namespace cairn
