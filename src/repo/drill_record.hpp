// The record of one rehearsed restore: the object below drills/, and the line that is signed about it. See
// cairn-format(5), Drill records.
#pragma once

#include "codec/digest.hpp"
#include "repo/json_fields.hpp"
#include "repo/keyring.hpp"
#include "repo/manifest.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

enum class DrillOutcome { passed, failed };
// "passed", "failed".
const char* drill_outcome_name(DrillOutcome outcome) noexcept;

struct DrillPhase {
  std::string name;  // list, plan, fetch, verify, write, checks
  Nanoseconds time{};
  std::uint64_t bytes = 0;  // read or written in it; 0 where that says nothing

  bool operator==(const DrillPhase&) const = default;
};

struct DrillCheck {
  enum class Result {
    passed,
    told,     // passed, and somebody should look at it
    skipped,  // it could not be done here
    failed,
  };
  std::string name;  // "integrity app.db", "command 1"
  Result result = Result::passed;
  std::string message;  // where it is not plainly passed

  bool operator==(const DrillCheck&) const = default;
};
const char* drill_result_name(DrillCheck::Result result) noexcept;

// The content of a restored database, dump or tree in numbers, for the next drill to compare with.
struct DrillInventory {
  std::string path;  // in the snapshot; "." for the whole tree
  std::string kind;  // "sqlite", "dump", "tree", "file"
  std::uint64_t bytes = 0;
  std::string digest;                             // of the schema, hexadecimal; empty where none was to be had
  std::optional<Time> newest;                     // the newest time in it
  std::map<std::string, std::uint64_t> counts;    // of each table its rows; of a tree "entries" and "files"
  std::map<std::string, std::uint64_t> broken;    // rows whose foreign keys lead nowhere, by "t -> p"
  std::map<std::string, std::uint64_t> counters;  // what only ever grows, and is less in an older state
  std::vector<std::string> elements;              // of a schema: "table t", "column t.a TEXT"; ascending

  bool operator==(const DrillInventory&) const = default;
};

struct DrillRecord {
  std::string series;
  Digest id;       // of the snapshot that was restored
  Time cut_point;  // its own
  Time time;       // when the drill began, by the clock of its host
  DrillOutcome outcome = DrillOutcome::passed;
  std::string store;               // id of the store that the snapshot was restored from
  Nanoseconds recovery{};          // from the first request until the restored files were there; whole milliseconds
  std::string seal = k_seal_none;  // of the object it was read from
  bool closed = false;             // sealed, and no key at hand opens it: what follows is not there

  std::string host;
  std::map<std::string, std::string> versions;  // of program and libraries, by name
  std::vector<DrillPhase> phases;
  std::vector<DrillCheck> checks;
  std::vector<DrillInventory> inventories;

  // Over drill_line(), of the object it was read from; and that digest of it, where there are any.
  std::vector<Signature> signatures = {};
  Digest unsigned_digest = {};

  // All from host on is sealed where the keys seal. signing_key: null: it is not signed. Strings that are no UTF-8 are
  // Error(failed): who makes a record makes them safe.
  std::string text(const Keyring& keys = no_keys(), const minisign::SecretKey* signing_key = nullptr) const;
  // Error(damaged); or failed, for a newer version or an unknown seal. Members that are not known are ignored.
  static DrillRecord parse(std::string_view text, std::string_view what, const Keyring& keys = no_keys());
};

// The line that the host signs which made the record, with its newline: "cairn-drill 1 SERIES TIME ID OUTCOME SHA256".
// unsigned_digest: of the object as it is without its member "signatures", which is the last one.
std::string drill_line(const DrillRecord& record, const Digest& unsigned_digest);

// Error(damaged) where the name of the object says something else than its content.
void check_key(const DrillRecord& record, std::string_view key);

}  // namespace cairn
