#include "engine/restore/restorer.hpp"

#include "engine/restore/database_check.hpp"
#include "engine/restore/live_rules.hpp"
#include "engine/restore/local_source.hpp"
#include "engine/restore/local_sources.hpp"
#include "engine/restore/mended_directories.hpp"
#include "engine/restore/planned_access.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/restore_planner.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/skipped_tally.hpp"
#include "engine/restore/staging.hpp"
#include "engine/restore/swap_rules.hpp"
#include "engine/restore/target_memory.hpp"
#include "engine/restore/target_names.hpp"
#include "engine/restore/tree_writer.hpp"
#include "repo/entry_list.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Decoded frames that stay for what comes next: content that changed here and there reads several packs side by side.
constexpr std::uint64_t k_kept_frames = 32ULL << 20;
constexpr std::uint64_t k_kept_list_frames = 8ULL << 20;

RestoreTarget::Overwrite overwrite_of(const RestoreRequest& request) {
  if (request.swap) return RestoreTarget::Overwrite::swap;
  if (request.live) return RestoreTarget::Overwrite::live;
  if (request.in_place) return RestoreTarget::Overwrite::in_place;
  return request.overwrite ? RestoreTarget::Overwrite::yes : RestoreTarget::Overwrite::no;
}

// A file that is restored to "DIRECTORY/" goes into it, under its own name.
fs::path place_of(const Manifest& manifest, const fs::path& target, FrameFetcher& lists) {
  if (target.has_filename()) return target;
  const auto line = EntryListReader{lists, manifest}.next();
  return line ? target / line->entry->path : target;
}

// lists: for the entry list.
RestoreTarget look_at_target(Context& context, const Manifest& manifest, const RestoreRequest& request,
                             FrameFetcher& lists) {
  // All else that is at the target would go, and not come back.
  if (request.swap && !request.choice().everything()) {
    throw Error(ErrorKind::usage, "a part of a snapshot cannot be swapped for the whole target",
                "restore it with --overwrite");
  }
  if (request.live) check_live_snapshot(manifest, request);
  const bool single = manifest.facts.single_file && request.paths.empty() && request.literal_paths.empty();
  const auto shape = single ? RestoreTarget::Shape::single_file : RestoreTarget::Shape::tree;
  if (overwrite_of(request) == RestoreTarget::Overwrite::no && !single) {
    RestoreTarget found{request.target, shape, RestoreTarget::Overwrite::finish};
    if (found.has_content() && Staging::is_marked(found.directory(), manifest.id)) return found;
  }
  const fs::path place = single ? place_of(manifest, request.target, lists) : request.target;
  RestoreTarget target{place, shape, overwrite_of(request)};
  if (request.keep_old) check_keeping(target, kept_name(target, manifest.id));
  check_swap(target, own_places(context.repository, request), context.reporter);
  if (target.live()) check_fits(look_at_live(target), manifest, target.path());
  return target;
}

// Whether a restore to the same target left the file there that it replaced, and it can be mended: whoever had it open
// when it was replaced still reads it, and it must not become another one under his hands.
bool has_spare(const RestoreRequest& request, const RestoreTarget& target, const Staging& staging, Reporter& reporter) {
  if (request.memory == nullptr || target.shape() != RestoreTarget::Shape::single_file) return false;
  const auto known = request.memory->replaced();
  const UniqueFd fd{::openat(staging.fd(), k_single_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat status {};
  if (!known || !fd || ::fstat(fd.get(), &status) != 0 || stamp_of(status) != known->stamp) return false;
  if (nobody_else_has(fd.get())) return true;
  reporter.warning(fmt::format(
      "{} is copied as a whole: the file that it replaced last may still be open, and cannot be mended instead",
      quote(target.path().native())));
  return false;
}

LocalRoot::Kind kind_of(const RestoreRequest& request, const RestoreTarget& target, const LeftStaging& left,
                        const Staging& staging, Reporter& reporter) {
  if (has_spare(request, target, staging, reporter)) return LocalRoot::Kind::spare;
  return left.is_same(staging) ? LocalRoot::Kind::staging : LocalRoot::Kind::other;
}

// The places where content is looked for before it is fetched, best first.
LocalPlaces places_of(const RestoreRequest& request, const RestoreTarget& target, const LeftStaging& left,
                      Reporter& reporter) {
  LocalPlaces places;
  // What the target has already is not to be made anew of something that was left beside it.
  const bool target_first = request.memory != nullptr;
  bool target_added = false;
  const auto add_target = [&] {
    if (!std::exchange(target_added, true)) places.add_target(target);
  };
  std::vector<std::pair<LocalRoot::Kind, const Staging*>> found;
  for (const Staging& staging : left.all()) {
    if (!request.discard) found.emplace_back(kind_of(request, target, left, staging, reporter), &staging);
  }
  std::stable_partition(found.begin(), found.end(),
                        [](const auto& one) { return one.first == LocalRoot::Kind::spare; });
  for (const auto& [kind, staging] : found) {
    if (target_first && kind != LocalRoot::Kind::spare) add_target();
    places.add_staging(kind, staging->fd(), staging->path().native());
  }
  add_target();
  for (const fs::path& seed : request.seeds) places.add_seed(seed);
  return places;
}

std::string path_of(const RestoreRequest& request, const LeftStaging& left) {
  return request.discard || left.all().empty() ? std::string{} : left.all().front().path().native();
}

bool is_left_out(const RestoreProblem& problem) {
  return problem.kind != RestoreProblem::Kind::unsound;
}

std::vector<RestoreProblem> all_left_out(std::vector<RestoreProblem> problems,
                                         const std::vector<SkippedTally::LeftOut>& unfit) {
  for (const auto& entry : unfit) problems.push_back({entry.path, entry.reason, RestoreProblem::Kind::unfit});
  return problems;
}

std::set<std::string> not_restored(const std::vector<RestoreProblem>& problems,
                                   const std::vector<SkippedTally::LeftOut>& unfit) {
  std::set<std::string> paths;
  for (const auto& problem : problems) {
    if (is_left_out(problem)) paths.insert(problem.path);
  }
  for (const auto& entry : unfit) paths.insert(entry.path);
  return paths;
}

// The content restored so far is of use to whoever tries again, unless it cannot be used.
bool is_resumable(const Error& e) {
  return e.kind() == ErrorKind::failed || e.kind() == ErrorKind::busy || e.kind() == ErrorKind::interrupted ||
         dynamic_cast<const StoreError*>(&e) != nullptr;
}

// Nothing where the store does not answer and others stand in for it.
std::optional<PackSizes> listed_packs(Repository& repository, const RestoreRequest& request) {
  try {
    return pack_sizes(repository.packs());
  } catch (const StoreError&) {
    if (request.fallback == nullptr) throw;
    return std::nullopt;
  }
}

NotWhole not_whole(const Manifest& manifest, std::vector<RestoreProblem> problems) {
  return {fmt::format("the content of snapshot {} is not whole: {}", manifest.id.short_hex(),
                      problems.empty() ? "" : problems.front().message),
          std::move(problems)};
}

// Before anything is fetched: what the listing of the store and the directories of its packs tell.
void require_whole(const Manifest& manifest, PreparedRestore& plan) {
  const RestoreFigures& figures = plan.figures;
  if (figures.unreadable.empty()) return;
  std::vector<RestoreProblem> problems;
  for (const auto& pack : figures.unreadable) {
    for (const auto& path : pack.named) problems.push_back({path, pack.message});
    if (pack.files == 0) problems.push_back({"", pack.message});
    if (pack.files > pack.named.size()) {
      problems.push_back({"", fmt::format("{}: {} more files need it", pack.message, pack.files - pack.named.size())});
    }
  }
  std::set<std::string> lost;
  for (const auto& problem : problems) lost.insert(problem.path);
  plan.steps.rewind();
  while (const auto planned = plan.steps.next_entry()) {
    const Entry& entry = planned->entry;
    if (entry.type != EntryType::hard_link || !lost.contains(entry.link_target)) continue;
    problems.push_back({entry.path, fmt::format("{} is a hard link to a damaged file", quote(entry.path))});
  }
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  problems.erase(std::unique(problems.begin(), problems.end(),
                             [](const auto& a, const auto& b) { return !a.path.empty() && a.path == b.path; }),
                 problems.end());
  throw not_whole(manifest, std::move(problems));
}

// The same failure, with what was kept in its hint.
[[noreturn]] void throw_keeping(const Error& e, const fs::path& staging) {
  const std::string kept = fmt::format(
      "what was restored so far is kept in {}: the same command goes on from there, with --discard it begins anew",
      quote(staging.native()));
  const std::string hint = e.hint().empty() ? kept : e.hint() + "; " + kept;
  if (const auto* const of_store = dynamic_cast<const StoreError*>(&e)) {
    using Transient = StoreError::Transient;
    const Transient transient = of_store->unreachable() ? Transient::unreachable
                                : of_store->transient() ? Transient::yes
                                                        : Transient::no;
    throw StoreError(e.kind(), transient, e.message(), hint);
  }
  throw Error(e.kind(), e.message(), hint);
}

// A restore from its plan to the end: built in staging, planned anew where what it was to take changed meanwhile,
// moved.
class Restore {
 public:
  Restore(Context& context, const Manifest& manifest, const RestoreRequest& request, const PackTable& packs)
      : m_context(context),
        m_manifest(manifest),
        m_request(request),
        m_packs(packs),
        m_lists(packs_of(context.repository, request), context.io, context.cpu, packs, k_kept_list_frames),
        m_target(look_at_target(context, manifest, request, m_lists)),
        m_left(m_target, manifest.id),
        m_places(places_of(request, m_target, m_left, context.reporter)),
        m_access(access_of(context.repository, request)) {}

  // there: with RestoreRequest::whole, the packs that the store has, where it told.
  RestoreResult run(const PackSizes* there) {
    FrameFetcher content{packs_of(m_context.repository, m_request), m_context.io, m_context.cpu, m_packs,
                         k_kept_frames};
    content.measure(m_verifying);
    const auto began = m_context.steady();
    const LocalPlaces* const local = m_places.empty() ? nullptr : &m_places;
    PreparedRestore plan = prepare_restore(m_context, m_manifest, m_request, m_target,
                                           {m_lists, content, m_packs, there, m_access, local});
    m_planning = m_context.steady() - began;
    if (m_request.whole) require_whole(m_manifest, plan);
    if (m_request.memory != nullptr) m_request.memory->check_plan(plan, m_target);
    // Before staging, which it has to outlive.
    MendedDirectories mended{m_context.reporter};
    mend_target(m_target, mended);
    if (m_request.discard) m_left.discard(m_context.reporter);
    Staging staging = Staging::create(m_target, m_manifest.id);
    check_exchange(m_target, staging, m_context.reporter);
    try {
      return build(plan, content, staging, mended);
    } catch (const Error& e) {
      if (!is_resumable(e) || !staging.is_worth_keeping()) throw;
      staging.release();
      throw_keeping(e, staging.path());
    }
  }

 private:
  RestoreResult build(PreparedRestore& plan, FrameFetcher& content, Staging& staging, MendedDirectories& mended) {
    SkippedTally skipped;
    TreeWriter writer{m_target, staging, skipped};
    if (m_access.far) content.expect(std::move(plan.fetch), k_read_ahead);
    Restored done = execute_files(m_context, content, writer, plan, &m_writing);
    const std::set<std::string> outdated = std::exchange(done.outdated, {});
    std::uint64_t fetched = content.statistics().bytes;
    if (m_request.memory != nullptr && !outdated.empty()) {
      // It is another state of the target than the one that was found to be nobody's.
      throw LocalChanged(plan.figures.single_file ? m_target.path().native()
                                                  : (m_target.path() / *outdated.begin()).native());
    }
    if (!outdated.empty()) fetched += fetch_outdated(outdated, writer, done);
    if (m_request.check) check_databases(writer, done);
    execute_links(writer, plan, done);
    if (m_request.whole && !done.problems.empty()) throw not_whole(m_manifest, std::move(done.problems));
    const auto left_out =
        static_cast<std::size_t>(std::count_if(done.problems.begin(), done.problems.end(), is_left_out));
    if (plan.figures.single_file && left_out != 0) throw_nothing_restored(done.problems.front());
    const auto written = m_context.steady();
    const std::string keep_as = m_request.keep_old ? kept_name(m_target, m_manifest.id) : "";
    StagedTree tree = writer.finish();
    const auto unfit = skipped.left_out();
    if (m_request.memory != nullptr) m_request.memory->check_staged(plan, m_target, all_left_out(done.problems, unfit));
    const std::uint64_t spared = plan.steps.spare(not_restored(done.problems, unfit));
    // All of it that is of use is in staging now. The times of the directory that it lies in come last.
    m_left.discard(m_context.reporter);
    sqlite::LiveWritten live;
    // Where a file can be had as a copy that shares its blocks, nothing is won by mending another one.
    const bool leave = m_request.memory != nullptr && plan.figures.single_file && !can_clone(staging.fd());
    make_publisher({m_target, staging, skipped, m_context.reporter, mended, m_request.spool, keep_as, &plan, outdated,
                    m_manifest.id, leave, &live})
        ->publish(std::move(tree));
    if (m_request.memory != nullptr) {
      m_request.memory->published(plan, m_target, leave ? status_at(staging.fd(), k_single_name) : std::nullopt);
    }
    RestoreResult result;
    if (m_target.live()) result.live = live;
    result.times = {m_planning, m_verifying.total(), m_writing.total(), m_context.steady() - written};
    result.entries = plan.figures.entries - left_out - skipped.devices() - unfit.size();
    result.files = done.files;
    result.bytes_written = done.bytes;
    result.bytes_reused = done.reused;
    result.removed = plan.figures.to_remove - spared;
    result.bytes_fetched = m_lists.statistics().bytes + fetched;
    result.problems = std::move(done.problems);
    // A file that stays where it is has replaced none.
    const bool replaced = !plan.figures.in_place || plan.figures.to_change != 0 || !outdated.empty();
    if (m_target.exists() && replaced && !keep_as.empty()) result.kept = m_target.anchor_path() / keep_as;
    for (const auto& entry : unfit) {
      if (entry.file && result.files != 0) --result.files;
      result.problems.push_back({entry.path, entry.reason, RestoreProblem::Kind::unfit});
    }
    return result;
  }

  void check_databases(TreeWriter& writer, Restored& done) const {
    const auto replaces = [this](const std::string& path) {
      Entry entry;
      entry.path = path;
      entry.type = EntryType::file;
      return m_target.check_entry(entry) != RestoreTarget::There::nothing;
    };
    DatabaseCheck{m_context.reporter, recorded_schema(m_manifest)}.run(writer, done, replaces);
  }

  [[noreturn]] void throw_nothing_restored(const RestoreProblem& problem) const {
    const bool broken = problem.kind == RestoreProblem::Kind::broken;
    throw Error(ErrorKind::damaged,
                broken ? fmt::format("unable to restore to {}: {}", quote(m_target.path().native()), problem.message)
                       : problem.message,
                "nothing was restored");
  }

  // The content that local files were to give is fetched, too. Returns the bytes that came from the store for it.
  std::uint64_t fetch_outdated(const std::set<std::string>& outdated, TreeWriter& writer, Restored& done) {
    m_context.reporter.info(
        fmt::format("{} files are fetched after all: what they were to be taken from changed", outdated.size()));
    FrameFetcher content{packs_of(m_context.repository, m_request), m_context.io, m_context.cpu, m_packs,
                         k_kept_frames};
    content.measure(m_verifying);
    PreparedRestore plan = prepare_restore(m_context, m_manifest, m_request, m_target,
                                           {m_lists, content, m_packs, nullptr, m_access, nullptr, &outdated});
    if (m_access.far) content.expect(std::move(plan.fetch), k_read_ahead);
    Restored more = execute_files(m_context, content, writer, plan, &m_writing);
    done.files += more.files;
    done.bytes = saturating_add(done.bytes, more.bytes);
    std::move(more.problems.begin(), more.problems.end(), std::back_inserter(done.problems));
    return content.statistics().bytes;
  }

  Context& m_context;
  const Manifest& m_manifest;
  const RestoreRequest& m_request;
  const PackTable& m_packs;
  FrameFetcher m_lists;
  RestoreTarget m_target;
  LeftStaging m_left;
  LocalPlaces m_places;
  StoreAccess m_access;
  std::chrono::nanoseconds m_planning{};
  BusyClock m_verifying;
  BusyClock m_writing;
};

}  // namespace

PreparedRestore plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const PackTable packs{manifest};
  FrameFetcher fetcher{packs_of(context.repository, request), context.io, context.cpu, packs, k_kept_list_frames};
  const RestoreTarget target = look_at_target(context, manifest, request, fetcher);
  const LeftStaging left{target, manifest.id};
  const LocalPlaces places = places_of(request, target, left, context.reporter);
  const auto there = listed_packs(context.repository, request);
  PreparedRestore plan = prepare_restore(context, manifest, request, target,
                                         {fetcher, fetcher, packs, there ? &*there : nullptr,
                                          access_of(context.repository, request), places.empty() ? nullptr : &places});
  plan.figures.left = path_of(request, left);
  if (request.whole) require_whole(manifest, plan);
  return plan;
}

RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const Time began = context.clock();
  const std::uint64_t requests_before = context.repository.store().requests();
  const PackTable packs{manifest};
  const auto there = request.whole ? listed_packs(context.repository, request) : std::nullopt;
  RestoreResult result = Restore{context, manifest, request, packs}.run(there ? &*there : nullptr);
  result.requests = context.repository.store().requests() - requests_before;
  result.duration = context.clock() - began;
  return result;
}

}  // namespace cairn
