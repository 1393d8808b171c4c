// Keeps two prunes of one store apart, as a courtesy: correctness never rests on it, and a store that cannot create
// conditionally has none.
#pragma once

#include "engine/context.hpp"

#include <chrono>
#include <string>

namespace cairn {

inline constexpr std::chrono::hours k_lease_expiry{1};

// Holds lease/prune.json from construction to destruction. A lease older than an hour, by the store's clock, was left
// behind and is replaced. Error(busy) where somebody else holds it.
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
  Time m_renewed;
  bool m_held = false;
};

}  // namespace cairn
