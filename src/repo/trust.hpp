// Whose snapshots count: keys that are trusted for series, and keys that are no more. Pure; thread-safe.
#pragma once

#include "repo/manifest.hpp"
#include "util/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct TrustedKey {
  std::string key;           // minisign public key, "RW..."
  std::string series = "*";  // whose snapshots it may sign: a series, or a pattern with '*' and '?'

  bool operator==(const TrustedKey&) const = default;
};

// Nothing that came to the store at or after `since`, by the store's own clock, is believed to be the key's owner's.
struct RevokedKey {
  std::string key;
  std::optional<Time> since;  // nothing: whenever it came

  bool operator==(const RevokedKey&) const = default;
};

struct Judgement {
  bool trusted = true;
  std::optional<std::string> signer;  // public key of a signature that is right; of a trusted one if there is any
};

struct TrustPolicy {
  std::vector<TrustedKey> trusted = {};
  std::vector<RevokedKey> revoked = {};

  // Whether snapshots need a signature: then those without one of a trusted key do not exist for whoever looks for one.
  bool demands_signature() const noexcept { return !trusted.empty(); }
  // Whether a right signature of this key counts for the series, on what came to the store at that time.
  bool trusts(const std::string& key, const std::string& series, Time stored_at) const;
  // stored_at: of the manifest, by the store's clock. Signatures that are wrong or malformed count for nothing.
  Judgement judge(const Record& record, const Digest& id, const std::vector<Signature>& signatures,
                  Time stored_at) const;
  // The same for another line that an author signs about a series.
  Judgement judge(const std::string& line, const std::string& series, const std::vector<Signature>& signatures,
                  Time stored_at) const;
  // Of what says which object is which pack: the keys that signed the line, of those that are trusted for some series;
  // where no key is trusted, `own` alone is asked about, this host's.
  std::vector<std::string> signers(const std::string& line, const std::vector<Signature>& signatures, Time stored_at,
                                   const std::optional<std::string>& own) const;
  // Whether the word of such a key counts for a series. Where no key is trusted it does.
  bool trusts(const std::string& key, const std::string& series) const;

 private:
  bool is_revoked(const std::string& key, Time stored_at) const;
};

}  // namespace cairn
