#include "engine/prune/prune_plan.hpp"

#include "repo/layout.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

namespace cairn {

using namespace std::chrono_literals;

namespace {

// Servers of one store may differ by so much.
constexpr std::chrono::seconds k_clock_tolerance{5};
constexpr std::chrono::days k_longest_silence{30};
constexpr std::size_t k_names_in_message = 3;

std::string some_of(const std::vector<std::string>& names, std::size_t most = k_names_in_message) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    if (i > 0) out += ", ";
    out += quote(names[i]);
  }
  if (names.size() > most) out += fmt::format(" and {} more", names.size() - most);
  return out;
}

class PrunePlanner {
 public:
  PrunePlanner(const PruneEvidence& evidence, const std::map<Digest, RetentionDecision>& decisions,
               const PruneSettings& settings)
      : m_evidence(evidence), m_decisions(decisions), m_settings(settings) {}

  PrunePlan plan() {
    check_usage();
    find_newest();
    find_superseded();
    decide_manifests();
    check_evidence();
    check_listings();
    trace_packs();
    decide_packs();
    if (m_settings.scope == PruneSettings::Scope::prune) {
      decide_marks();
      decide_pending();
    }
    check_clock();
    return std::move(m_plan);
  }

 private:
  // The reasons to keep a pack, before and after this run's removals.
  struct PackState {
    bool referenced_before = false;  // by a manifest or a run under way
    bool referenced_after = false;
    bool named_after = false;    // by a manifest
    std::optional<Time> marked;  // newest valid mark
  };

  bool is_removed(const Digest& id) const {
    const auto found = m_decisions.find(id);
    return found != m_decisions.end() && found->second.verdict == Verdict::remove;
  }
  bool is_removed(const PruneEvidence::StoredManifest& manifest) const {
    return is_removed(manifest.id) || m_superseded.contains(manifest.key);
  }
  bool is_set_aside(const std::string& key) const { return m_settings.set_aside.contains(key); }
  // By a mark that is given up: it is named by its time, and saw nothing newer.
  bool may_be_condemned(const PruneEvidence::Pack& pack) const { return m_lost_mark && pack.modified <= *m_lost_mark; }
  bool older_than_grace(Time time) const { return elapsed(time, m_evidence.since) >= m_settings.grace; }
  static Time time_of(const StoredMark& stored) { return std::max(stored.mark.time, stored.modified); }
  static void count(PrunePlan::Amount& amount, const PruneEvidence::Pack& pack) {
    amount.packs += 1;
    amount.bytes += pack.size;
  }
  void stop(ErrorKind kind, std::string message, std::string hint = {}) {
    m_plan.stops.emplace_back(kind, std::move(message), std::move(hint));
  }

  void check_usage();
  void check_set_aside();
  void find_newest();
  void find_superseded();
  void decide_manifests();
  void check_evidence();
  void check_listings();
  void trace_packs();
  void decide_packs();
  void decide_marks();
  void decide_pending();
  void check_clock();

  const PruneEvidence& m_evidence;
  const std::map<Digest, RetentionDecision>& m_decisions;
  const PruneSettings& m_settings;
  PrunePlan m_plan;
  std::set<std::string> m_listed;         // keys below snapshots/
  std::map<std::string, Time> m_removed;  // removal_records()
  std::set<std::string> m_superseded;     // keys
  std::optional<Time> m_lost_mark;        // the newest of those that are given up
  std::vector<PackState> m_states;
};

void PrunePlanner::check_usage() {
  if (m_settings.grace < k_shortest_shared_grace && !m_settings.exclusive) {
    throw Error(ErrorKind::usage,
                fmt::format("a grace of {} is shorter than an hour", format_duration(m_settings.grace)),
                "--exclusive allows it, where nothing else uses the store: no snapshot, push, restore or prune");
  }
  for (const auto& manifest : m_evidence.manifests) m_listed.insert(manifest.key);
  for (const auto& item : m_evidence.unreadable) m_listed.insert(item.key);
  m_removed = removal_records(m_evidence.marks);
  check_set_aside();
}

void PrunePlanner::check_set_aside() {
  const auto refuse = [](const std::string& key, const std::string& cause, std::string hint = {}) {
    const char* what = key.starts_with(layout::k_marks)     ? "mark"
                       : key.starts_with(layout::k_pending) ? "pending record"
                                                            : "manifest";
    throw Error(ErrorKind::usage, fmt::format("unable to set {} {} aside: {}", what, quote(key), cause),
                std::move(hint));
  };
  std::set<std::string> known;
  for (const auto& manifest : m_evidence.manifests) {
    if (!is_set_aside(manifest.key)) continue;
    refuse(manifest.key, "it can be read",
           fmt::format("remove its snapshot, trusted or not, with: cairn forget {} --apply", manifest.id.short_hex()));
  }
  for (const auto& stored : m_evidence.marks) {
    if (is_set_aside(stored.key)) refuse(stored.key, "it can be read");
    known.insert(stored.mark.seen.begin(), stored.mark.seen.end());
  }
  for (const auto& stored : m_evidence.pending) {
    if (is_set_aside(stored.key)) refuse(stored.key, "it can be read");
  }
  for (const auto* unreadable : {&m_evidence.unreadable, &m_evidence.unreadable_notes}) {
    for (const auto& item : *unreadable) {
      known.insert(item.key);
      // One that is listed, and not there when it is asked for, is as good as damaged.
      const bool given_up = item.error.kind() == ErrorKind::damaged || item.error.kind() == ErrorKind::not_found;
      if (!given_up && is_set_aside(item.key)) {
        refuse(item.key, "it is not damaged: " + item.error.message());
      }
    }
  }
  for (const auto& key : m_settings.set_aside) {
    if (!known.contains(key)) refuse(key, "no such object is known");
  }
  for (const auto& item : m_evidence.unreadable_notes) {
    if (!is_set_aside(item.key)) continue;
    m_plan.notes_given_up.push_back(item.key);
    if (const auto time = layout::parse_mark_key(item.key)) {
      m_lost_mark = std::max(m_lost_mark.value_or(*time), *time);
    }
  }
}

void PrunePlanner::find_newest() {
  Time newest{};
  for (const auto& pack : m_evidence.packs) {
    if (pack.listed) newest = std::max(newest, pack.modified);
  }
  for (const auto& manifest : m_evidence.manifests) newest = std::max(newest, manifest.stored_at);
  for (const auto& item : m_evidence.unreadable) newest = std::max(newest, item.stored_at);
  for (const auto& item : m_evidence.unreadable_notes) newest = std::max(newest, item.stored_at);
  for (const auto& stored : m_evidence.marks)
    newest = std::max({newest, stored.modified, order_of(stored.mark, stored.modified)});
  for (const auto& stored : m_evidence.pending) newest = std::max(newest, stored.modified);
  m_plan.newest_object = newest;
  // Within the tolerance the clock is taken for right; the mark must not be void for that.
  const Time now = m_evidence.now;
  m_plan.mark_time = now < newest && elapsed(now, newest) <= k_clock_tolerance ? newest : now;
}

// A snapshot got a later manifest because packs of the first were damaged or had gone.
void PrunePlanner::find_superseded() {
  if (m_settings.scope != PruneSettings::Scope::prune) return;
  std::unordered_set<Digest, DigestHash> condemned;
  for (const auto& stored : m_evidence.marks) condemned.insert(stored.mark.packs.begin(), stored.mark.packs.end());
  const auto is_whole = [&](const PruneEvidence::StoredManifest& manifest) {
    return std::all_of(manifest.packs.begin(), manifest.packs.end(), [&](std::uint32_t index) {
      const auto& pack = m_evidence.packs[index];
      return pack.listed && !condemned.contains(pack.name);
    });
  };
  std::map<Digest, Time> whole;  // the newest one
  for (const auto& manifest : m_evidence.manifests) {
    if (!manifest.trusted || !manifest.vouched || !is_whole(manifest)) continue;
    auto& at = whole.emplace(manifest.id, manifest.stored_at).first->second;
    at = std::max(at, manifest.stored_at);
  }
  for (const auto& manifest : m_evidence.manifests) {
    const auto found = whole.find(manifest.id);
    if (found == whole.end()) continue;
    const bool repaired = found->second >= manifest.stored_at && !is_whole(manifest);
    if (repaired || !manifest.vouched) m_superseded.insert(manifest.key);
  }
}

void PrunePlanner::decide_manifests() {
  std::map<std::string, std::map<std::pair<Time, Digest>, PrunePlan::Snapshot>> series;
  for (const auto& manifest : m_evidence.manifests) {
    auto& snapshot = series[manifest.series][{manifest.cut_point, manifest.id}];
    snapshot.id = manifest.id;
    snapshot.cut_point = manifest.cut_point;
    snapshot.keys.push_back(manifest.key);
    snapshot.pinned = m_evidence.pinned.contains(manifest.id);
    const auto decision = m_decisions.find(manifest.id);
    if (decision != m_decisions.end()) snapshot.decision = decision->second;
    (is_removed(manifest) ? m_plan.removed_manifests : m_plan.staying_manifests).push_back(manifest.key);
  }
  for (const auto& key : m_plan.staying_manifests) {
    const auto removed = m_removed.find(key);
    if (removed != m_removed.end() && elapsed(removed->second, m_evidence.since) >= k_removal_settled) {
      m_plan.restored_manifests.push_back(key);
    }
  }
  for (auto& [name, snapshots] : series) {
    PrunePlan::Series out{name, {}};
    for (auto& [order, snapshot] : snapshots) out.snapshots.push_back(std::move(snapshot));
    const bool emptied = std::none_of(out.snapshots.begin(), out.snapshots.end(),
                                      [](const auto& item) { return item.decision.verdict == Verdict::keep; });
    if (emptied && m_settings.scope == PruneSettings::Scope::prune) {
      stop(ErrorKind::failed, fmt::format("unable to prune: retention would leave nothing of series {}", quote(name)));
    }
    m_plan.series.push_back(std::move(out));
  }
  for (const auto& key : m_settings.set_aside) {
    if (!key.starts_with(layout::k_snapshots)) continue;
    (m_listed.contains(key) ? m_plan.removed_manifests : m_plan.lost_manifests).push_back(key);
  }
}

void PrunePlanner::check_evidence() {
  for (const auto& item : m_evidence.unreadable) {
    if (m_settings.set_aside.contains(item.key)) continue;
    m_plan.stops.push_back(unreadable_manifest(item.key, item.error));
  }
  for (const auto& item : m_evidence.unreadable_notes) {
    if (!is_set_aside(item.key)) m_plan.stops.push_back(item.error);
  }
  for (const auto& manifest : m_evidence.manifests) {
    for (const auto& feature : manifest.requires_prune) {
      stop(ErrorKind::failed,
           fmt::format("unable to prune {}: needs feature {}, which this program does not know", quote(manifest.key),
                       quote(feature)),
           "use a newer version of cairn");
    }
  }
}

// A listing that leaves something out is the commonest way to lose a backup to a prune.
void PrunePlanner::check_listings() {
  std::set<std::string> lost;
  for (const auto& stored : m_evidence.marks) {
    for (const auto& key : stored.mark.seen) {
      if (m_listed.contains(key) || m_settings.set_aside.contains(key)) continue;
      if (!m_removed.contains(key)) lost.insert(key);
    }
  }
  // Beside a mark that cannot be read, and stops the run, the removals that it recorded are not known.
  const bool blind = std::any_of(m_evidence.unreadable_notes.begin(), m_evidence.unreadable_notes.end(),
                                 [&](const auto& item) { return !is_set_aside(item.key); });
  if (!lost.empty() && !blind) {
    const auto named = m_lost_mark ? lost.size() : k_names_in_message;
    stop(ErrorKind::failed,
         fmt::format("unable to prune: the listing of manifests has shrunk: {}, which an earlier prune saw, and no "
                     "prune removed",
                     some_of({lost.begin(), lost.end()}, named)),
         m_lost_mark ? "a mark that is set aside may have told of their removal; if they were removed, or are lost, "
                       "give each up with it: --set-aside KEY"
                     : "try again later; if they are really lost, each can be given up: cairn prune --store STORE "
                       "--set-aside KEY");
  }
  const auto listed = [](const PruneEvidence::Pack& pack) { return pack.listed; };
  if (m_listed.empty() && m_evidence.marks.empty() &&
      std::any_of(m_evidence.packs.begin(), m_evidence.packs.end(), listed)) {
    stop(ErrorKind::failed, "unable to prune: the listing shows packs, and not one manifest",
         "a store that never held a snapshot needs no prune; if it did, its listing cannot be trusted");
  }
  // A second manifest of a snapshot was committed because the first one's packs had gone: one whole one is enough.
  std::map<Digest, std::vector<std::uint32_t>> lacking;  // by snapshot, what its best manifest lacks
  std::set<Digest> vouched;  // those of which one is vouched for: then no other one is the best
  for (const auto& manifest : m_evidence.manifests) {
    if (manifest.trusted && manifest.vouched) vouched.insert(manifest.id);
  }
  for (const auto& manifest : m_evidence.manifests) {
    if (is_removed(manifest.id) || (!manifest.vouched && vouched.contains(manifest.id))) continue;
    std::vector<std::uint32_t> lacks;
    for (const auto pack : manifest.packs) {
      if (!m_evidence.packs[pack].listed) lacks.push_back(pack);
    }
    const auto [at, added] = lacking.emplace(manifest.id, lacks);
    if (!added && lacks.size() < at->second.size()) at->second = std::move(lacks);
  }
  std::set<std::string> missing;
  for (const auto& [id, packs] : lacking) {
    for (const auto pack : packs) missing.insert(layout::pack_key(m_evidence.packs[pack].name));
  }
  // Removing what is broken must remain possible.
  if (!missing.empty() && m_settings.scope == PruneSettings::Scope::prune) {
    stop(
        ErrorKind::damaged,
        fmt::format("unable to prune: the listing of packs lacks {}, which snapshots need",
                    some_of({missing.begin(), missing.end()})),
        "cairn verify says which snapshots; repair them from another store, or remove each, trusted or not, by its id: "
        "cairn forget ID --apply");
  }
}

void PrunePlanner::trace_packs() {
  m_states.resize(m_evidence.packs.size());
  for (const auto& manifest : m_evidence.manifests) {
    const bool stays = !is_removed(manifest);
    for (const auto pack : manifest.packs) {
      m_states[pack].referenced_before = true;
      m_states[pack].referenced_after |= stays;
      m_states[pack].named_after |= stays;
    }
  }
  std::map<std::string, Time> newest_record;  // of a run
  for (const auto& stored : m_evidence.pending) {
    const auto [at, added] = newest_record.emplace(stored.run, stored.modified);
    if (!added) at->second = std::max(at->second, stored.modified);
  }
  for (const auto& stored : m_evidence.pending) {
    if (older_than_grace(newest_record[stored.run])) continue;
    for (const auto pack : stored.packs) {
      m_states[pack].referenced_before = true;
      m_states[pack].referenced_after = true;
    }
  }
  std::unordered_map<Digest, Time, DigestHash> marked;
  for (const auto& stored : m_evidence.marks) {
    if (is_void(stored.mark)) continue;
    for (const auto& name : stored.mark.packs) {
      const auto [at, added] = marked.emplace(name, time_of(stored));
      if (!added) at->second = std::max(at->second, time_of(stored));
    }
  }
  for (std::size_t i = 0; i < m_states.size(); ++i) {
    const auto found = marked.find(m_evidence.packs[i].name);
    if (found != marked.end()) m_states[i].marked = found->second;
  }
}

void PrunePlanner::decide_packs() {
  // Nobody knows what an unreadable manifest needed, nor what such a pending record held: everything that nothing else
  // needs gets a new grace.
  const bool mark_all_anew = !m_settings.set_aside.empty();
  for (std::size_t i = 0; i < m_states.size(); ++i) {
    const auto& pack = m_evidence.packs[i];
    const auto& state = m_states[i];
    if (!pack.listed) continue;
    // A pack that is condemned, or may be by a mark that goes now, stays so, and has its grace anew. A run under way
    // that stored it stores it again when it commits.
    if (mark_all_anew && !state.named_after && (state.marked || may_be_condemned(pack))) {
      m_plan.marked_packs.push_back(pack.name);
      count(m_plan.marked_now, pack);
      continue;
    }
    if (state.referenced_after) {
      count(m_plan.kept, pack);
    } else if (!older_than_grace(pack.modified)) {
      count(m_plan.young, pack);
    } else if (state.referenced_before || !state.marked || mark_all_anew) {
      m_plan.marked_packs.push_back(pack.name);
      count(m_plan.marked_now, pack);
    } else if (older_than_grace(*state.marked) && m_settings.scope == PruneSettings::Scope::prune) {
      m_plan.deleted_packs.push_back(pack.name);
      count(m_plan.freed_now, pack);
    } else {
      count(m_plan.waiting, pack);
    }
  }
}

// A mark has served when every pack that it names is gone or named by a newer one, and no other mark needs it: one that
// saw a manifest needs some record of its removal, one that records a removal needs what restored the manifest since.
// Each goes only if that holds for those that are left, so a run that is cut short leaves a consistent rest.
void PrunePlanner::decide_marks() {
  std::unordered_map<Digest, std::size_t, DigestHash> listed;
  for (std::size_t i = 0; i < m_evidence.packs.size(); ++i) {
    if (m_evidence.packs[i].listed) listed.emplace(m_evidence.packs[i].name, i);
  }
  const std::unordered_set<Digest, DigestHash> marked_now{m_plan.marked_packs.begin(), m_plan.marked_packs.end()};
  std::vector<const StoredMark*> left;
  for (const auto& stored : m_evidence.marks) left.push_back(&stored);
  std::sort(left.begin(), left.end(), [](const auto* a, const auto* b) {
    return std::pair{time_of(*a), a->key} < std::pair{time_of(*b), b->key};
  });
  // Manifests that were restored: removals before that time are void, and keep the mark needed.
  std::map<std::string, Time> restored;
  for (const auto* stored : left) {
    for (const auto& key : stored->mark.restored) {
      auto& before = restored[key];
      before = std::max(before, restores_before(stored->mark, stored->modified));
    }
  }
  const auto is_void_removal = [&](const StoredMark& stored, const std::string& key) {
    const auto found = restored.find(key);
    return found != restored.end() && order_of(stored.mark, stored.modified) < found->second;
  };
  // How many of those left saw a manifest, have a record of its removal that holds, or one that is void.
  std::map<std::string, int> seen;
  std::map<std::string, int> removed;
  std::map<std::string, int> void_removed;
  const auto account = [&](const StoredMark& stored, int by) {
    for (const auto& key : stored.mark.seen) seen[key] += by;
    for (const auto& item : stored.mark.removed) {
      (is_void_removal(stored, item.key) ? void_removed : removed)[item.key] += by;
    }
  };
  for (const auto* stored : left) account(*stored, 1);
  const auto served = [&](const StoredMark& stored) {
    if (elapsed(time_of(stored), m_evidence.since) / 2 < m_settings.grace) return false;
    const bool packs_done = std::all_of(stored.mark.packs.begin(), stored.mark.packs.end(), [&](const Digest& name) {
      const auto at = listed.find(name);
      if (at == listed.end() || marked_now.contains(name)) return true;
      const auto& newest = m_states[at->second].marked;
      return newest && *newest > time_of(stored);
    });
    if (!packs_done) return false;
    const bool proof_needed =
        std::any_of(stored.mark.removed.begin(), stored.mark.removed.end(), [&](const Mark::Removed& item) {
          return !m_listed.contains(item.key) && !is_void_removal(stored, item.key) && removed[item.key] == 1 &&
                 seen[item.key] > 0;
        });
    const bool voids_others = std::any_of(stored.mark.restored.begin(), stored.mark.restored.end(),
                                          [&](const std::string& key) { return void_removed[key] > 0; });
    return !proof_needed && !voids_others;
  };
  for (std::size_t i = 0; i < left.size();) {
    const auto& stored = *left[i];
    if (!served(stored)) {
      ++i;
      continue;
    }
    m_plan.deleted_marks.push_back(stored.key);
    account(stored, -1);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
    i = 0;  // what stood before it may be free now
  }
}

void PrunePlanner::decide_pending() {
  std::map<std::string, Time> newest_record;
  for (const auto& stored : m_evidence.pending) {
    const auto [at, added] = newest_record.emplace(stored.run, stored.modified);
    if (!added) at->second = std::max(at->second, stored.modified);
  }
  for (const auto& stored : m_evidence.pending) {
    if (elapsed(newest_record[stored.run], m_evidence.since) / 2 >= m_settings.grace)
      m_plan.deleted_pending.push_back(stored.key);
  }
}

void PrunePlanner::check_clock() {
  if (m_settings.clock_ok) return;
  // The mark that takes the place of one that is given up must not be void.
  if (m_plan.deleted_packs.empty() && m_plan.deleted_marks.empty() && m_plan.deleted_pending.empty() &&
      m_plan.notes_given_up.empty()) {
    return;
  }
  const Time now = m_evidence.now;
  const Time newest = m_plan.newest_object;
  if (elapsed(now, newest) > k_clock_tolerance) {
    stop(ErrorKind::failed,
         fmt::format("unable to prune: the store's clock says {}, which is before its newest object of {}",
                     format_time_short(now), format_time_short(newest)),
         "if the clock is right: --clock-ok");
  } else if (elapsed(newest, now) > k_longest_silence) {
    stop(ErrorKind::failed,
         fmt::format("unable to prune: the store's clock says {}, more than 30 days after its newest object of {}",
                     format_time_short(now), format_time_short(newest)),
         "if the clock is right, and nothing was stored for so long: --clock-ok");
  }
}

}  // namespace

Time order_of(const Mark& mark, Time stored_at) noexcept {
  return std::max({mark.time, mark.newest_object, stored_at});
}

Time restores_before(const Mark& mark, Time stored_at) noexcept {
  return std::min(order_of(mark, stored_at), shifted(mark.newest_object, Nanoseconds{1}));
}

std::map<std::string, Time> removal_records(const std::vector<StoredMark>& marks) {
  std::map<std::string, Time> out;
  for (const auto& stored : marks) {
    for (const auto& removed : stored.mark.removed) {
      auto& at = out[removed.key];
      at = std::max(at, order_of(stored.mark, stored.modified));
    }
  }
  for (const auto& stored : marks) {
    for (const auto& key : stored.mark.restored) {
      const auto found = out.find(key);
      if (found != out.end() && found->second < restores_before(stored.mark, stored.modified)) out.erase(found);
    }
  }
  return out;
}

bool is_void(const Mark& mark) noexcept {
  return mark.time < mark.newest_object;
}

Error unreadable_manifest(const std::string& key, const Error& cause) {
  // A manifest that is listed and not there is no wrong name that somebody gave.
  return {cause.kind() == ErrorKind::not_found ? ErrorKind::damaged : cause.kind(),
          fmt::format("unable to prune: object {} cannot be read as a manifest: {}", quote(key), cause.message()),
          fmt::format(
              "which packs it needs is not known; to give that snapshot up: cairn prune --store STORE --set-aside {}",
              key)};
}

PrunePlan plan_prune(const PruneEvidence& evidence, const std::map<Digest, RetentionDecision>& decisions,
                     const PruneSettings& settings) {
  return PrunePlanner{evidence, decisions, settings}.plan();
}

}  // namespace cairn
