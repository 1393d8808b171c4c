// restore --fallback previous: an earlier snapshot of the series in place of one that the store has lost content of.
#pragma once

#include "cli/options.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_choice.hpp"
#include "engine/restore/restore_executor.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

// The option.
class FallbackChoice {
 public:
  void declare(OptionSet& options);
  // Whether an earlier one is to be taken. Error(usage) for another word.
  bool is_wanted() const;

 private:
  std::optional<std::string> m_word;
};

// The snapshots of one restore, until one of them is whole. One thread; what it is given outlives it.
class PreviousSnapshots {
 public:
  PreviousSnapshots(Session& session, OpenStore& store) : m_session(session), m_store(store) {}
  PreviousSnapshots(const PreviousSnapshots&) = delete;
  PreviousSnapshots& operator=(const PreviousSnapshots&) = delete;

  // That which was asked for, or, where its manifest is damaged, what next() gives.
  ChosenSnapshot first(const SnapshotChoice& choice);
  // Whether what was thrown for a snapshot is a reason to take an earlier one: its content is damaged or lost; or, of
  // one that was not asked for, it has not what was.
  bool is_reason(const Error& error) const noexcept;
  // The newest earlier one of the series that is trusted and complete, and not dated ahead. Says what the one before
  // has lost, and notes it. Throws Error(damaged) where there is none.
  ChosenSnapshot next(const ChosenSnapshot& lost, const Error& error);

  // After the restore, or for its plan: one warning, where another one was taken than was asked for.
  void warn(const SnapshotInfo& taken, const char* what_became) const;
  bool is_another() const noexcept { return !m_lost.empty(); }
  // A member "instead_of", where another one was taken: the one that was asked for first, then those between.
  void write(JsonWriter& to) const;

 private:
  struct Lost {
    std::string id;  // as far as it is known
    std::string series;
    Time cut_point;
    std::vector<RestoreProblem> problems;
  };
  void note(Lost lost, const Error& error);
  ChosenSnapshot take_earlier();
  void list_earlier(const Lost& asked);

  Session& m_session;
  OpenStore& m_store;
  std::vector<Lost> m_lost;
  bool m_listed = false;
  std::vector<ManifestInfo> m_manifests;
  std::vector<ManifestInfo> m_earlier;  // one of each snapshot, the newest last
};

}  // namespace cairn
