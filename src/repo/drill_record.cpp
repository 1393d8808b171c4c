#include "repo/drill_record.hpp"

#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

namespace cairn {

namespace {

using std::chrono::milliseconds;

constexpr std::string_view k_format = "cairn-drill";
constexpr std::string_view k_signatures = ",\"signatures\":";
constexpr std::string_view k_end = "}\n";
constexpr std::array k_results{DrillCheck::Result::passed, DrillCheck::Result::told, DrillCheck::Result::skipped,
                               DrillCheck::Result::failed};

std::uint64_t to_ms(Nanoseconds time) {
  return static_cast<std::uint64_t>(std::max(std::chrono::duration_cast<milliseconds>(time), milliseconds{0}).count());
}

Nanoseconds from_ms(const Json& value) {
  // A longer time cannot be counted in nanoseconds.
  constexpr std::uint64_t k_most = 9'000'000'000'000;
  return milliseconds{static_cast<std::int64_t>(std::min(value.u64(), k_most))};
}

void write_numbers(JsonWriter& to, std::string_view name, const std::map<std::string, std::uint64_t>& numbers) {
  to.key(name).begin_object();
  for (const auto& [key, number] : numbers) to.member(key, number);
  to.end_object();
}

std::map<std::string, std::uint64_t> numbers_of(const Json& from) {
  std::map<std::string, std::uint64_t> out;
  for (const auto& [key, number] : from.object()) out[key] = number.u64();
  return out;
}

std::string private_text(const DrillRecord& record) {
  JsonWriter to;
  to.begin_object().member("host", record.host).key("versions").begin_object();
  for (const auto& [name, version] : record.versions) to.member(name, version);
  to.end_object().key("phases").begin_array();
  for (const auto& phase : record.phases) {
    to.begin_object().member("name", phase.name).member("ms", to_ms(phase.time)).member("bytes", phase.bytes);
    to.end_object();
  }
  to.end_array().key("checks").begin_array();
  for (const auto& check : record.checks) {
    to.begin_object().member("name", check.name).member("result", drill_result_name(check.result));
    to.member("message", check.message).end_object();
  }
  to.end_array().key("inventories").begin_array();
  for (const auto& held : record.inventories) {
    to.begin_object().member("path", held.path).member("kind", held.kind).member("bytes", held.bytes);
    to.member("digest", held.digest);
    if (held.newest) to.member("newest", format_time(*held.newest));
    write_numbers(to, "counts", held.counts);
    write_numbers(to, "broken", held.broken);
    write_numbers(to, "counters", held.counters);
    to.key("elements").begin_array();
    for (const auto& element : held.elements) to.value(element);
    to.end_array().end_object();
  }
  to.end_array().end_object();
  return std::move(to).text();
}

// One that only a later program knows is no pass, and no failure either.
DrillCheck::Result result_of(const std::string& name) {
  const auto found = std::find_if(k_results.begin(), k_results.end(),
                                  [&](DrillCheck::Result result) { return name == drill_result_name(result); });
  return found == k_results.end() ? DrillCheck::Result::skipped : *found;
}

DrillInventory inventory_of(const Json& from) {
  DrillInventory held;
  held.path = from.at("path").string();
  held.kind = from.at("kind").string();
  held.bytes = from.at("bytes").u64();
  held.digest = from.at("digest").string();
  if (const Json* newest = from.find("newest"); newest != nullptr && newest->is_string())
    held.newest = time_of(*newest);
  held.counts = numbers_of(from.at("counts"));
  held.broken = numbers_of(from.at("broken"));
  held.counters = numbers_of(from.at("counters"));
  for (const auto& element : from.at("elements").array()) held.elements.push_back(element.string());
  return held;
}

void parse_private(const Json& from, DrillRecord& record) {
  record.host = from.at("host").string();
  for (const auto& [name, version] : from.at("versions").object()) record.versions[name] = version.string();
  for (const auto& phase : from.at("phases").array()) {
    record.phases.push_back({phase.at("name").string(), from_ms(phase.at("ms")), phase.at("bytes").u64()});
  }
  for (const auto& check : from.at("checks").array()) {
    record.checks.push_back(
        {check.at("name").string(), result_of(check.at("result").string()), check.at("message").string()});
  }
  for (const auto& held : from.at("inventories").array()) record.inventories.push_back(inventory_of(held));
}

DrillRecord parse_object(std::string_view text, std::string_view what, const Keyring& keys) {
  const Json json = Json::parse(text);
  check_format(json, k_format, what);
  DrillRecord record;
  record.series = json.at("series").string();
  record.id = digest_of(json.at("id"));
  record.cut_point = time_of(json.at("cut_point"));
  record.time = time_of(json.at("time"));
  const std::string& outcome = json.at("outcome").string();
  if (outcome != drill_outcome_name(DrillOutcome::passed) && outcome != drill_outcome_name(DrillOutcome::failed)) {
    throw Error(ErrorKind::damaged, "invalid outcome");
  }
  record.outcome = outcome == drill_outcome_name(DrillOutcome::passed) ? DrillOutcome::passed : DrillOutcome::failed;
  record.store = json.at("store").string();
  record.recovery = from_ms(json.at("recovery_ms"));
  if (!layout::is_valid_series(record.series) || record.store.size() != 32 || !is_hex(record.store)) {
    throw Error(ErrorKind::damaged, "invalid series or store");
  }
  record.seal = parse_seal(json, what);
  // A string has no such bytes in it: its quotes are escaped.
  const Json* items = json.find("signatures");
  const auto end = text.find(k_signatures);
  if (items != nullptr && items->is_array() && end != std::string_view::npos) {
    record.signatures = parse_signatures(*items);
    record.unsigned_digest = sha256(std::string{text.substr(0, end)} + std::string{k_end});
  }
  auto own_text = std::optional{json.at("private").string()};
  if (is_sealed(record.seal)) own_text = keys.open_text(*own_text);
  record.closed = !own_text;
  if (own_text) parse_private(Json::parse(*own_text), record);
  return record;
}

}  // namespace

const char* drill_outcome_name(DrillOutcome outcome) noexcept {
  return outcome == DrillOutcome::passed ? "passed" : "failed";
}

const char* drill_result_name(DrillCheck::Result result) noexcept {
  switch (result) {
    case DrillCheck::Result::passed:
      return "passed";
    case DrillCheck::Result::told:
      return "told";
    case DrillCheck::Result::skipped:
      return "skipped";
    case DrillCheck::Result::failed:
      break;
  }
  return "failed";
}

std::string drill_line(const DrillRecord& record, const Digest& unsigned_digest) {
  return fmt::format("cairn-drill 1 {} {} {} {} {}\n", record.series, format_time(record.time), record.id.hex(),
                     drill_outcome_name(record.outcome), unsigned_digest.hex());
}

std::string DrillRecord::text(const Keyring& keys, const minisign::SecretKey* signing_key) const {
  JsonWriter to;
  to.begin_object().member("format", k_format).member("version", k_format_version);
  to.member("series", series).member("id", id.hex()).member("cut_point", format_time(cut_point));
  to.member("time", format_time(time)).member("outcome", drill_outcome_name(outcome));
  to.member("store", store).member("recovery_ms", to_ms(recovery)).member("seal", keys.seal());
  const std::string own = private_text(*this);
  to.member("private", keys.seals() ? keys.seal_text(own) : own);
  if (signing_key != nullptr) {
    const std::string line = drill_line(*this, sha256(to.text() + std::string{k_end}));
    to.key("signatures");
    write_signatures(to,
                     {{signing_key->public_key().text(), signing_key->sign(line, line.substr(0, line.size() - 1))}});
  }
  to.end_object().newline();
  return std::move(to).text();
}

DrillRecord DrillRecord::parse(std::string_view text, std::string_view what, const Keyring& keys) {
  try {
    return parse_object(text, what, keys);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    throw Error(ErrorKind::damaged, fmt::format("damaged drill record {}: {}", quote(what), e.message()), e.hint());
  }
}

void check_key(const DrillRecord& record, std::string_view key) {
  const auto name = layout::parse_drill_key(key);
  if (name && name->series == record.series && name->time == record.time && name->id == record.id.short_hex()) return;
  throw Error(ErrorKind::damaged, fmt::format("damaged drill record {}: it does not fit its name", quote(key)));
}

}  // namespace cairn
