// Decides what is told, and when: once a change of state. Pure.
//
// Room engine/notify: decides from outcomes and from what was told before, and carries the messages out. Whether they
// arrive changes nothing of a run.
#pragma once

#include "engine/notify/settings.hpp"
#include "engine/run/outcome.hpp"
#include "engine/status/series_status.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"
#include "util/time.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

enum class Condition { well, failed, stale };
// "well", "failed", "stale".
const char* condition_name(Condition condition) noexcept;

// The state of one thing that messages are about, as a run or a look at the stores found it.
struct Observation {
  std::string about;  // "source 'app'"; tells things apart, and is what people read
  Condition condition = Condition::well;
  ExitStatus status = ExitStatus::done;
  std::string source;    // these are empty where it is not about one
  std::string series;    //
  std::string store;     //
  std::string snapshot;  // id
  std::string message;   // why it is not well
  std::string hint;
};

// A source's series in one of its stores, and everything else that a run did. What a run did not come to is left out:
// of that it knows nothing. max_age: of a series, beyond which its newest snapshot is stale.
using MaxAgeOf = std::function<std::optional<Nanoseconds>(const std::string& series)>;
enum class RunScope {
  whole,
  part,  // of named sources: programs around the others were not run, and are not known to be well
};
std::vector<Observation> observations_of(const RunOutcome& run, RunScope scope, const MaxAgeOf& max_age);
Observation observation_of(const SeriesStatus& series, const std::string& store);
// Of a store that was, or could not be, looked at.
Observation observation_of_store(const std::string& store, const std::optional<Error>& failure);

// The memory of a thing between runs. A thing of which nothing is remembered is well.
struct KnownState {
  Condition condition = Condition::well;
  Time since{};                     // it is not well
  std::optional<Time> told;         // when somebody last heard of it
  std::vector<ExitStatus> told_as;  // the outcomes of which somebody has heard since then, each once

  bool operator==(const KnownState&) const = default;
};

struct NotifyRules {
  std::set<NotifyEvent> on;
  std::optional<Nanoseconds> remind;
};

struct Decision {
  std::optional<NotifyEvent> event;  // nothing: nobody is told
  Time since{};                      // it is, or was, not well
  KnownState if_told;
  KnownState if_not_told;  // it was to be told, and no way to do so worked: the next run tries again
};
// A failure is told when it begins, when it is of another kind than was told, and every `remind`; a recovery when it is
// over.
Decision decide(const KnownState& known, const Observation& observed, const NotifyRules& rules, Time now);

}  // namespace cairn
