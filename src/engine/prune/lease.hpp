// Keeps two prunes of one store apart, as a courtesy: correctness never rests on it, and a store that cannot create
// conditionally has none.
#pragma once

#include "engine/context.hpp"
#include "repo/lease_note.hpp"

#include <chrono>
#include <string>

namespace cairn {

inline constexpr std::chrono::hours k_lease_expiry{1};

// Holds lease/prune.json from construction to destruction. A lease whose holder ran on this host and lives no more is
// replaced, and so is one older than an hour by the store's clock. Error(busy) where somebody else holds it.
class PruneLease {
 public:
  explicit PruneLease(Context& context);
  PruneLease(const PruneLease&) = delete;
  PruneLease& operator=(const PruneLease&) = delete;
  // Gives the lease back, after a signal too; a failure to do so is only reported, the lease expires by itself.
  ~PruneLease();

  // For a long run: begins the hour anew. Cheap where the last time was less than a quarter of an hour ago.
  void renew(Time now);

 private:
  std::string text(Time now) const;
  Context& m_context;
  LeaseNote m_note;
  Time m_renewed;
  bool m_held = false;
};

}  // namespace cairn
