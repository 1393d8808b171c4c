#include "engine/restore/restore_planner.hpp"

#include "capture/source_kind.hpp"
#include "engine/restore/content_planner.hpp"
#include "engine/restore/entry_survey.hpp"
#include "engine/restore/live_rules.hpp"
#include "engine/restore/path_selection.hpp"
#include "engine/restore/staged_tree.hpp"
#include "repo/entry_list.hpp"
#include "repo/fallback_packs.hpp"
#include "repo/layout.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

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
    // Whether its chunks are at hand already, its directory tells.
    return m_tools.local == nullptr && m_tools.access.far && m_tools.access.whole && worth_whole(pack);
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
    if (m_tools.content.is_elsewhere(pack)) return;
    throw Error(ErrorKind::damaged,
                fmt::format("damaged pack {}: {}", quote(layout::pack_key(pack.name)),
                            m_tools.there->contains(pack.name) ? "it has another size than its manifest says"
                                                               : "it is missing from the store"));
  }

  const PlanningTools& m_tools;
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
    if (i >= ahead) ahead = i + fetch_directories(repository, std::span{refs}.subspan(i), tools.access);
    const auto unreadable = damage_of([&] { plan.fetch.take_apart(held[i], *tools.content.directory(held[i])); });
    // Whoever executes the plan tells whose content it is.
    if (unreadable) plan.figures.unreadable.push_back({unreadable->message(), 0, {}});
  }
}

// How content that is not paged was cut.
ChunkRule rule_of(const Manifest& manifest) {
  const bool stream = parse_source_kind(manifest.facts.kind) == SourceKind::command;
  return {stream ? ChunkRule::Kind::stream : ChunkRule::Kind::files, 0};
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
               [&](const PackRef& pack) {
                 return !worth_whole(pack) || (tools.local != nullptr && pack.content == PackContent::files);
               });
  fetch_directories(repository, others, tools.access);
}

StoreAccess access_of(Repository& repository, const RestoreRequest& request) {
  // A store on this machine answers at once, and its files are read ahead by the system.
  return {repository.store().distance() == Distance::far, request.choice().everything(), request.fallback != nullptr};
}

PackSource& packs_of(Repository& repository, const RestoreRequest& request) {
  if (request.packs != nullptr) return *request.packs;
  if (request.fallback != nullptr) return *request.fallback;
  return repository.packs();
}

std::size_t fetch_directories(Repository& repository, std::span<const PackRef> refs, const StoreAccess& access) {
  try {
    return repository.packs().fetch_directories(refs);
  } catch (const StoreError&) {
    if (!access.others) throw;
    return refs.size();
  }
}

std::vector<fs::path> own_places(Repository& repository, const RestoreRequest& request) {
  std::vector<fs::path> own;
  if (const auto store = repository.store().root()) own.push_back(*store);
  if (!request.spool.empty()) own.push_back(request.spool);
  return own;
}

PreparedRestore prepare_restore(Context& context, const Manifest& manifest, const RestoreRequest& request,
                                const RestoreTarget& target, const PlanningTools& tools) {
  PathSelection selection{request.choice()};
  PacksOfStore packs{tools};
  const bool single = target.shape() == RestoreTarget::Shape::single_file;
  std::set<FileId> own;
  for (const fs::path& place : own_places(context.repository, request)) {
    struct stat status {};
    if (::stat(place.c_str(), &status) == 0) own.insert(id_of(status));
  }
  const auto survey = [&] {
    const fs::path spool = spool_of(request, target);
    PreparedRestore plan{{}, {}, RestoreSteps{spool}};
    PlanningOrder order{context.cpu};
    const auto noting = request.memory == nullptr ? ContentPlanner::Noting::no : ContentPlanner::Noting::yes;
    ContentPlanner content{packs, plan.fetch, plan.steps, request.stripe, order, noting};
    std::optional<LocalSources> sources;
    if (tools.local != nullptr) {
      plan.local = std::make_unique<LocalFiles>(tools.local->roots(), spool);
      sources.emplace(*tools.local, *plan.local, context.cpu, rule_of(manifest), single ? k_single_name : std::string{},
                      single ? target.name() : std::string{}, request.memory);
    }
    EntryListReader list{tools.lists, manifest};
    const SurveyTools parts{target, request, selection, content, order, sources ? &*sources : nullptr, tools.only, own};
    EntrySurvey{parts, plan}.run(list);
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
  figures.single_file = single;
  take_apart_long_held(context.repository, tools, plan);
  figures.packs = plan.fetch.packs();
  figures.bytes_to_fetch = plan.fetch.bytes();
  const auto runs = plan.fetch.runs(held_ahead(k_read_ahead));
  // Only what is read ahead is fetched in pieces.
  figures.requests = tools.access.far ? requests_of(runs) : runs.size();
  // Reading local files took its time, too.
  const std::uint64_t fetched = figures.bytes_to_reuse == 0 ? tools.lists.statistics().bytes : 0;
  figures.estimate = estimate_restore(figures.bytes_to_fetch, fetched, surveyed);
  if (const auto warning = warning_of_grace(figures.estimate, request.grace)) context.reporter.warning(*warning);
  if (tools.only == nullptr) selection.check_found();
  std::uint64_t more = 0;
  if (target.live()) {
    figures.live = estimate_live(look_at_live(target), manifest, figures.bytes);
    more = saturating_add(figures.live->log_bytes, figures.live->growth);
  }
  target.check_space(saturating_add(figures.space, more));
  target.check_inodes(figures.inodes);
  return plan;
}

}  // namespace cairn
