// Drill records: what they say, and what is signed of them.
#include "repo/drill_record.hpp"

#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void check(std::string_view input, const Keyring& keys) {
  const DrillRecord record = DrillRecord::parse(input, "d", keys);
  if (record.closed) return;
  const std::string plain = record.text();
  require(DrillRecord::parse(plain, "d").text() == plain, "a drill record is read as it was written");
  const std::string sealed = record.text(fuzz::fixed_keyring());
  require(DrillRecord::parse(sealed, "d", fuzz::fixed_keyring()).text() == plain, "the sealed form holds the same");
  require(DrillRecord::parse(sealed, "d").closed, "without a key it is closed");
  require(
      drill_line(record, record.unsigned_digest).find('\n') == drill_line(record, record.unsigned_digest).size() - 1,
      "what is signed is one line");
}

void run(std::string_view input) {
  const auto kinds = {ErrorKind::damaged, ErrorKind::failed};
  fuzz::accepted(kinds, [&] { check(input, no_keys()); });
  fuzz::accepted(kinds, [&] { check(input, fuzz::fixed_keyring()); });
}

std::vector<std::string> seeds() {
  DrillRecord record;
  record.series = "db";
  record.id = sha256(std::string_view{"snapshot"});
  record.time = *parse_time("2026-11-21T03:24:10.123456789Z");
  record.cut_point = record.time;
  record.store = std::string(32, 'a');
  record.recovery = std::chrono::milliseconds{41000};
  record.host = "host";
  record.versions = {{"cairn", "1"}};
  record.phases = {{"fetch", std::chrono::milliseconds{5}, 100}};
  record.checks = {{"rows of a.db", DrillCheck::Result::told, "t has 1, 2 at the last drill"}};
  DrillInventory held;
  held.path = "a.db";
  held.kind = "sqlite";
  held.digest = record.id.hex();
  held.newest = record.time;
  held.counts = {{"t", 1}};
  held.broken = {{"t -> p", 1}};
  held.counters = {{"change counter", 5}};
  held.elements = {"table t"};
  record.inventories = {held};
  std::string with_signature = record.text();
  with_signature.insert(with_signature.rfind('}'), R"(,"signatures":[{"key":"RW","minisig":"a\nb\nc\nd\n"}])");
  return {record.text(), record.text(fuzz::fixed_keyring()), with_signature};
}

const fuzz::Registration k_registration{{"drill_record", run, seeds}};

}  // namespace
