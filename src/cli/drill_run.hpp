// One drill as the command line and a run have it done: from the names of a store and a snapshot to a record that is
// where it belongs.
#pragma once

#include "cli/config.hpp"
#include "cli/session.hpp"
#include "repo/drill_record.hpp"
#include "store/broken_store.hpp"
#include "util/error.hpp"

#include <optional>
#include <string>

namespace cairn {

// The snapshot that is to be drilled.
struct DrillTarget {
  std::string store;
  std::string reference;                 // see SnapshotChoice
  std::optional<std::string> series;     // where the reference is "latest"
  const SourceConfig* source = nullptr;  // null: of no configured one
};

struct DrillOptions {
  enum class Pick { reference, random, oldest };
  Pick pick = Pick::reference;       // random, oldest: of the series that the reference names
  const KeyOptions* keys = nullptr;  // null: those of the configuration
  std::optional<fs::path> scratch;   // below which the restore goes; else where a run puts what waits
  std::optional<fs::path> keep;      // into which it goes, and stays
  bool accept = false;
  bool record = true;
  std::optional<std::string> record_to;  // another store
  bool chaos = false;                    // with a pack damaged; nothing is recorded
};

struct DrillReport {
  std::string store;
  DrillRecord record;
  std::optional<std::string> signer;  // of the snapshot
  std::string recorded_as;            // key of the record; empty: it is not in a store
  std::string recorded_in;            // that store
  std::string kept_because;           // why the record waits in this host's state; empty: it does not
  std::optional<Error> lost_record;   // why it is neither in a store nor there
  // Chaos: the pack, and whether its damage was found.
  std::optional<RehearsedDamage::Fault> fault = {};
  std::string pack = {};

  // Of a drill with a damaged pack: its damage was found.
  bool passed() const noexcept { return (record.outcome == DrillOutcome::passed) != fault.has_value(); }
};

// Throws Error where no drill came about.
DrillReport run_drill(Session& session, const DrillTarget& target, const DrillOptions& options);

// Puts what earlier drills of this host could not put into the store. A failure is a warning.
void push_kept_drills(const LocalState& state, Repository& repository);

}  // namespace cairn
