#include "engine/run/outcome.hpp"

#include "util/time.hpp"

#include <algorithm>

namespace cairn {

bool PushOutcome::complete() const noexcept {
  return result && result->unreadable.empty() &&
         std::all_of(result->snapshots.begin(), result->snapshots.end(),
                     [](const PushedSnapshot& snapshot) { return !snapshot.failure; });
}

RunVerdict verdict_of(const std::vector<JobOutcome>& outcomes) noexcept {
  using Grade = RunVerdict::Grade;
  RunVerdict verdict;
  for (const auto& outcome : outcomes) {
    if (outcome.failure) return {Grade::failed, outcome.failure->kind()};
    if (outcome.result && outcome.result->incomplete) verdict.grade = std::max(verdict.grade, Grade::incomplete);
    const bool pushed = std::all_of(outcome.pushes.begin(), outcome.pushes.end(),
                                    [](const PushOutcome& push) { return push.complete(); });
    if (!pushed) verdict.grade = std::max(verdict.grade, Grade::not_pushed);
  }
  return verdict;
}

std::optional<std::chrono::nanoseconds> cut_point_spread(const std::vector<JobOutcome>& outcomes) noexcept {
  std::optional<Time> first;
  std::optional<Time> last;
  for (const auto& outcome : outcomes) {
    if (!outcome.result) continue;
    const Time at = outcome.result->cut_point;
    first = std::min(first.value_or(at), at);
    last = std::max(last.value_or(at), at);
  }
  if (!first || outcomes.size() < 2) return std::nullopt;
  return *last - *first;
}

}  // namespace cairn
