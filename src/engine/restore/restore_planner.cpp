#include "engine/restore/restore_planner.hpp"

#include "engine/restore/content_planner.hpp"
#include "engine/restore/owner_numbers.hpp"
#include "engine/restore/path_selection.hpp"
#include "engine/restore/planned_access.hpp"
#include "repo/entry_list.hpp"
#include "repo/layout.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Stored bytes of the entry list that are under way or wait for their turn.
constexpr std::uint64_t k_list_read_ahead = 16ULL << 20;

class PacksOfStore : public PlannedPacks {
 public:
  explicit PacksOfStore(const PlanningTools& tools) : m_tools(tools) {}

  const PackRef& find(std::uint64_t pack) override {
    const PackRef& ref = m_tools.packs.find(pack);
    require_there(ref);
    return ref;
  }
  bool comes_whole(const PackRef& pack) override {
    return m_tools.access.far && m_tools.access.whole && worth_whole(pack);
  }
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack) override {
    return m_tools.content.directory(pack);
  }

 private:
  bool is_there(const PackRef& pack) const {
    const auto found = m_tools.there->find(pack.name);
    return found != m_tools.there->end() && found->second == pack.size;
  }
  // A directory in the cache says nothing of the pack itself.
  void require_there(const PackRef& pack) const {
    if (m_tools.there == nullptr || is_there(pack)) return;
    const auto spares = m_tools.packs.spares(pack);
    if (std::any_of(spares.begin(), spares.end(), [&](const PackRef& spare) { return is_there(spare); })) return;
    throw Error(ErrorKind::damaged,
                fmt::format("damaged pack {}: {}", quote(layout::pack_key(pack.name)),
                            m_tools.there->contains(pack.name) ? "it has another size than its manifest says"
                                                               : "it is missing from the store"));
  }

  const PlanningTools& m_tools;
};

// One reading of the entry list.
class Survey {
 public:
  Survey(const RestoreTarget& target, PathSelection& selection, ContentPlanner& content, Owners owners,
         PreparedRestore& plan)
      : m_target(target),
        m_access(target),
        m_selection(selection),
        m_content(content),
        m_plan(plan),
        m_owners(owners) {}

  void run(EntryListReader& list) {
    while (auto line = list.next()) {
      check_interrupted();
      Entry& given = *line->entry;
      m_selection.survey(given);
      PlannedEntry planned{std::move(given)};
      if (!m_selection.select(planned.entry)) continue;
      add(planned);
      if (planned.entry.type == EntryType::file) add_content(planned.entry, *line, list);
    }
  }

 private:
  void add(PlannedEntry& planned) {
    Entry& entry = planned.entry;
    m_owners.localise(entry);
    ++m_plan.figures.entries;
    const auto there = m_target.check_entry(entry);
    // Whoever asks for a file below /tmp does not ask for another /tmp.
    planned.asked_for = m_selection.covers(entry.path, entry.type);
    if (there == RestoreTarget::There::other) planned.action = EntryAction::replace;
    if (there == RestoreTarget::There::directory) {
      planned.action = planned.asked_for ? EntryAction::metadata : EntryAction::keep;
    }
    m_access.check(entry.path, planned.action);
    // A link has none of its own.
    if (entry.type != EntryType::hard_link) ++m_plan.figures.inodes;
    if (entry.type == EntryType::hard_link) {
      // Targets come before their links.
      if (m_links.contains(entry.link_target)) {
        throw Error(ErrorKind::damaged,
                    fmt::format("damaged entry list: {} is a hard link to a hard link", quote(entry.path)));
      }
      m_links.insert(entry.path);
    }
    m_plan.steps.add_entry(planned);
  }

  void add_content(const Entry& entry, const EntryLine& line, EntryListReader& list) {
    RestoreFigures& figures = m_plan.figures;
    ++figures.files;
    figures.bytes = saturating_add(figures.bytes, entry.size);
    m_content.begin_file(entry);
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
  }

  const RestoreTarget& m_target;
  PlannedAccess m_access;
  PathSelection& m_selection;
  ContentPlanner& m_content;
  PreparedRestore& m_plan;
  OwnerNumbers m_owners;
  std::set<std::string> m_links;
};

// The packs with the entry list, in the order in which it is read as far as the manifest tells.
FetchPlan lists_of(const Manifest& manifest, const PackTable& packs) {
  FetchPlan plan;
  const auto want = [&](const PackRef& pack) {
    if (pack.content == PackContent::list && worth_whole(pack)) plan.want_whole(pack, 0, 0);
  };
  for (const auto& extent : manifest.root.extents) {
    if (const PackRef* pack = packs.find_if_there(extent.pack)) want(*pack);
  }
  for (const auto& pack : packs.all()) want(pack);
  return plan;
}

// Packs that would be held for too long if they were fetched whole are fetched in runs.
void take_apart_long_held(Repository& repository, const PlanningTools& tools, PreparedRestore& plan) {
  const auto held = plan.fetch.held_long(held_ahead(k_read_ahead));
  std::vector<PackRef> refs;
  refs.reserve(held.size());
  for (const std::uint64_t pack : held) refs.push_back(tools.packs.find(pack));
  std::size_t ahead = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    check_interrupted();
    if (i >= ahead) ahead = i + repository.packs().fetch_directories(std::span{refs}.subspan(i));
    const auto unreadable = damage_of([&] { plan.fetch.take_apart(held[i], *tools.content.directory(held[i])); });
    // Whoever executes the plan tells whose content it is.
    if (unreadable) plan.figures.unreadable.push_back({unreadable->message(), 0});
  }
}

fs::path spool_of(const RestoreRequest& request, const RestoreTarget& target) {
  fs::path spool = request.spool;
  // A TMPDIR that is none stands in nobody's way on the day of a restore.
  if (spool.empty()) any_failure_of([&] { spool = temporary_directory(); });
  return !spool.empty() && ::access(spool.c_str(), W_OK | X_OK) == 0 ? spool : target.anchor_path();
}

}  // namespace

void read_ahead_for_plan(Repository& repository, const Manifest& manifest, const PlanningTools& tools) {
  if (!tools.access.far) return;
  tools.lists.expect(lists_of(manifest, tools.packs), k_list_read_ahead);
  if (!tools.access.whole) return;
  std::vector<PackRef> others;
  std::copy_if(tools.packs.all().begin(), tools.packs.all().end(), std::back_inserter(others),
               [](const PackRef& pack) { return !worth_whole(pack); });
  repository.packs().fetch_directories(others);
}

StoreAccess access_of(Repository& repository, const RestoreRequest& request) {
  // A store on this machine answers at once, and its files are read ahead by the system.
  return {repository.store().distance() == Distance::far, request.choice().everything()};
}

PreparedRestore prepare_restore(Context& context, const Manifest& manifest, const RestoreRequest& request,
                                const RestoreTarget& target, const PlanningTools& tools) {
  PathSelection selection{request.choice()};
  PacksOfStore packs{tools};
  const auto survey = [&] {
    PreparedRestore plan{{}, {}, RestoreSteps{spool_of(request, target)}};
    ContentPlanner content{packs, plan.fetch, plan.steps, request.stripe};
    EntryListReader list{tools.lists, manifest};
    Survey{target, selection, content, request.owners, plan}.run(list);
    plan.figures.unreadable = content.take_unreadable();
    return plan;
  };
  const auto began = std::chrono::steady_clock::now();
  read_ahead_for_plan(context.repository, manifest, tools);
  PreparedRestore plan = survey();
  const auto surveyed = std::chrono::steady_clock::now() - began;
  // That a file was needed for the sake of a link has turned out only after it had gone by.
  while (selection.look_again()) plan = survey();
  RestoreFigures& figures = plan.figures;
  figures.single_file = target.shape() == RestoreTarget::Shape::single_file;
  take_apart_long_held(context.repository, tools, plan);
  figures.packs = plan.fetch.packs();
  figures.bytes_to_fetch = plan.fetch.bytes();
  const auto runs = plan.fetch.runs(held_ahead(k_read_ahead));
  // Only what is read ahead is fetched in pieces.
  figures.requests = tools.access.far ? requests_of(runs) : runs.size();
  figures.estimate = estimate_restore(figures.bytes_to_fetch, tools.lists.statistics().bytes, surveyed);
  if (const auto warning = warning_of_grace(figures.estimate, request.grace)) context.reporter.warning(*warning);
  selection.check_found();
  target.check_space(figures.space);
  target.check_inodes(figures.inodes);
  return plan;
}

}  // namespace cairn
