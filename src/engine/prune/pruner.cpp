#include "engine/prune/pruner.hpp"

#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "repo/loaded.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_reads_at_once = 32;
constexpr std::uint64_t k_read_bytes_at_once = 64ULL << 20;
constexpr std::size_t k_remove_batch = 1000;

// Gives every pack that is listed or named one index.
class PackIndex {
 public:
  explicit PackIndex(std::vector<PruneEvidence::Pack>& packs) : m_packs(packs) {}
  void add_listed(const Digest& name, const ObjectInfo& info) {
    m_index.emplace(name, static_cast<std::uint32_t>(m_packs.size()));
    m_packs.push_back({name, true, info.size, info.modified});
  }
  std::vector<std::uint32_t> of(const std::vector<PackRef>& refs) {
    std::vector<std::uint32_t> out;
    out.reserve(refs.size());
    for (const auto& ref : refs) {
      const auto [at, added] = m_index.emplace(ref.name, static_cast<std::uint32_t>(m_packs.size()));
      if (added) m_packs.push_back({ref.name, false, 0, {}});
      out.push_back(at->second);
    }
    return out;
  }

 private:
  std::vector<PruneEvidence::Pack>& m_packs;
  std::unordered_map<Digest, std::uint32_t, DigestHash> m_index;
};

std::vector<std::string> unknown_features(const Requirements& requirements) {
  std::vector<std::string> out;
  for (const auto& feature : requirements.prune) {
    Requirements one;
    one.prune.push_back(feature);
    try {
      check_requirements(one, Operation::prune, "");
    } catch (const Error&) {
      out.push_back(feature);
    }
  }
  return out;
}

Wholeness wholeness_of(const Record& record) {
  if (record.doubt != Doubt::none) return Wholeness::doubtful;
  return record.incomplete ? Wholeness::incomplete : Wholeness::complete;
}

bool is_complete(const PruneEvidence::StoredManifest& manifest) {
  return manifest.trusted && manifest.wholeness == Wholeness::complete;
}

struct ReadManifest {
  Manifest manifest;
  bool from_store;
};

// A manifest as prune needs it: requirements for reading do not matter, its name must fit.
ReadManifest read_for_prune(Repository& repository, const ManifestInfo& info, Cached cached) {
  const auto kept = cached == Cached::yes ? repository.manifests().cached_bytes(info) : std::nullopt;
  Manifest manifest = kept ? Manifest::parse(as_text(*kept), info.key)
                           : Manifest::parse(repository.manifests().load_text(info, Cached::no), info.key);
  check_name(manifest, info);
  return {std::move(manifest), !kept};
}

bool is_vouched(const Repository& repository, const Manifest& manifest, Time stored_at) {
  const TrustPolicy& trust = repository.trust();
  if (!trust.demands_signature()) return true;
  const auto signers = repository.manifests().list_signers(manifest, stored_at, {});
  return std::any_of(signers.begin(), signers.end(),
                     [&](const std::string& key) { return trust.trusts(key, manifest.record.series); });
}

// The manifests that either of two listings shows: one that leaves a manifest out must not cost its packs. Marks tell
// which manifests were there, which helps only where none says that this one was to be removed: the run that said so
// may have been killed before it did it.
std::vector<ManifestInfo> list_manifests_twice(Repository& repository, std::vector<std::string>& unknown) {
  std::map<std::string, ManifestInfo> found;
  for (int listing = 0; listing < 2; ++listing) {
    for (auto& info : repository.manifests().list({}, &unknown)) found.emplace(info.key, info);
  }
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  std::vector<ManifestInfo> out;
  out.reserve(found.size());
  for (auto& [key, info] : found) out.push_back(std::move(info));
  return out;
}

Error forgets_pinned(const Digest& id, const std::string& series) {
  return {ErrorKind::usage,
          fmt::format("unable to forget {} of series {}: it is pinned", id.short_hex(), quote(series)),
          fmt::format("to remove it after all: cairn unpin {}", id.short_hex())};
}

}  // namespace

PruneEvidence gather_prune_evidence(Context& context, const std::set<std::string>& from_store) {
  Repository& repository = context.repository;
  ObjectStore& store = repository.store();
  PruneEvidence evidence;
  evidence.since = store.now();
  // Manifests are listed before the marks are: a removal record is written before its manifest goes, so a manifest
  // that was listed no more has its record read.
  std::vector<std::string> unknown;
  const auto manifests = list_manifests_twice(repository, unknown);
  for (const auto& key : unknown) {
    const auto info = store.head(key);
    evidence.unreadable.push_back(
        {key, info ? info->modified : Time{}, Error(ErrorKind::damaged, "its name is not a manifest's")});
  }

  PackIndex index{evidence.packs};
  repository.packs().list([&](const Digest& name, const ObjectInfo& info) { index.add_listed(name, info); });

  std::size_t done = 0;
  std::vector<PruneEvidence::Unreadable> vanished;
  const auto take = [&](Loaded<ManifestInfo, ReadManifest> loaded) {
    const ManifestInfo& info = *loaded.info;
    context.reporter.progress("reading manifests", ++done, manifests.size());
    if (loaded.failure) {
      auto& list = loaded.failure->kind() == ErrorKind::not_found ? vanished : evidence.unreadable;
      list.push_back({info.key, info.stored_at, *loaded.failure});
      return;
    }
    const Manifest& manifest = loaded.value->manifest;
    PruneEvidence::StoredManifest stored;
    stored.key = info.key;
    stored.series = info.name.series;
    stored.cut_point = info.name.cut_point;
    stored.stored_at = info.stored_at;
    stored.size = info.size;
    stored.id = manifest.id;
    stored.trusted =
        repository.trust().judge(manifest.record, manifest.id, manifest.signatures, info.stored_at).trusted;
    stored.vouched = is_vouched(repository, manifest, info.stored_at);
    stored.packs = index.of(manifest.packs);
    stored.requires_prune = unknown_features(manifest.requirements);
    stored.from_store = loaded.value->from_store;
    stored.wholeness = wholeness_of(manifest.record);
    evidence.manifests.push_back(std::move(stored));
  };
  OrderedWindow<Loaded<ManifestInfo, ReadManifest>> window{context.io, k_reads_at_once, k_read_bytes_at_once, take};
  for (const auto& info : manifests) {
    check_interrupted();
    const auto cached = from_store.contains(info.key) ? Cached::no : Cached::yes;
    window.push(info.size, [&repository, &info, cached] {
      return load(info, [&] { return std::optional{read_for_prune(repository, info, cached)}; });
    });
  }
  window.drain();

  std::vector<NoteStore::UnreadableNote> notes;
  for (auto& stored : repository.notes().pending(repository.notes().list_pending(), notes)) {
    evidence.pending.push_back(
        {stored.object.key, stored.record.run, stored.object.modified, index.of(stored.record.packs)});
  }
  const auto cached = from_store.empty() ? Cached::yes : Cached::no;
  evidence.marks = repository.notes().marks(repository.notes().list_marks(), cached, notes);
  for (auto& note : notes) {
    evidence.unreadable_notes.push_back({note.object.key, note.object.modified, std::move(note.error)});
  }
  // A manifest that went since the listing was removed by another prune, which said so first; its packs have the grace
  // of that one's mark.
  const auto removed = removal_records(evidence.marks);
  for (auto& item : vanished) {
    if (!removed.contains(item.key)) evidence.unreadable.push_back(std::move(item));
  }
  for (const auto& [id, drill] : newest_drills(repository.drills().list())) {
    if (drill.record.outcome != DrillOutcome::passed) continue;
    evidence.proven[id] = drill.record.store == repository.descriptor().store_id ? Proven::here : Proven::elsewhere;
  }
  Pins pins = repository.notes().pins(NoteStore::Listed::twice);
  evidence.now = store.now();
  pins.set_now(evidence.now);
  for (const auto& manifest : evidence.manifests) {
    if (pins.pinned(manifest.id, manifest.series)) evidence.pinned.insert(manifest.id);
  }
  return evidence;
}

Pruner::Pruner(Context& context, PruneRequest request, Apply apply)
    : m_context(context), m_request(std::move(request)) {
  Repository& repository = context.repository;
  check_requirements(repository.descriptor().requirements, Operation::prune, repository.store().describe());
  m_request.settings.scope = m_request.forget ? PruneSettings::Scope::forget : PruneSettings::Scope::prune;
  if (apply == Apply::yes) m_lease.emplace(context);
  // An object that is given up as damaged is looked at in the store: the cache would call it readable.
  PruneEvidence evidence = gather_prune_evidence(context, m_request.settings.set_aside);
  m_checked = evidence.since;
  make_plan(evidence);
  if (apply == Apply::yes) {
    while (!read_what_stays(evidence)) make_plan(evidence);
  }
  for (const auto& manifest : evidence.manifests) m_settled.push_back(manifest.key);
  for (const auto& stored : evidence.marks) {
    for (const auto& removed : stored.mark.removed) m_settled.push_back(removed.key);
  }
}

void Pruner::make_plan(const PruneEvidence& evidence) {
  m_plan = plan_prune(evidence, m_request.forget ? decide_forget(evidence) : decide(evidence), m_request.settings);
}

bool Pruner::read_what_stays(PruneEvidence& evidence) {
  std::set<std::string> losing;  // series
  for (const auto& key : m_plan.removed_manifests) {
    if (auto name = layout::parse_manifest_key(key)) losing.insert(std::move(name->series));
  }
  const std::set<std::string> going(m_plan.removed_manifests.begin(), m_plan.removed_manifests.end());
  std::vector<ManifestInfo> staying;
  for (auto& manifest : evidence.manifests) {
    if (manifest.from_store || !losing.contains(manifest.series) || going.contains(manifest.key)) continue;
    manifest.from_store = true;
    staying.push_back(
        {manifest.key, layout::parse_manifest_key(manifest.key).value(), manifest.size, manifest.stored_at});
  }
  std::size_t done = 0;
  std::set<std::string> failed;
  const auto removed = removal_records(evidence.marks);
  const auto take = [&](const Loaded<ManifestInfo, bool>& loaded) {
    const ManifestInfo& info = *loaded.info;
    m_context.reporter.progress("reading what stays", ++done, staying.size());
    if (!loaded.failure) return;
    failed.insert(info.key);
    // As in gather_prune_evidence(): one that another prune removed is none any more.
    if (loaded.failure->kind() == ErrorKind::not_found && removed.contains(info.key)) return;
    evidence.unreadable.push_back({info.key, info.stored_at, *loaded.failure});
  };
  OrderedWindow<Loaded<ManifestInfo, bool>> window{m_context.io, k_reads_at_once, k_read_bytes_at_once, take};
  for (const auto& info : staying) {
    check_interrupted();
    window.push(info.size, [this, &info] {
      return load(info, [&] {
        m_context.repository.manifests().load_text(info, Cached::no);
        return std::optional{true};
      });
    });
  }
  window.drain();
  std::erase_if(evidence.manifests, [&](const auto& manifest) { return failed.contains(manifest.key); });
  return failed.empty();
}

std::map<Digest, RetentionDecision> Pruner::decide(const PruneEvidence& evidence) const {
  std::map<Digest, RetentionDecision> out;
  if (!m_request.policy) return out;
  std::map<std::string, std::map<Digest, RetentionCandidate>> series;
  for (const auto& manifest : evidence.manifests) {
    if (!m_request.series.empty() && manifest.series != m_request.series) continue;
    auto [at, added] = series[manifest.series].emplace(
        manifest.id, RetentionCandidate{manifest.id, manifest.cut_point, manifest.stored_at});
    auto& candidate = at->second;
    candidate.wholeness = manifest.wholeness;
    candidate.pinned = evidence.pinned.contains(manifest.id);
    const auto proven = evidence.proven.find(manifest.id);
    if (proven != evidence.proven.end()) candidate.proven = proven->second;
    // Another copy of a trusted snapshot, without its signature, takes nothing from it.
    candidate.trusted = manifest.trusted || (!added && candidate.trusted);
    // Of two manifests of one snapshot the first one tells when it came to the store. Nothing came later than now:
    // where the store's clock was ahead itself, as that of a directory of the same machine, it shows only so.
    candidate.stored_at = std::min({candidate.stored_at, manifest.stored_at, evidence.now});
  }
  for (const auto& [name, by_id] : series) {
    const auto policy = m_request.policy(name);
    if (!policy) continue;
    std::vector<RetentionCandidate> candidates;
    for (const auto& [id, candidate] : by_id) candidates.push_back(candidate);
    auto decisions = decide_retention(candidates, *policy, evidence.now);
    for (std::size_t i = 0; i < candidates.size(); ++i) out[candidates[i].id] = std::move(decisions[i]);
  }
  return out;
}

std::map<Digest, RetentionDecision> Pruner::decide_forget(const PruneEvidence& evidence) const {
  std::map<Digest, RetentionDecision> out;
  for (const auto& id : *m_request.forget) {
    const auto found = std::find_if(evidence.manifests.begin(), evidence.manifests.end(),
                                    [&](const auto& manifest) { return manifest.id == id; });
    if (found == evidence.manifests.end()) {
      throw Error(ErrorKind::not_found, fmt::format("unable to forget {}: no such snapshot", id.hex()));
    }
    if (evidence.pinned.contains(id)) throw forgets_pinned(id, found->series);
    out[id] = {Verdict::remove, {"named"}};
  }
  // An incomplete snapshot, or one in doubt, takes the place of a complete one only if somebody says so, and sees it.
  std::map<std::string, bool> whole_stays;  // of each series that keeps any: whether a complete one does
  for (const auto& manifest : evidence.manifests) {
    if (manifest.trusted && !out.contains(manifest.id)) whole_stays[manifest.series] |= is_complete(manifest);
  }
  for (const auto& manifest : evidence.manifests) {
    const auto forgotten = out.find(manifest.id);
    const auto stays = whole_stays.find(manifest.series);
    if (forgotten == out.end() || stays == whole_stays.end() || stays->second || !is_complete(manifest)) continue;
    if (forgotten->second.reasons.size() == 1) forgotten->second.reasons.emplace_back("leaves no complete one");
  }
  for (auto& [id, decision] : out) {
    if (evidence.proven.contains(id)) decision.reasons.emplace_back("proven by a drill");
  }
  return out;
}

// An undo puts back what the mark has, so that must be right: damaged bytes do not get into it for the cache's sake.
std::string Pruner::removed_bytes(const std::string& key) {
  const ManifestInfo info{key, layout::parse_manifest_key(key).value(), 0, {}};
  std::string bytes;
  const auto failure =
      damage_of([&] { bytes = m_context.repository.manifests().load_text(info, Cached::no); }, {ErrorKind::not_found});
  // Listings may show what has gone.
  if (failure && failure->kind() == ErrorKind::damaged) throw unreadable_manifest(key, *failure);
  return bytes;
}

std::vector<std::string> Pruner::write_marks() {
  Mark mark;
  mark.time = m_plan.mark_time;
  mark.newest_object = m_plan.newest_object;
  mark.packs = m_plan.marked_packs;
  mark.seen = m_plan.staying_manifests;
  // Listings may show what has gone.
  for (const auto& key : m_plan.restored_manifests) {
    if (m_context.repository.manifests().exists(key)) mark.restored.push_back(key);
  }
  for (const auto& key : m_plan.lost_manifests) mark.removed.push_back({key, {}});
  std::vector<std::string> keys;
  std::uint64_t bytes = 0;
  for (const auto& key : m_plan.removed_manifests) {
    check_interrupted();
    // A manifest that is set aside is damaged: nobody wants it back.
    mark.removed.push_back({key, m_request.settings.set_aside.contains(key) ? std::string{} : removed_bytes(key)});
    bytes += mark.removed.back().bytes.size();
    if (bytes >= m_request.mark_bytes) {
      keys.push_back(m_context.repository.notes().store_mark(mark));
      mark.packs.clear();
      mark.removed.clear();
      bytes = 0;
    }
  }
  if (!mark.packs.empty() || !mark.removed.empty() || keys.empty())
    keys.push_back(m_context.repository.notes().store_mark(mark));
  return keys;
}

void Pruner::spare_pinned() {
  if (m_plan.removed_manifests.empty()) return;
  // A pinner looks at the marks after its record is there, this looks at the records after the mark is.
  Pins pins = m_context.repository.notes().pins(NoteStore::Listed::twice);
  pins.set_now(m_context.repository.store().now());
  for (const auto& series : m_plan.series) {
    for (const auto& snapshot : series.snapshots) {
      if (snapshot.decision.verdict != Verdict::remove || !pins.pinned(snapshot.id, series.name)) continue;
      if (m_request.forget) throw forgets_pinned(snapshot.id, series.name);
      m_context.reporter.warning(fmt::format("snapshot {} of series {} was pinned meanwhile; it stays",
                                             snapshot.id.short_hex(), quote(series.name)));
      for (const auto& key : snapshot.keys) std::erase(m_plan.removed_manifests, key);
    }
  }
}

void Pruner::check_not_stalled() {
  const Time now = m_context.repository.store().now();
  const auto gone = now - m_checked;
  if (gone >= k_lease_expiry) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to go on with the prune: it stood still for {}", format_duration(gone)),
                "what it did is complete in itself; run it again for the rest");
  }
  m_checked = now;
  if (m_lease) m_lease->renew(now);
}

void Pruner::remove_all(const char* what, const std::vector<std::string>& keys) {
  std::string first_failure;
  std::size_t failures = 0;
  for (std::size_t at = 0; at < keys.size(); at += k_remove_batch) {
    check_interrupted();
    check_not_stalled();
    const std::size_t count = std::min(k_remove_batch, keys.size() - at);
    for (const auto& failure : m_context.repository.store().remove(std::span{keys}.subspan(at, count))) {
      if (failures++ == 0) first_failure = fmt::format("{}: {}", quote(failure.key), failure.message);
    }
    m_context.reporter.progress(what, at + count, keys.size());
  }
  if (failures == 0) return;
  throw Error(ErrorKind::failed,
              fmt::format("unable to remove {} of {} objects, the first one {}", failures, keys.size(), first_failure));
}

PruneResult Pruner::execute() {
  if (!m_plan.stops.empty()) throw m_plan.stops.front();
  check_not_stalled();
  PruneResult result;
  if (m_plan.writes_mark()) result.marks_written = write_marks();
  result.packs_marked = m_plan.marked_packs.size();
  spare_pinned();
  remove_all("removing snapshots", m_plan.removed_manifests);
  result.manifests_removed = m_plan.removed_manifests.size();
  std::vector<std::string> packs;
  packs.reserve(m_plan.deleted_packs.size());
  for (const auto& name : m_plan.deleted_packs) packs.push_back(layout::pack_key(name));
  // A manifest that a killed run removed must not come back once its packs are gone.
  if (!packs.empty()) m_context.repository.store().make_durable(m_settled);
  remove_all("deleting packs", packs);
  result.packs_deleted = packs.size();
  result.bytes_deleted = m_plan.freed_now.bytes;
  // Before the others: these say why each of them may go, and what was given up is not among their reasons.
  remove_all("giving up marks and pending records", m_plan.notes_given_up);
  // One by one where the order matters: what a batch did before it failed is not known.
  for (const auto& key : m_plan.deleted_marks) remove_all("deleting marks", {key});
  remove_all("deleting pending records", m_plan.deleted_pending);
  m_context.repository.sweep_cache();
  return result;
}

namespace {

// The marks of the newest run that removed a manifest which is either not listed, or listed and not recorded as
// restored: that run, or an undo of it, was cut short.
std::vector<StoredMark> marks_to_undo(std::vector<StoredMark> marks) {
  const auto removed = removal_records(marks);
  std::optional<Time> newest;
  for (const auto& stored : marks) {
    const bool unsettled = std::any_of(stored.mark.removed.begin(), stored.mark.removed.end(), [&](const auto& item) {
      return !item.bytes.empty() && removed.contains(item.key);
    });
    if (unsettled) newest = std::max(newest.value_or(stored.mark.time), stored.mark.time);
  }
  std::erase_if(marks, [&](const auto& stored) { return !newest || stored.mark.time != *newest; });
  return marks;
}

}  // namespace

UndoResult undo_prune(Context& context, Apply apply) {
  Repository& repository = context.repository;
  ObjectStore& store = repository.store();
  check_requirements(repository.descriptor().requirements, Operation::prune, store.describe());
  std::optional<PruneLease> lease;
  if (apply == Apply::yes) lease.emplace(context);

  const std::vector<StoredMark> all_marks = repository.notes().marks(Mark::RemovedBytes::keep);
  Time newest{};
  for (const auto& stored : all_marks) newest = std::max(newest, order_of(stored.mark, stored.modified));
  const auto marks = marks_to_undo(all_marks);
  if (marks.empty()) {
    throw Error(ErrorKind::not_found, fmt::format("unable to undo: no snapshot that a prune of {} removed is missing",
                                                  quote(store.describe())));
  }

  const auto list_packs = [&] {
    std::unordered_map<Digest, std::uint64_t, DigestHash> packs;
    store.list(layout::k_packs, [&](const ObjectInfo& info) {
      if (const auto name = layout::parse_pack_key(info.key)) packs.emplace(*name, info.size);
      newest = std::max(newest, info.modified);
    });
    return packs;
  };
  auto packs = list_packs();
  // A listing that lags shows what has gone. Of packs, none goes that is not marked: only these are asked for by name.
  std::set<Digest> marked;
  for (const auto& stored : all_marks) marked.insert(stored.mark.packs.begin(), stored.mark.packs.end());
  const auto size_of = [&](const Digest& name) -> std::optional<std::uint64_t> {
    if (marked.contains(name)) {
      const auto info = repository.packs().find(name);
      return info ? std::optional{info->size} : std::nullopt;
    }
    const auto found = packs.find(name);
    return found == packs.end() ? std::nullopt : std::optional{found->second};
  };
  const auto lacking = [&](const Manifest& manifest) -> std::string {
    for (const auto& ref : manifest.packs) {
      const auto size = size_of(ref.name);
      if (!size) return fmt::format("pack {} is gone", quote(layout::pack_key(ref.name)));
      if (*size != ref.size) return fmt::format("pack {} has another size", quote(layout::pack_key(ref.name)));
    }
    return {};
  };

  UndoResult result;
  std::vector<std::pair<std::string, Manifest>> restored;
  for (const auto& stored : marks) {
    for (const auto& removed : stored.mark.removed) {
      const bool there = repository.manifests().exists(removed.key);
      if (removed.bytes.empty()) {
        if (there) continue;
        result.lost.push_back({removed.key, "it could not be read when it was set aside"});
        continue;
      }
      const auto name = layout::parse_manifest_key(removed.key);
      if (!name || !layout::fits_name(as_bytes(removed.bytes), *name)) {
        // Put back, it would stop every prune.
        if (!there) result.lost.push_back({removed.key, "its bytes, as the mark has them, do not fit its name"});
        continue;
      }
      const auto failure = any_failure_of([&] {
        Manifest manifest = Manifest::parse(removed.bytes, removed.key);
        std::string cause = lacking(manifest);
        if (!cause.empty()) {
          result.lost.push_back({removed.key, std::move(cause)});
          return;
        }
        if (apply == Apply::yes && !there) repository.manifests().put_back(removed.key, removed.bytes);
        result.restored.push_back(removed.key);
        restored.emplace_back(removed.key, std::move(manifest));
      });
      if (failure) result.lost.push_back({removed.key, failure->message()});
    }
  }
  if (apply == Apply::no || restored.empty()) return result;

  Mark mark;
  for (const auto& info : repository.manifests().list()) {
    mark.seen.push_back(info.key);
    newest = std::max(newest, info.stored_at);
  }
  std::set<Digest> condemned;
  for (const auto& [key, manifest] : restored) {
    if (!std::binary_search(mark.seen.begin(), mark.seen.end(), key)) mark.seen.push_back(key);
    for (const auto& ref : manifest.packs) condemned.insert(ref.name);
  }
  // Only what is condemned already: a pack that other snapshots share stays good for writers.
  std::set_intersection(condemned.begin(), condemned.end(), marked.begin(), marked.end(),
                        std::back_inserter(mark.packs));
  std::sort(mark.seen.begin(), mark.seen.end());
  for (const auto& [key, manifest] : restored) mark.restored.push_back(key);
  // After every mark there is, so that no removal record explains away what was put back.
  mark.time = std::max(store.now(), shifted(newest, Nanoseconds{1}));
  mark.newest_object = newest;
  repository.notes().store_mark(mark);

  packs = list_packs();
  for (const auto& [key, manifest] : restored) {
    const std::string cause = lacking(manifest);
    if (cause.empty()) continue;
    std::erase(result.restored, key);
    result.lost.push_back({key, cause + ": it went while this run was putting them back"});
  }
  return result;
}

}  // namespace cairn
