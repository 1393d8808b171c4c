// How the outcomes of drills are printed: for people, as JSON, and as JUnit's XML. Pure, but for where it is put.
#pragma once

#include "cli/drill_run.hpp"
#include "cli/session.hpp"
#include "repo/drill_store.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Of one target.
struct DrillLine {
  std::string name;  // what was to be drilled
  std::string store;
  std::optional<DrillReport> report;
  std::optional<Error> failure;  // where there is no report
};

// The failure that a drill ends in; nothing where it passed.
std::optional<Error> failure_of(const DrillReport& report);

void print_drill(Session& session, const DrillReport& report);
// An object.
void write_drill(JsonWriter& to, const DrillLine& line);
// A document with a test suite for each drill, and a test case for each of its checks.
std::string junit_of(const std::vector<DrillLine>& lines);

// "proven 2 d ago in 41 s", "drill FAILED 2 d ago"; now: of this host. here: whether it was of this store.
std::string proof_text(const DrillRecord& record, Time now, bool here);

// The newest drills of a store, for commands that show them beside snapshots: where they cannot be read a warning
// tells, and there are none. series: empty: of all.
NewestDrills shown_drills(Session& session, OpenStore& store, const std::string& series);
// The member "drill" of a snapshot: null where there is none.
void write_proof(JsonWriter& to, const OpenStore& store, const NewestDrills& drills, const Digest& id);
// The same for people; empty where there is none.
std::string proof_text(Session& session, const OpenStore& store, const NewestDrills& drills, const Digest& id);

}  // namespace cairn
