// One reading of the entry list: what becomes of each entry, by what the snapshot says of it and what the target has.
#pragma once

#include "engine/restore/content_planner.hpp"
#include "engine/restore/link_groups.hpp"
#include "engine/restore/local_sources.hpp"
#include "engine/restore/owner_numbers.hpp"
#include "engine/restore/path_selection.hpp"
#include "engine/restore/planned_access.hpp"
#include "engine/restore/planning_order.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/removal_finder.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/target_state.hpp"
#include "repo/entry_list.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace cairn {

// A survey is made with these. All of them outlive it.
struct SurveyTools {
  const RestoreTarget& target;
  const RestoreRequest& request;
  PathSelection& selection;
  ContentPlanner& content;
  PlanningOrder& order;
  LocalSources* sources = nullptr;  // where content is looked for; null: nowhere
  const std::set<std::string>* only =
      nullptr;           // files that are planned once more, all else is left out; null: everything
  std::set<FileId> own;  // directories that the restore itself needs: nothing is removed there
};

// Used once, by one thread. Writes the steps and figures of a plan, and looks at the target; changes nothing there.
class EntrySurvey {
 public:
  EntrySurvey(const SurveyTools& tools, PreparedRestore& plan);

  // Throws what RestoreTarget and PlannedAccess refuse; Error(usage) where a directory with something in it is in the
  // way of what is none; Error(damaged) for damage to the list itself.
  void run(EntryListReader& list);

 private:
  void check_link(const Entry& entry);
  void decide(PlannedEntry& planned);
  bool is_made(const PlannedEntry& planned) const;
  void decide_directory(PlannedEntry& planned, RestoreTarget::There there);
  void decide_in_place(PlannedEntry& planned, RestoreTarget::There there);
  void decide_staying(PlannedEntry& planned, const EntryState& state);
  void require_room_for(const Entry& entry, RestoreTarget::There there) const;
  void note(const Entry& entry, const std::optional<KnownExtents>& extents);
  void add(const PlannedEntry& planned);
  void add_link(const PlannedEntry& planned);
  void add_file(const PlannedEntry& planned, const EntryLine& line, EntryListReader& list);
  void settle_file(const PlannedEntry& planned, LocalContent& content);
  void count(EntryAction action, std::int64_t by = 1);
  void settle_links();

  const RestoreTarget& m_target;
  PlannedAccess m_access;
  const RestoreRequest& m_request;
  PathSelection& m_selection;
  ContentPlanner& m_content;
  PlanningOrder& m_order;
  LocalSources* m_sources;
  const std::set<std::string>* m_only;
  PreparedRestore& m_plan;
  OwnerNumbers m_owners;
  std::set<std::string> m_links;
  // In place, into something that is there:
  std::optional<TargetState> m_state;
  std::optional<RemovalFinder> m_removals;
  std::optional<std::size_t> m_target_root;  // of the plan's local files
  std::optional<EntryState> m_seen;          // of the present entry
  LinkGroups m_groups;
  struct IfSettled {
    EntryAction action = EntryAction::keep;
    std::uint64_t bytes = 0;   // that take no more space then
    std::uint64_t inodes = 0;  // nor these
  };
  std::map<std::string, IfSettled> m_if_settled;  // of what is in a group
  std::uint64_t m_needless = 0;                   // bytes that take no space although their files are restored
};

}  // namespace cairn
