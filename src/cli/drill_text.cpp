#include "cli/drill_text.hpp"

#include "cli/output.hpp"
#include "engine/drill/driller.hpp"
#include "store/store_url.hpp"
#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

using Result = DrillCheck::Result;

const char* fault_text(RehearsedDamage::Fault fault) {
  return fault == RehearsedDamage::Fault::lost ? "lost" : "flipped";
}

std::uint64_t count_of(const DrillRecord& record, Result result) {
  return static_cast<std::uint64_t>(std::count_if(record.checks.begin(), record.checks.end(),
                                                  [&](const DrillCheck& check) { return check.result == result; }));
}

std::string phase_text(const DrillPhase& phase) {
  const std::string text = fmt::format("{} {}", phase.name, format_duration(phase.time));
  return phase.bytes == 0 ? text : fmt::format("{} ({})", text, format_size(phase.bytes));
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : terminal_safe(text)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string seconds_text(Nanoseconds time) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(time).count());
}

std::string case_of(const std::string& suite, const DrillCheck& check) {
  std::string out =
      fmt::format("    <testcase classname=\"cairn.drill.{}\" name=\"{}\"", xml_text(suite), xml_text(check.name));
  switch (check.result) {
    case Result::passed:
      return out + "/>\n";
    case Result::told:
      return out + fmt::format("><system-out>{}</system-out></testcase>\n", xml_text(check.message));
    case Result::skipped:
      return out + fmt::format("><skipped message=\"{}\"/></testcase>\n", xml_text(check.message));
    case Result::failed:
      break;
  }
  return out + fmt::format("><failure message=\"{}\"/></testcase>\n", xml_text(check.message));
}

// The outcome of a drill with planted damage is one check of its own.
std::vector<DrillCheck> checks_of(const DrillReport& report) {
  if (!report.fault) return report.record.checks;
  return {{fmt::format("damage to {} is found", report.pack), report.passed() ? Result::passed : Result::failed,
           report.passed() ? "" : "the restore did not notice it"}};
}

std::string suite_of(const DrillLine& line) {
  const std::string begin = fmt::format("  <testsuite name=\"cairn drill {}\"", xml_text(line.name));
  if (!line.report) {
    return begin + fmt::format(
                       " tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    <testcase "
                       "classname=\"cairn.drill.{0}\" name=\"drill\"><error message=\"{1}\"/></testcase>\n  "
                       "</testsuite>\n",
                       xml_text(line.name), xml_text(line.failure ? line.failure->message() : ""));
  }
  const auto checks = checks_of(*line.report);
  const auto count = [&](Result result) {
    return std::count_if(checks.begin(), checks.end(), [&](const auto& check) { return check.result == result; });
  };
  std::string out =
      begin + fmt::format(
                  " tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{}\" "
                  "timestamp=\"{}\">\n",
                  checks.size(), count(Result::failed), count(Result::skipped),
                  seconds_text(line.report->record.recovery), format_time(line.report->record.time).substr(0, 19));
  for (const auto& check : checks) out += case_of(line.report->record.series, check);
  return out + "  </testsuite>\n";
}

}  // namespace

std::optional<Error> failure_of(const DrillReport& report) {
  if (report.passed()) return std::nullopt;
  const DrillRecord& record = report.record;
  const std::string what =
      fmt::format("drill of snapshot {} of {} failed", record.id.short_hex().substr(0, 12), record.series);
  if (report.fault) {
    return Error(ErrorKind::damaged, fmt::format("{}: {} was {}, and the restore did not notice it", what,
                                                 quote(report.pack), fault_text(*report.fault)));
  }
  return Error(ErrorKind::damaged, fmt::format("{}: {}", what, told_text(record, Result::failed)));
}

void print_drill(Session& session, const DrillReport& report) {
  const DrillRecord& record = report.record;
  session.say(fmt::format("drilled snapshot {} of {}, cut at {}, from {}: {}", short_id(record.id), record.series,
                          format_time_short(record.cut_point), without_secrets(report.store),
                          report.passed() ? "passed" : "FAILED"));
  if (report.fault) {
    if (report.passed()) {
      session.say(fmt::format("  {} was {} for the rehearsal, and the restore says so: {}", report.pack,
                              fault_text(*report.fault), told_text(record, Result::failed)));
    }
    return;
  }
  std::string phases;
  for (const auto& phase : record.phases) phases += (phases.empty() ? "" : ", ") + phase_text(phase);
  session.say(fmt::format("  restored in {}: {}", format_duration(record.recovery), phases));
  for (const auto result : {Result::failed, Result::told, Result::skipped}) {
    for (const auto& check : record.checks) {
      if (check.result == result) {
        session.say(fmt::format("  {}: {}: {}", drill_result_name(result), check.name, check.message));
      }
    }
  }
  session.say(fmt::format(
      "  {} passed, {} failed, {} to look at, {} skipped", counted(count_of(record, Result::passed), "check", "checks"),
      count_of(record, Result::failed), count_of(record, Result::told), count_of(record, Result::skipped)));
  if (!report.recorded_as.empty()) session.say(fmt::format("  recorded as {}", report.recorded_as));
}

void write_drill(JsonWriter& to, const DrillLine& line) {
  to.begin_object().member("name", terminal_safe(line.name)).member("store", without_secrets(line.store)).key("error");
  if (line.failure) {
    to.begin_object();
    write_error_members(to, *line.failure);
    to.end_object();
  } else {
    to.null();
  }
  if (!line.report) {
    to.end_object();
    return;
  }
  const DrillReport& report = *line.report;
  const DrillRecord& record = report.record;
  to.member("series", record.series).member("id", record.id.hex()).member("cut_point", format_time(record.cut_point));
  to.member("time", format_time(record.time)).member("outcome", report.passed() ? "passed" : "failed");
  to.member("signer", report.signer).member("recovery_ms", milliseconds(record.recovery)).key("phases").begin_array();
  for (const auto& phase : record.phases) {
    to.begin_object().member("name", phase.name).member("ms", milliseconds(phase.time)).member("bytes", phase.bytes);
    to.end_object();
  }
  to.end_array().key("checks").begin_array();
  for (const auto& check : checks_of(report)) {
    to.begin_object().member("name", check.name).member("result", drill_result_name(check.result));
    to.member("message", terminal_safe(check.message)).end_object();
  }
  to.end_array().key("chaos");
  if (report.fault) {
    to.begin_object().member("pack", report.pack).member("fault", fault_text(*report.fault));
    to.member("found", terminal_safe(told_text(record, Result::failed))).end_object();
  } else {
    to.null();
  }
  to.key("record");
  report.recorded_as.empty() ? to.null() : to.value(report.recorded_as);
  to.member("record_waits", !report.kept_because.empty()).end_object();
}

std::string junit_of(const std::vector<DrillLine>& lines) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cairn drill\">\n";
  for (const auto& line : lines) out += suite_of(line);
  return out + "</testsuites>\n";
}

std::string proof_text(const DrillRecord& record, Time now, bool here) {
  const auto ago = format_duration(std::max(elapsed(record.time, now), Nanoseconds{0}));
  const std::string where = here ? "" : " from another store";
  if (record.outcome == DrillOutcome::failed) return fmt::format("drill{} FAILED {} ago", where, ago);
  return fmt::format("proven{} {} ago in {}", where, ago, format_duration(record.recovery));
}

NewestDrills shown_drills(Session& session, OpenStore& store, const std::string& series) {
  NewestDrills drills;
  const auto failure = every_failure_of([&] { drills = newest_drills(store.repository->drills().list(series)); });
  if (failure) session.reporter().warning(fmt::format("drills are not shown: {}", failure->message()));
  return drills;
}

namespace {

bool is_of(const OpenStore& store, const DrillRecord& record) {
  return record.store == store.repository->descriptor().store_id;
}

}  // namespace

void write_proof(JsonWriter& to, const OpenStore& store, const NewestDrills& drills, const Digest& id) {
  to.key("drill");
  const auto found = drills.find(id);
  if (found == drills.end()) {
    to.null();
    return;
  }
  const DrillRecord& record = found->second.record;
  to.begin_object().member("outcome", drill_outcome_name(record.outcome)).member("time", format_time(record.time));
  to.member("recovery_ms", milliseconds(record.recovery)).member("of_this_store", is_of(store, record));
  to.member("signer", found->second.signer).member("record", found->second.key).end_object();
}

std::string proof_text(Session& session, const OpenStore& store, const NewestDrills& drills, const Digest& id) {
  const auto found = drills.find(id);
  if (found == drills.end()) return {};
  return proof_text(found->second.record, session.io().clock(), is_of(store, found->second.record));
}

}  // namespace cairn
