#include "engine/pinner.hpp"

#include "engine/prune_plan.hpp"
#include "util/error.hpp"

#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Listed twice: what one listing leaves out must not hide that the snapshot is about to go.
std::vector<StoredMark> all_marks(Repository& repository) {
  std::vector<StoredMark> out;
  std::unordered_set<std::string> known;
  for (int listing = 0; listing < 2; ++listing) {
    for (auto& stored : repository.marks_besides(known).marks) {
      known.insert(stored.key);
      out.push_back(std::move(stored));
    }
  }
  return out;
}

void check_stays(Repository& repository, const SnapshotInfo& snapshot) {
  const auto removed = removal_records(all_marks(repository));
  const auto name = fmt::format("{} of series {}", snapshot.id.short_hex(), quote(snapshot.record.series));
  if (!repository.store().head(snapshot.object.key)) {
    throw Error(ErrorKind::not_found, fmt::format("unable to pin {}: it was removed meanwhile", name),
                "if a prune or forget took it, it can be put back: cairn prune --undo");
  }
  if (removed.contains(snapshot.object.key)) {
    throw Error(ErrorKind::busy, fmt::format("unable to pin {} for certain: a prune or forget is removing it", name),
                "see with cairn list whether it stayed: then its pin holds; else put it back: cairn prune --undo");
  }
}

}  // namespace

bool set_pin(Repository& repository, const SnapshotInfo& snapshot, PinAction action) {
  const bool pin = action == PinAction::pin;
  const bool changed = repository.set_pin(snapshot.id, pin);
  if (pin) check_stays(repository, snapshot);
  return changed;
}

}  // namespace cairn
