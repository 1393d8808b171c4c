#include "cli/series_walk.hpp"

#include "engine/choose/reference.hpp"
#include "repo/objects.hpp"
#include "util/units.hpp"

#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Snapshots that are looked into together: their lists of packs are in memory.
constexpr std::size_t k_most_packs = 100'000;
constexpr std::size_t k_most_snapshots = 500;

// Each with its manifests, oldest first.
std::vector<std::vector<ManifestInfo>> snapshots_of(OpenStore& store, const SeriesWalk& walk, Time now) {
  std::optional<Time> first;
  std::optional<Time> last;
  if (walk.since) first = parse_instants(*walk.since, now).first;
  if (walk.until) last = parse_instants(*walk.until, now).last;
  std::vector<std::vector<ManifestInfo>> out;
  bool any = false;
  for (auto& info : store.repository->manifests().list(walk.series)) {
    if (info.name.series != walk.series) continue;
    any = true;
    if ((first && info.name.cut_point < *first) || (last && info.name.cut_point > *last)) continue;
    if (!out.empty() && same_snapshot(out.back().front().name, info.name)) {
      out.back().push_back(std::move(info));
    } else {
      out.push_back({std::move(info)});
    }
  }
  if (!any) throw no_such_series(store, walk.series);
  return out;
}

}  // namespace

void WalkProblems::add(Session& session, std::string message, ExitStatus grave) {
  session.reporter().warning(message);
  messages.push_back(std::move(message));
  status = gravest(status, grave);
}

void walk_series(Session& session, OpenStore& store, const SeriesWalk& walk, WalkProblems& problems,
                 const std::function<void(const std::vector<Manifest>&)>& visit) {
  std::vector<Manifest> batch;
  std::size_t packs = 0;
  std::size_t untrusted = 0;
  for (const auto& copies : snapshots_of(store, walk, session.io().clock())) {
    auto read = read_best_copy(*store.repository, copies);
    if (read.found) {
      read.found->manifest.require_open();
      packs += read.found->manifest.packs.size();
      batch.push_back(std::move(read.found->manifest));
    } else if (read.failures.empty() || store.repository->trust().demands_signature()) {
      ++untrusted;
    } else {
      problems.add(session, read.failures.front().message(), ExitStatus::damaged);
    }
    if (packs < k_most_packs && batch.size() < k_most_snapshots) continue;
    visit(std::exchange(batch, {}));
    packs = 0;
  }
  if (!batch.empty()) visit(batch);
  if (untrusted != 0) {
    session.reporter().warning(fmt::format("{} left out: unsigned, or signed by a key that is not trusted",
                                           counted(untrusted, "snapshot was", "snapshots were")));
  }
}

}  // namespace cairn
