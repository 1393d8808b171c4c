#include "engine/restore/entry_survey.hpp"

#include "engine/restore/database_in_use.hpp"
#include "engine/restore/target_memory.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace cairn {

EntrySurvey::EntrySurvey(const SurveyTools& tools, PreparedRestore& plan)
    : m_target(tools.target),
      m_access(tools.target),
      m_request(tools.request),
      m_selection(tools.selection),
      m_content(tools.content),
      m_order(tools.order),
      m_sources(tools.sources),
      m_only(tools.only),
      m_plan(plan),
      m_owners(tools.request.owners) {
  if (m_request.memory != nullptr && m_only == nullptr) m_request.memory->begin_plan();
  m_plan.figures.in_place = m_target.in_place() && m_target.exists() && m_target.directory() >= 0;
  if (!m_plan.figures.in_place || !plan.local) return;
  const LocalRoots& roots = plan.local->roots();
  const auto at = std::find_if(roots.begin(), roots.end(),
                               [](const LocalRoot& root) { return root.kind == LocalRoot::Kind::target; });
  if (at == roots.end()) return;
  m_target_root = static_cast<std::size_t>(at - roots.begin());
  m_state.emplace(m_target);
  if (!m_request.remove || m_target.shape() != RestoreTarget::Shape::tree) return;
  m_removals.emplace(m_target, m_selection, tools.own, [this](const PlannedRemoval& removal) {
    m_access.check_removal(removal.path);
    ++m_plan.figures.to_remove;
    m_plan.steps.add_removal(removal);
  });
}

void EntrySurvey::run(EntryListReader& list) {
  while (auto line = list.next()) {
    check_interrupted();
    Entry& given = *line->entry;
    m_selection.survey(given);
    if (m_removals) m_removals->pass(given.path, given.type == EntryType::directory);
    PlannedEntry planned{std::move(given)};
    if (!m_selection.select(planned.entry)) continue;
    if (m_only != nullptr && !m_only->contains(planned.entry.path)) continue;
    if (m_only != nullptr && planned.entry.type == EntryType::hard_link) continue;
    decide(planned);
    if (planned.entry.type == EntryType::file) {
      add_file(planned, *line, list);
    } else if (planned.entry.type == EntryType::hard_link) {
      add_link(planned);
    } else {
      add(planned);
    }
  }
  m_order.finish();
  if (m_removals) m_removals->finish();
  settle_links();
  RestoreFigures& figures = m_plan.figures;
  figures.space -= std::min(figures.space, m_needless);
}

void EntrySurvey::check_link(const Entry& entry) {
  // Targets come before their links.
  if (m_links.contains(entry.link_target)) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged entry list: {} is a hard link to a hard link", quote(entry.path)));
  }
  m_links.insert(entry.path);
}

void EntrySurvey::decide(PlannedEntry& planned) {
  Entry& entry = planned.entry;
  m_owners.localise(entry);
  ++m_plan.figures.entries;
  const auto there = m_target.check_entry(entry);
  // Asking for a file below /tmp is not asking for another /tmp.
  planned.asked_for = m_selection.covers(entry.path, entry.type) || m_target.finishes();
  if (entry.type == EntryType::hard_link) check_link(entry);
  planned.action = there == RestoreTarget::There::nothing ? EntryAction::create : EntryAction::change;
  m_seen.reset();
  if (m_state && there != RestoreTarget::There::nothing) m_seen = m_state->look(entry);
  if (entry.type == EntryType::directory) {
    decide_directory(planned, there);
  } else if (m_plan.figures.in_place) {
    decide_in_place(planned, there);
  }
  // A link has none of its own.
  if (entry.type != EntryType::hard_link && is_made(planned)) ++m_plan.figures.inodes;
  // An entry that may turn out to stay is checked when that is known.
  const bool may_stay = entry.type == EntryType::file || planned.if_settled != EntryAction::create;
  if (!m_plan.figures.in_place || planned.action != EntryAction::change || !may_stay) {
    m_access.check(entry.path, planned.action);
  }
}

// Whether something is staged for it.
bool EntrySurvey::is_made(const PlannedEntry& planned) const {
  return !m_plan.figures.in_place || planned.action == EntryAction::create || planned.action == EntryAction::change;
}

void EntrySurvey::decide_directory(PlannedEntry& planned, RestoreTarget::There there) {
  if (there == RestoreTarget::There::other && !planned.asked_for) {
    throw_conflict(m_target.path(), planned.entry.path, false);
  }
  if (there != RestoreTarget::There::directory) return;
  const bool same = !planned.asked_for || (m_seen && m_seen->same_kind && m_seen->same_metadata);
  planned.action = same ? EntryAction::keep : EntryAction::metadata;
}

void EntrySurvey::decide_in_place(PlannedEntry& planned, RestoreTarget::There there) {
  require_room_for(planned.entry, there);
  if (planned.entry.type == EntryType::hard_link) {
    planned.if_settled = EntryAction::keep;
  } else if (planned.entry.type != EntryType::file && m_seen && m_seen->same_kind && m_seen->same_metadata) {
    decide_staying(planned, *m_seen);
  }
}

// Nothing of it differs: it stays, if its names are the snapshot's.
void EntrySurvey::decide_staying(PlannedEntry& planned, const EntryState& state) {
  planned.seen = m_plan.local->add(*m_target_root, m_state->path_of(planned.entry), stamp_of(state.status));
  planned.if_settled = EntryAction::keep;
  if (state.status.st_nlink == 1) planned.action = EntryAction::keep;
}

// A directory does not give way to what is none as long as it holds something that is to stay.
void EntrySurvey::require_room_for(const Entry& entry, RestoreTarget::There there) const {
  if (there != RestoreTarget::There::directory || m_request.remove) return;
  const UniqueFd directory = open_beneath(m_target.directory(), entry.path, O_RDONLY | O_DIRECTORY);
  if (!directory) throw_errno("open directory", (m_target.path() / entry.path).native(), errno);
  if (!names_in(directory.get(), (m_target.path() / entry.path).native()).empty()) {
    throw_conflict(m_target.path(), entry.path, true);
  }
}

void EntrySurvey::count(EntryAction action, std::int64_t by) {
  RestoreFigures& figures = m_plan.figures;
  std::uint64_t* const counters[] = {&figures.to_create, &figures.to_change, &figures.metadata_only, &figures.to_keep};
  *counters[static_cast<std::size_t>(action)] += static_cast<std::uint64_t>(by);
}

// Files that are planned once more are known already.
void EntrySurvey::note(const Entry& entry, const std::optional<KnownExtents>& extents) {
  if (m_request.memory != nullptr && m_only == nullptr) m_request.memory->plan_entry(entry, extents);
}

void EntrySurvey::add(const PlannedEntry& planned) {
  count(planned.action);
  note(planned.entry, std::nullopt);
  const bool grouped = planned.action == EntryAction::change && planned.if_settled != EntryAction::create;
  const FileId id = grouped ? id_of(m_seen->status) : FileId{};
  const std::uint64_t names = grouped ? m_seen->status.st_nlink : 0;
  m_order.add([this, planned, grouped, id, names] {
    m_plan.steps.add_entry(planned);
    if (!grouped) return;
    m_groups.add_file(planned.entry.path, id, names);
    m_if_settled.emplace(planned.entry.path, IfSettled{planned.if_settled, 0, 1});
  });
}

void EntrySurvey::add_link(const PlannedEntry& planned) {
  count(planned.action);
  note(planned.entry, std::nullopt);
  const FileId id = m_seen ? id_of(m_seen->status) : FileId{};
  m_order.add([this, planned, id] {
    m_plan.steps.add_entry(planned);
    if (planned.action != EntryAction::change) return;
    m_groups.add_link(planned.entry.path, planned.entry.link_target, id);
    m_if_settled.emplace(planned.entry.path, IfSettled{});
  });
}

void EntrySurvey::add_file(const PlannedEntry& given, const EntryLine& line, EntryListReader& list) {
  PlannedEntry planned = given;
  const Entry& entry = planned.entry;
  RestoreFigures& figures = m_plan.figures;
  ++figures.files;
  figures.bytes = saturating_add(figures.bytes, entry.size);
  count(planned.action);
  std::shared_ptr<LocalContent> local;
  if (m_sources != nullptr) local = m_sources->find(entry);
  const LocalCandidate* const at_target = local ? local->target() : nullptr;
  // The file that was seen, and the one whose content was read, are one state of one file. A database that has a log is
  // more than its bytes, and what may be a log is moved with its database. Another user's file takes no metadata; and
  // one that somebody else may write is not made what he may not write: he may have it open, or mapped.
  const bool own = ::geteuid() == 0 || (m_seen && m_seen->status.st_uid == ::geteuid());
  const bool takes_metadata = own && at_target != nullptr && !at_target->in_other_hands;
  const bool may_stay = m_plan.figures.in_place && !is_log_name(entry.path) && m_seen && m_seen->same_kind &&
                        !(m_request.empty_logs_stay ? m_seen->has_log_bytes : m_seen->has_log) &&
                        at_target != nullptr && at_target->stamp == stamp_of(m_seen->status) &&
                        at_target->stamp.size == entry.size && (takes_metadata || m_seen->same_metadata);
  if (may_stay) {
    planned.seen = m_plan.local->add(*m_target_root, m_state->path_of(entry), at_target->stamp);
    planned.if_settled = m_seen->same_metadata ? EntryAction::keep : EntryAction::metadata;
  }
  if (local) {
    local->settled = [this, planned, may_stay, names = m_seen ? m_seen->status.st_nlink : 0](LocalContent& content) {
      m_plan.figures.bytes_to_reuse = saturating_add(m_plan.figures.bytes_to_reuse, content.reused());
      m_needless = saturating_add(m_needless, content.moved());
      if (!may_stay) return;
      if (!content.is_target_whole()) return m_access.check(planned.entry.path, planned.action);
      if (names == 1) return settle_file(planned, content);
      m_groups.add_file(planned.entry.path, content.target()->stamp.id, names);
      m_if_settled.emplace(planned.entry.path, IfSettled{planned.if_settled, content.reused(), 1});
    };
  }
  if (m_plan.figures.in_place && !may_stay) m_access.check(entry.path, planned.action);
  m_order.add([this, planned] { m_plan.steps.add_entry(planned); });
  m_content.begin_file(entry, local);
  for (const auto& extent : line.extents) m_content.extent(extent);
  // Damage to this file alone; or to the list, which its next line tells.
  const auto damage = damage_of([&] {
    for (std::uint64_t i = 0; i < line.parts; ++i) {
      const EntryLine part = list.next_part();
      for (const auto& extent : part.extents) m_content.extent(extent);
      m_content.end_part(part.part_size);
    }
  });
  figures.space = saturating_add(figures.space, m_content.end_file(damage));
  note(entry, m_content.take_extents());
}

// All of its content is where it is to be: it is not made anew.
void EntrySurvey::settle_file(const PlannedEntry& planned, LocalContent& content) {
  m_needless = saturating_add(m_needless, content.reused());
  m_plan.steps.retract();
  PlannedEntry staying = planned;
  count(staying.action, -1);
  staying.action = staying.if_settled;
  count(staying.action);
  --m_plan.figures.inodes;
  m_access.check(staying.entry.path, staying.action);
  m_plan.steps.add_entry(staying);
}

void EntrySurvey::settle_links() {
  std::set<std::string> staying = m_groups.staying();
  for (const std::string& path : staying) {
    count(EntryAction::change, -1);
    const IfSettled& settled = m_if_settled.at(path);
    count(settled.action);
    m_needless = saturating_add(m_needless, settled.bytes);
    m_plan.figures.inodes -= settled.inodes;
  }
  for (const auto& [path, settled] : m_if_settled) {
    m_access.check(path, staying.contains(path) ? settled.action : EntryAction::change);
  }
  m_plan.steps.settle(std::move(staying));
}

}  // namespace cairn
