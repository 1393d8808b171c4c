#include "engine/prune/pinner.hpp"

#include "engine/prune/prune_plan.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"

#include <optional>
#include <string>
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
    for (auto& stored : repository.notes().marks_besides(known).marks) {
      known.insert(stored.key);
      out.push_back(std::move(stored));
    }
  }
  return out;
}

void check_stays(Repository& repository, const SnapshotInfo& snapshot) {
  const auto removed = removal_records(all_marks(repository));
  const auto name = fmt::format("{} of series {}", snapshot.id.short_hex(), quote(snapshot.record.series));
  if (!repository.manifests().exists(snapshot.object.key)) {
    throw Error(ErrorKind::not_found, fmt::format("unable to pin {}: it was removed meanwhile", name),
                "if a prune or forget took it, it can be put back: cairn prune --undo");
  }
  if (removed.contains(snapshot.object.key)) {
    throw Error(ErrorKind::busy, fmt::format("unable to pin {} for certain: a prune or forget is removing it", name),
                "see with cairn list whether it stayed: then its pin holds; else put it back: cairn prune --undo");
  }
}

// The pin record that was put is read back: nobody is told of a pin that something in the store overrules, nor that one
// is off that holds for all others.
void check_took(Repository& repository, const SnapshotInfo& snapshot, bool pin, const std::optional<std::string>& key) {
  const std::string& series = snapshot.record.series;
  Pins pins = repository.notes().pins(NoteStore::Listed::twice, snapshot.id);
  const auto own = key ? layout::parse_pin_key(*key) : std::nullopt;
  // A listing may lag; what was put is there all the same.
  const auto there = own ? repository.notes().find(*key) : std::nullopt;
  if (there && pin) pins.add({*own, there->modified, {}});
  if ((own && !there) || pins.pinned(snapshot.id, series) != pin) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to {} {} of series {}: its record was put, and does not count",
                            pin ? "pin" : "unpin", snapshot.id.short_hex(), quote(series)),
                fmt::format("look at the objects below pins/{} in the store", snapshot.id.hex()));
  }
  if (const auto doubtful = pins.doubtful(snapshot.id, series); doubtful != 0) {
    repository.reporter().warning(
        fmt::format("{} in the store would take the pin off {}, and counts for nothing: it is of the future, or nobody "
                    "who is trusted signed it; programs of before obey it",
                    doubtful == 1 ? "a record" : fmt::format("each of {} records", doubtful), snapshot.id.short_hex()));
  }
}

}  // namespace

bool set_pin(Repository& repository, const SnapshotInfo& snapshot, PinAction action,
             const minisign::SecretKey* signing_key) {
  const bool pin = action == PinAction::pin;
  const std::string& series = snapshot.record.series;
  const auto key = repository.notes().set_pin(snapshot.id, series, pin, signing_key);
  if (pin) check_stays(repository, snapshot);
  check_took(repository, snapshot, pin, key);
  return key.has_value();
}

}  // namespace cairn
