// Programs that the configuration has run around sources, groups and whole runs.
//
// Which program is run and which variables it gets are pure decisions, tested as such; HookScope carries them out.
#pragma once

#include "engine/run/outcome.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"
#include "util/time.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

class RunListener;
struct SnapshotJob;

enum class HookMoment {
  before,
  after,    // all went well
  failed,   // something did not, an incomplete snapshot and a push that failed too
  finally,  // in any case
};
// "before", "after", "failed", "finally".
const char* hook_moment_name(HookMoment moment) noexcept;

inline constexpr std::chrono::hours k_hook_timeout{1};

struct Hooks {
  using List = std::vector<std::vector<std::string>>;  // argument lists, none of them empty
  List before;
  List after;
  List failed;
  List finally;
  Nanoseconds timeout = k_hook_timeout;  // of each program

  const List& of(HookMoment moment) const noexcept;
  bool empty() const noexcept { return before.empty() && after.empty() && failed.empty() && finally.empty(); }
};

// Whose hooks they are, as messages say it.
struct HookOwner {
  enum class Level { run, group, source, restore };
  Level level = Level::run;
  std::string name;  // of the group or source; of a restore, of the source that has the series, if one has
};

// Facts that are known when a hook is run.
struct HookFacts {
  std::string source;
  std::string series;
  std::optional<std::string> store;  // nothing: the hook keeps the CAIRN_STORE that this process has, if any
  std::string snapshot;              // id
  std::string cut_point;
  std::optional<ExitStatus> status;
  std::string target;              // of a restore: its path
  std::optional<Nanoseconds> lag;  // the age of the cut point
};
// Of a job before it is begun, and of what became of it.
HookFacts facts_before(const SnapshotJob& job);
HookFacts facts_after(const SnapshotJob& job, const JobOutcome& outcome);
// CAIRN_SOURCE and the others, empty where a fact is not known: what an outer run said is not passed on.
std::vector<std::pair<std::string, std::string>> hook_environment(const HookFacts& facts);

// The lists that are run once the outcome is known, in order.
std::vector<HookMoment> moments_of(ExitStatus status);
// Of before and after what follows a program that fails is not run: it may rely on it. What cleans up is run in any
// case.
bool goes_on_after_failure(HookMoment moment) noexcept;

// One program of one list.
struct HookCall {
  HookOwner owner;
  HookMoment moment = HookMoment::before;
  std::string program;
};
// "before hook 'mountpoint'", with the group or, where it is asked for, the source whose it is.
std::string hook_name(const HookCall& call);

// The hooks of one owner. One thread.
class HookScope {
 public:
  // References must outlive it.
  HookScope(RunListener& listener, HookOwner owner, const Hooks& hooks)
      : m_listener(listener), m_owner(std::move(owner)), m_hooks(hooks) {}

  // Runs before. The failure that keeps what it stands before from being begun, if any; Error(interrupted) where a
  // signal came.
  std::optional<Error> begin(const HookFacts& facts);

  struct End {
    std::vector<Error> failures;
    std::optional<Error> interrupted;  // a signal came meanwhile
  };
  // Runs what follows the status, which is failed once a hook fails. A signal ends after, not failed and finally.
  End end(HookFacts facts, ExitStatus status);

 private:
  std::optional<Error> run_list(HookMoment moment, const HookFacts& facts, std::vector<Error>& failures);
  std::optional<Error> run(HookMoment moment, const std::vector<std::string>& argv, const HookFacts& facts);

  RunListener& m_listener;
  HookOwner m_owner;
  const Hooks& m_hooks;
};

}  // namespace cairn
