#include "engine/run/store_pruner.hpp"

#include "repo/layout.hpp"
#include "util/error.hpp"

namespace cairn {

PruneOutcome prune_store(RunHost& host, const std::string& store, Apply apply) {
  PruneOutcome outcome;
  outcome.store = store;
  const auto failure = every_failure_of([&] {
    const auto opened = host.open_store(store, RunAccess::read);
    Context context = opened->context();
    Pruner pruner{context, host.new_prune(), apply};
    outcome.plan = pruner.plan();
    outcome.failures = outcome.plan->stops;
    if (apply == Apply::no || !outcome.failures.empty()) return;
    outcome.result = pruner.execute();
    context.repository.store().sweep_temporaries(layout::k_directories);
  });
  if (failure) outcome.failures.push_back(*failure);
  return outcome;
}

}  // namespace cairn
