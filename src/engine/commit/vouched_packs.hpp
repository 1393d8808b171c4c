// Which packs of a store are known to hold what they are said to hold. A snapshot's signature does not cover the names
// of its packs, so whoever can put objects can copy a signed manifest and name others in it. Where keys are trusted a
// writer refers to a pack only where this host stored it, or has read all of it, or where a key that is trusted for the
// series signed a list with it: cairn-format(5), SIGNATURES.
#pragma once

#include "repo/repository.hpp"

#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace cairn {

// Thread-safe.
class VouchedPacks {
 public:
  // Begins with what this host's state knows, where it matters (Repository::vouches()); else it stays empty.
  explicit VouchedPacks(Repository& repository);
  VouchedPacks(const VouchedPacks&) = delete;
  VouchedPacks& operator=(const VouchedPacks&) = delete;

  // Adds the packs that a manifest's list names, if it can be opened and a known key signed it.
  void add(const Manifest& manifest);
  // Adds the packs that these keys signed.
  void add(const std::vector<std::string>& signers, const std::vector<PackRef>& packs);
  // Adds a pack that this host stored or read whole; it is remembered in the host's state.
  void add_own(const PackRef& ref);
  // The same of what is known there already, or need not be.
  void add_known(const PackRef& ref);

  // Whether this host stored it, or read it whole.
  bool is_own(const PackRef& ref) const;
  // Whether the object is known to be that: name, size, directory and logical id.
  bool has(const PackRef& ref, const std::string& series) const;
  // Whether it may be referred to: where no key is trusted, whatever it is.
  bool allows(const PackRef& ref, const std::string& series) const;

 private:
  using Packs = std::unordered_map<Digest, PackRef, DigestHash>;  // by name
  Repository& m_repository;
  bool m_matters;
  mutable std::mutex m_mutex;
  Packs m_own;
  std::map<std::string, Packs> m_signed;  // by key
};

}  // namespace cairn
