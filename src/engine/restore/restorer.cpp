#include "engine/restore/restorer.hpp"

#include "engine/restore/database_check.hpp"
#include "engine/restore/mended_directories.hpp"
#include "engine/restore/planned_access.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/restore_planner.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/skipped_tally.hpp"
#include "engine/restore/staging.hpp"
#include "engine/restore/swap_rules.hpp"
#include "engine/restore/tree_writer.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Decoded frames that stay for what comes next: content that changed here and there reads several packs side by side.
constexpr std::uint64_t k_kept_frames = 32ULL << 20;
constexpr std::uint64_t k_kept_list_frames = 8ULL << 20;

RestoreTarget::Overwrite overwrite_of(const RestoreRequest& request) {
  if (request.swap) return RestoreTarget::Overwrite::swap;
  return request.overwrite ? RestoreTarget::Overwrite::yes : RestoreTarget::Overwrite::no;
}

RestoreTarget look_at_target(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  // All else that is at the target would go, and not come back.
  if (request.swap && !(request.paths.empty() && request.literal_paths.empty() && request.excludes.empty())) {
    throw Error(ErrorKind::usage, "a part of a snapshot cannot be swapped for the whole target",
                "restore it with --overwrite");
  }
  const bool single = manifest.facts.single_file && request.paths.empty() && request.literal_paths.empty();
  RestoreTarget target{request.target, single ? RestoreTarget::Shape::single_file : RestoreTarget::Shape::tree,
                       overwrite_of(request)};
  if (request.keep_old) check_keeping(target, kept_name(target, manifest.id));
  std::vector<fs::path> own;
  if (const auto store = context.repository.store().root()) own.push_back(*store);
  if (!request.spool.empty()) own.push_back(request.spool);
  check_swap(target, own, context.reporter);
  return target;
}

}  // namespace

PreparedRestore plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const RestoreTarget target = look_at_target(context, manifest, request);
  const PackTable packs{manifest};
  FrameFetcher fetcher{context.repository.packs(), context.io, context.pool, packs, k_kept_list_frames};
  const PackSizes there = pack_sizes(context.repository.packs());
  return prepare_restore(context, manifest, request, target,
                         {fetcher, fetcher, packs, &there, access_of(context.repository, request)});
}

RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const Time began = context.clock();
  const std::uint64_t requests_before = context.repository.store().requests();
  const PackTable packs{manifest};
  FrameFetcher lists{context.repository.packs(), context.io, context.pool, packs, k_kept_list_frames};
  FrameFetcher content{context.repository.packs(), context.io, context.pool, packs, k_kept_frames};
  const RestoreTarget target = look_at_target(context, manifest, request);
  const StoreAccess access = access_of(context.repository, request);
  PreparedRestore plan = prepare_restore(context, manifest, request, target, {lists, content, packs, nullptr, access});
  // Before staging, which it has to outlive.
  MendedDirectories mended{context.reporter};
  mend_target(target, mended);
  remove_stale_staging(target, context.reporter);
  Staging staging = Staging::create(target, manifest.id);
  check_exchange(target, staging, context.reporter);
  SkippedTally skipped;
  TreeWriter writer{target, staging, skipped};
  if (access.far) content.expect(std::move(plan.fetch), k_read_ahead);
  DatabaseCheck check{context.reporter, recorded_schema(manifest)};
  const auto replaces = [&](const std::string& path) {
    Entry entry;
    entry.path = path;
    entry.type = EntryType::file;
    return target.check_entry(entry) != RestoreTarget::There::nothing;
  };
  const AfterFiles after = [&](Restored& restored) { check.run(writer, restored, replaces); };
  Restored done = execute_restore(context, content, writer, plan, request.check ? after : AfterFiles{});
  const auto left_out =
      static_cast<std::size_t>(std::count_if(done.problems.begin(), done.problems.end(), [](const auto& problem) {
        return problem.kind != RestoreProblem::Kind::unsound;
      }));
  if (plan.figures.single_file && left_out != 0) {
    const RestoreProblem& problem = done.problems.front();
    const bool broken = problem.kind == RestoreProblem::Kind::broken;
    throw Error(ErrorKind::damaged,
                broken ? fmt::format("unable to restore to {}: {}", quote(target.path().native()), problem.message)
                       : problem.message,
                "nothing was restored");
  }
  const std::string keep_as = request.keep_old ? kept_name(target, manifest.id) : "";
  make_publisher({target, staging, skipped, context.reporter, mended, request.spool, keep_as})
      ->publish(writer.finish());
  RestoreResult result;
  const auto unfit = skipped.left_out();
  result.entries = plan.figures.entries - left_out - skipped.devices() - unfit.size();
  result.files = done.files;
  result.bytes_written = done.bytes;
  result.bytes_fetched = lists.statistics().bytes + content.statistics().bytes;
  result.requests = context.repository.store().requests() - requests_before;
  result.duration = context.clock() - began;
  result.problems = std::move(done.problems);
  if (target.exists() && !keep_as.empty()) result.kept = target.anchor_path() / keep_as;
  for (const auto& entry : unfit) {
    if (entry.file && result.files != 0) --result.files;
    result.problems.push_back({entry.path, entry.reason, RestoreProblem::Kind::unfit});
  }
  return result;
}

}  // namespace cairn
