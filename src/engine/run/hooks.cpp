#include "engine/run/hooks.hpp"

#include "engine/run/run_host.hpp"
#include "engine/run/snapshot_job.hpp"
#include "store/store_url.hpp"
#include "util/interrupt.hpp"
#include "util/process.hpp"
#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

const char* hook_moment_name(HookMoment moment) noexcept {
  switch (moment) {
    case HookMoment::before:
      return "before";
    case HookMoment::after:
      return "after";
    case HookMoment::failed:
      return "failed";
    case HookMoment::finally:
      return "finally";
  }
  return "finally";
}

const Hooks::List& Hooks::of(HookMoment moment) const noexcept {
  switch (moment) {
    case HookMoment::before:
      return before;
    case HookMoment::after:
      return after;
    case HookMoment::failed:
      return failed;
    case HookMoment::finally:
      break;
  }
  return finally;
}

HookFacts facts_before(const SnapshotJob& job) {
  HookFacts facts;
  facts.source = job.name;
  facts.series = job.series;
  facts.store = without_secrets(job.store);
  return facts;
}

HookFacts facts_after(const SnapshotJob& job, const JobOutcome& outcome) {
  HookFacts facts = facts_before(job);
  if (outcome.result) {
    facts.snapshot = outcome.result->id.hex();
    facts.cut_point = format_time(outcome.result->cut_point);
  }
  facts.status = status_of(outcome);
  return facts;
}

std::vector<std::pair<std::string, std::string>> hook_environment(const HookFacts& facts) {
  std::vector<std::pair<std::string, std::string>> out{
      {"CAIRN_SOURCE", facts.source},
      {"CAIRN_SERIES", facts.series},
      {"CAIRN_SNAPSHOT", facts.snapshot},
      {"CAIRN_CUT_POINT", facts.cut_point},
      {"CAIRN_OUTCOME", facts.status ? outcome_name(*facts.status) : ""},
      {"CAIRN_EXIT_STATUS", facts.status ? std::to_string(to_int(*facts.status)) : ""},
      {"CAIRN_TARGET", facts.target},
      {"CAIRN_LAG_SECONDS",
       facts.lag ? std::to_string(std::chrono::floor<std::chrono::seconds>(*facts.lag).count()) : ""},
  };
  if (facts.store) out.emplace_back("CAIRN_STORE", *facts.store);
  return out;
}

std::vector<HookMoment> moments_of(ExitStatus status) {
  return {status == ExitStatus::done ? HookMoment::after : HookMoment::failed, HookMoment::finally};
}

bool goes_on_after_failure(HookMoment moment) noexcept {
  return moment == HookMoment::failed || moment == HookMoment::finally;
}

std::string hook_name(const HookCall& call) {
  const std::string name = fmt::format("{} hook {}", hook_moment_name(call.moment), quote(call.program));
  switch (call.owner.level) {
    case HookOwner::Level::run:
      return "the run's " + name;
    case HookOwner::Level::group:
      return fmt::format("{} of group {}", name, quote(call.owner.name));
    case HookOwner::Level::restore:
      return call.owner.name.empty() ? name + " of the restore"
                                     : fmt::format("{} of the restore of source {}", name, quote(call.owner.name));
    case HookOwner::Level::source:
      break;
  }
  return fmt::format("{} of source {}", name, quote(call.owner.name));
}

std::optional<Error> HookScope::run(HookMoment moment, const std::vector<std::string>& argv, const HookFacts& facts) {
  const HookCall call{m_owner, moment, argv.front()};
  ProcessOptions options;
  options.environment = hook_environment(facts);
  if (goes_on_after_failure(moment)) options.on_signal = ProcessOptions::OnSignal::keep;
  std::optional<Error> failure;
  try {
    const auto exit = run_program(
        argv, options, [&](std::string_view line) { m_listener.hook_said(call, line); }, m_hooks.timeout);
    // A signal to all of a service's processes ends the program as well.
    if (!exit.ok() && options.on_signal == ProcessOptions::OnSignal::end) check_interrupted();
    if (exit.timed_out) {
      failure.emplace(
          ErrorKind::failed,
          fmt::format("{} took longer than {} and was ended", hook_name(call), format_duration(m_hooks.timeout)),
          "hook_timeout in the configuration gives it more");
    } else if (!exit.ok()) {
      failure.emplace(ErrorKind::failed, fmt::format("{} {}", hook_name(call), exit.text()));
    }
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) {
      m_listener.hook_ended(call, e);
      throw;
    }
    failure.emplace(ErrorKind::failed, fmt::format("{}: {}", hook_name(call), e.message()), e.hint());
  }
  m_listener.hook_ended(call, failure);
  return failure;
}

// The first failure; all of them are added to failures.
std::optional<Error> HookScope::run_list(HookMoment moment, const HookFacts& facts, std::vector<Error>& failures) {
  std::optional<Error> first;
  for (const auto& argv : m_hooks.of(moment)) {
    if (!goes_on_after_failure(moment)) check_interrupted();
    auto failure = run(moment, argv, facts);
    if (!failure) continue;
    failures.push_back(*failure);
    if (!first) first = failure;
    if (!goes_on_after_failure(moment)) break;
  }
  return first;
}

std::optional<Error> HookScope::begin(const HookFacts& facts) {
  std::vector<Error> failures;
  try {
    return run_list(HookMoment::before, facts, failures);
  } catch (const Error& e) {
    return e;
  }
}

HookScope::End HookScope::end(HookFacts facts, ExitStatus status) {
  End end;
  if (status == ExitStatus::done) {
    facts.status = status;
    try {
      if (run_list(HookMoment::after, facts, end.failures)) status = ExitStatus::failed;
    } catch (const Error& e) {
      end.interrupted = e;
      status = ExitStatus{exit_status_of(e.kind(), interrupted_by())};
    }
  }
  facts.status = status;
  for (const HookMoment moment : moments_of(status)) {
    if (moment != HookMoment::after) run_list(moment, facts, end.failures);
  }
  return end;
}

}  // namespace cairn
