// Keeps two prunes of one store apart, as a courtesy: correctness never rests on it, and a store that cannot create
// conditionally has none.
#pragma once

#include "engine/context.hpp"

#include <string>

namespace cairn {

// Holds lease/prune.json from construction to destruction. A lease older than an hour, by the store's clock, was left
// behind and is replaced. Error(busy) where somebody else holds it.
class PruneLease {
 public:
  explicit PruneLease(Context& context);
  PruneLease(const PruneLease&) = delete;
  PruneLease& operator=(const PruneLease&) = delete;
  // Gives the lease back; a failure to do so is only reported, the lease expires by itself.
  ~PruneLease();

 private:
  Context& m_context;
  bool m_held = false;
};

}  // namespace cairn
