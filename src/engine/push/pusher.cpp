#include "engine/push/pusher.hpp"

#include "engine/choose/dated_ahead.hpp"
#include "engine/commit/commit_protocol.hpp"
#include "engine/push/pack_copier.hpp"
#include "repo/format.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_copies_at_once = 8;
constexpr std::uint64_t k_bytes_at_once = 128ULL << 20;  // in memory
constexpr std::uint64_t k_spooled_at_once = 2ULL << 30;  // on disk
constexpr std::size_t k_manifests_at_once = 8;
// Manifests of each other series that are looked at for packs that are there already.
constexpr std::size_t k_other_manifests = 4;
// No series has this name: the journal of pushes.
constexpr const char* k_journal = ".push";

Error untrusted(const SnapshotInfo& info) {
  return {ErrorKind::untrusted, fmt::format("unable to push snapshot {} of series {}: it is unsigned, or signed by a "
                                            "key that is not trusted",
                                            info.id.short_hex(), quote(info.record.series))};
}

// Of one series the greater is the newer. The id is its first digits: of what cannot be read the name alone is known.
std::pair<Time, std::string> rank(const layout::ManifestKey& name) {
  return {name.cut_point, name.id};
}

// The snapshots of the target, as far as they count there.
class PushTarget {
 public:
  PushTarget(Context& to, const PushRequest& request)
      : m_to(to),
        m_dated_ahead(to.repository.store(), to.clock()),
        m_snapshots(to.repository.manifests().list_snapshots(request.series)) {
    std::erase_if(m_snapshots,
                  [&](const SnapshotInfo& info) { return !info.trusted || request.damaged.contains(info.object.key); });
    std::map<std::string, std::vector<const SnapshotInfo*>> of_series;
    for (const auto& info : m_snapshots) {
      m_ids.emplace(info.id, &info);
      if (!is_ahead(info)) of_series[info.record.series].push_back(&info);
    }
    for (auto& [series, snapshots] : of_series) m_newest.emplace(series, rank(newest_of(snapshots).object.name));
  }
  PushTarget(const PushTarget&) = delete;
  PushTarget& operator=(const PushTarget&) = delete;

  const std::vector<SnapshotInfo>& snapshots() const noexcept { return m_snapshots; }
  bool has(const Digest& id) const { return m_ids.contains(id); }
  // Whether that can be relied on. Where keys are trusted a signed snapshot alone proves nothing: somebody may have put
  // its manifest here, with other packs. A host that stored them, or a key that is trusted, vouches for them.
  bool stands(const Digest& id) {
    const auto found = m_ids.find(id);
    return found != m_ids.end() && stands(*found->second);
  }
  // Whether a manifest of that snapshot can be read here to its end, which listings do not look at.
  bool has_whole(const layout::ManifestKey& name) const {
    return std::any_of(m_snapshots.begin(), m_snapshots.end(), [&](const SnapshotInfo& info) {
      if (!same_snapshot(info.object.name, name)) return false;
      auto copies = info.others;
      copies.push_back(info.object);
      return read_best_copy(m_to.repository, std::move(copies), CopyTrust::demanded,
                            [](const PackRef&) { return true; })
          .found.has_value();
    });
  }
  // Whether it is older than the newest of its series here.
  bool is_past(const layout::ManifestKey& name) const {
    const auto newest = m_newest.find(name.series);
    return newest != m_newest.end() && rank(name) < newest->second;
  }

 private:
  bool stands(const SnapshotInfo& info) {
    if (!m_to.repository.trust().demands_signature()) return true;
    const auto [at, fresh] = m_stands.emplace(info.id, false);
    if (!fresh) return at->second;
    auto copies = info.others;
    copies.push_back(info.object);
    if (!m_vouched) m_vouched = std::make_unique<VouchedPacks>(m_to.repository);
    return at->second = std::any_of(copies.begin(), copies.end(), [this](const auto& copy) { return vouched(copy); });
  }
  bool vouched(const ManifestInfo& info) {
    Manifest manifest;
    if (any_failure_of([&] { manifest = m_to.repository.manifests().peek(info); }) || !manifest.trusted) return false;
    return m_to.repository.manifests().is_vouched(manifest) ||
           (!manifest.closed && std::all_of(manifest.packs.begin(), manifest.packs.end(),
                                            [this](const PackRef& ref) { return m_vouched->is_own(ref); }));
  }
  // Of those that stand, if there are any: else whoever can put objects could keep out what is older by a manifest of
  // what is to come.
  const SnapshotInfo& newest_of(std::vector<const SnapshotInfo*>& snapshots) {
    std::sort(snapshots.begin(), snapshots.end(),
              [](const SnapshotInfo* a, const SnapshotInfo* b) { return rank(a->object.name) > rank(b->object.name); });
    for (const auto* info : snapshots) {
      if (stands(*info)) return *info;
    }
    return *snapshots.front();
  }

  // A snapshot dated by a wrong clock must not keep out all that is taken until its time comes.
  bool is_ahead(const SnapshotInfo& info) {
    return m_dated_ahead(info.record.cut_point, first_stored(info)) != Ahead::no;
  }

  Context& m_to;
  DatedAhead m_dated_ahead;
  std::vector<SnapshotInfo> m_snapshots;
  std::map<Digest, const SnapshotInfo*> m_ids;
  std::map<Digest, bool> m_stands;
  std::unique_ptr<VouchedPacks> m_vouched;
  std::map<std::string, std::pair<Time, std::string>> m_newest;  // by series
};

// Whether the target goes without something because this manifest of the source cannot be read.
bool is_missed(const std::string& key, const std::vector<SnapshotInfo>& source, const PushTarget& target,
               const PushRequest& request) {
  using Selection = PushRequest::Selection;
  const auto name = layout::parse_manifest_key(key);
  if (!name) return request.selection != Selection::named;
  // Another one of its snapshot can be read.
  if (std::any_of(source.begin(), source.end(),
                  [&](const SnapshotInfo& info) { return info.trusted && same_snapshot(info.object.name, *name); })) {
    return false;
  }
  if (request.selection == Selection::named) {
    return std::any_of(request.snapshots.begin(), request.snapshots.end(),
                       [&](const Digest& id) { return id.short_hex() == name->id; });
  }
  if (request.selection == Selection::newer && target.is_past(*name)) return false;
  return !target.has_whole(*name);
}

std::vector<SnapshotInfo> choose(Context& from, Context& to, const PushRequest& request, PushResult& result) {
  using Selection = PushRequest::Selection;
  auto source = from.repository.manifests().list_snapshots(request.series, &result.unreadable);
  PushTarget target{to, request};
  std::erase_if(result.unreadable, [&](const std::string& key) { return !is_missed(key, source, target, request); });
  const std::set<Digest> wanted{request.snapshots.begin(), request.snapshots.end()};
  std::set<Digest> found;
  std::map<std::string, Digest> newest;  // of each series
  for (const auto& info : source) {
    if (info.trusted) newest[info.record.series] = info.id;
  }
  std::erase_if(source, [&](const SnapshotInfo& info) {
    if (wanted.contains(info.id)) {
      if (!info.trusted) throw untrusted(info);
      found.insert(info.id);
      return false;
    }
    if (request.selection == Selection::named || !info.trusted) return true;
    if (target.has(info.id)) {
      const bool matters = request.selection == Selection::all || newest.at(info.record.series) == info.id;
      return !matters || target.stands(info.id);
    }
    if (request.selection == Selection::all || !target.is_past(info.object.name)) return false;
    ++result.older;
    return true;
  });
  for (const auto& id : wanted) {
    if (found.contains(id)) continue;
    throw Error(ErrorKind::not_found, fmt::format("unable to push {}: {} has no such snapshot", id.hex(),
                                                  quote(from.repository.store().describe())));
  }
  // A snapshot that is reported as being there must stay there, whoever put it.
  std::vector<std::string> keys;
  for (const auto& info : target.snapshots()) keys.push_back(info.object.key);
  if (!keys.empty()) to.repository.store().make_durable(keys);
  std::erase_if(source, [&](const auto& info) {
    if (!target.stands(info.id)) return false;
    PushedSnapshot pushed;
    pushed.id = info.id;
    pushed.series = info.record.series;
    pushed.cut_point = info.record.cut_point;
    pushed.already_there = true;
    result.snapshots.push_back(std::move(pushed));
    return true;
  });
  return source;
}

class Push {
 public:
  Push(Context& from, Context& to, const PushRequest& request, PushResult& result)
      : m_from(from),
        m_to(to),
        m_result(result),
        m_protocol(to, k_journal, random_name(16), request.spool),
        m_copier(m_protocol, to.repository.keys(), spool_for(to.repository.store(), request.spool), request.spool_above,
                 [this](std::uint64_t done, std::uint64_t all) { m_to.reporter.progress("pushing", done, all); }) {}

  void run(const std::vector<SnapshotInfo>& snapshots) {
    try {
      learn(snapshots);
      std::uint64_t total = 0;
      for (const auto& info : snapshots) {
        check_interrupted();
        m_result.snapshots.push_back(push_one(info, total));
      }
    } catch (...) {
      m_protocol.abandon();
      throw;
    }
    m_protocol.finish();
    if (m_copier.copied_blindly() == 0 || !m_from.repository.trust().demands_signature()) return;
    m_to.reporter.warning(
        fmt::format("{} packs were copied as they are: no trusted key vouches for them in {}, and no key at hand opens "
                    "them",
                    m_copier.copied_blindly(), quote(m_from.repository.store().describe())));
  }

 private:
  void know(const PackRef& ref) {
    if (ref.seal != m_to.repository.keys().seal() || !m_protocol.usable(ref)) return;
    auto& known = m_there[ref.logical_id];
    if (std::none_of(known.begin(), known.end(), [&](const PackRef& other) { return other.name == ref.name; })) {
      known.push_back(ref);
    }
  }
  void know_stored(const PackRef& ref) {
    auto& known = m_there[ref.logical_id];
    std::erase_if(known, [&](const PackRef& other) { return other.name == ref.name; });
    known.insert(known.begin(), ref);
  }
  // The one to refer to.
  const PackRef* find_there(const Digest& logical_id, const std::string& series) const {
    const auto found = m_there.find(logical_id);
    if (found == m_there.end()) return nullptr;
    const auto at = std::find_if(found->second.begin(), found->second.end(),
                                 [&](const PackRef& ref) { return m_protocol.may_lean(ref, series); });
    return at == found->second.end() ? nullptr : &*at;
  }

  static std::set<Digest> names_of(const std::vector<PackRef>& packs) {
    std::set<Digest> names;
    for (const auto& ref : packs) names.insert(ref.name);
    return names;
  }

  // Learns which packs the target has, by logical id.
  void learn(const std::vector<SnapshotInfo>& snapshots) {
    std::set<std::string> series;
    std::set<Digest> ids;
    for (const auto& info : snapshots) {
      series.insert(info.record.series);
      ids.insert(info.id);
    }
    std::vector<ManifestInfo> manifests;
    std::map<std::string, std::size_t> others;
    auto listed = m_to.repository.manifests().list();
    // Newest first: theirs are the packs that stay longest.
    for (auto at = listed.rbegin(); at != listed.rend(); ++at) {
      if (series.contains(at->name.series) || others[at->name.series]++ < k_other_manifests) manifests.push_back(*at);
    }
    OrderedWindow<std::optional<Manifest>> window{m_to.io, k_manifests_at_once, k_bytes_at_once,
                                                  [&](std::optional<Manifest> manifest) {
                                                    if (!manifest) return;
                                                    m_protocol.vouched().add(*manifest);
                                                    for (const auto& ref : manifest->packs) know(ref);
                                                    if (ids.contains(manifest->id)) {
                                                      m_lists[manifest->id].push_back(names_of(manifest->packs));
                                                    }
                                                  }};
    for (const auto& info : manifests) {
      check_interrupted();
      window.push(info.size, [this, info]() -> std::optional<Manifest> {
        Manifest manifest;
        if (const auto failure = any_failure_of([&] { manifest = m_to.repository.manifests().peek(info); })) {
          // Nothing is leaned on through it, that is all.
          m_to.reporter.warning(failure->message());
          return std::nullopt;
        }
        if (manifest.closed || !manifest.trusted || !manifest.requirements.write.empty()) return std::nullopt;
        return manifest;
      });
    }
    window.drain();
    for (const auto& ref : m_protocol.adoptable()) know(ref);
  }

  PushedSnapshot push_one(const SnapshotInfo& info, std::uint64_t& total) {
    PushedSnapshot pushed;
    pushed.id = info.id;
    pushed.series = info.record.series;
    pushed.cut_point = info.record.cut_point;
    // A snapshot that is damaged here, or for later programs alone, must not keep the others from being safe there.
    std::optional<CopyRead::Copy> source;
    const auto read = [&] {
      source = read_source(info);
      check_requirements(source->manifest.requirements, Operation::rewrite, source->info.key);
    };
    const auto commit = [&] { commit_one(std::move(*source), pushed, total); };
    pushed.failure = damage_of(read, {ErrorKind::not_found, ErrorKind::no_key, ErrorKind::failed});
    if (!pushed.failure) pushed.failure = damage_of(commit, {ErrorKind::not_found, ErrorKind::no_key});
    if (pushed.failure) {
      m_to.reporter.warning(fmt::format("unable to push snapshot {} of series {}: {}", info.id.short_hex(),
                                        quote(info.record.series), pushed.failure->message()));
      // The packs that were copied for it are of use once it is repaired.
      m_protocol.flush_pending();
    }
    m_result.packs_copied += pushed.packs_copied;
    m_result.bytes_copied += pushed.bytes_copied;
    m_result.packs_reused += pushed.packs_reused;
    m_result.bytes_reused += pushed.bytes_reused;
    return pushed;
  }

  // The listing has seen heads only. The rest of a manifest may be damaged, and whole in another one.
  CopyRead::Copy read_source(const SnapshotInfo& info) {
    auto copies = info.others;
    copies.push_back(info.object);
    auto read = read_best_copy(m_from.repository, std::move(copies));
    if (!read.found) throw read.failures.empty() ? untrusted(info) : read.failures.front();
    read.found->manifest.require_open();
    add_source(*read.found);
    for (const auto& other : read.others) add_source(other);
    return std::move(*read.found);
  }

  // Where no key is trusted for the source, what this host signed there itself counts.
  void add_source(const CopyRead::Copy& copy) {
    if (m_from.repository.trust().demands_signature()) return m_from_vouched.add(copy.manifest);
    const auto* key = m_to.repository.signing_key();
    if (key == nullptr || copy.manifest.closed) return;
    const auto signers =
        m_from.repository.manifests().list_signers(copy.manifest, copy.info.stored_at, key->public_key().text());
    if (signers.empty()) return;
    for (const auto& ref : copy.manifest.packs) m_signed_here.emplace(ref.name, ref.logical_id);
  }

  // Whether a pack of the source is known to hold what it is said to hold; else its chunks are checked on the way,
  // where it matters.
  PackCopier::Check check_for(const PackRef& ref, const std::string& series) const {
    const auto here = m_signed_here.find(ref.name);
    const bool known = !m_to.repository.vouches() || m_from_vouched.has(ref, series) ||
                       (here != m_signed_here.end() && here->second == ref.logical_id);
    return known ? PackCopier::Check::name : PackCopier::Check::chunks;
  }

  // From whichever manifest of the snapshot names a whole one: first those that are known.
  PackRef copy(const Manifest& manifest, const PackRef& ref) {
    std::vector<PackRef> offers{ref};
    std::copy_if(manifest.spare_packs.begin(), manifest.spare_packs.end(), std::back_inserter(offers),
                 [&](const PackRef& spare) { return spare.logical_id == ref.logical_id && spare.name != ref.name; });
    const std::string& series = manifest.record.series;
    std::stable_sort(offers.begin(), offers.end(),
                     [&](const PackRef& a, const PackRef& b) { return check_for(a, series) < check_for(b, series); });
    for (std::size_t i = 0;; ++i) {
      PackRef copied;
      const auto damage =
          damage_of([&] { copied = m_copier.copy(m_from.repository, offers[i], check_for(offers[i], series)); });
      if (!damage) return copied;
      if (i + 1 == offers.size()) throw Error(*damage);
      m_to.reporter.warning(damage->message() + "; using that of another manifest of the same snapshot");
    }
  }

  // Packs that the target has, and that nobody vouches for, are read there: two of each content at most, those of the
  // oldest manifests first.
  void read_doubtful(const Manifest& manifest) {
    if (!m_to.repository.trust().demands_signature()) return;
    std::vector<PackRef> closed;
    for (std::size_t turn = 0; turn < 2; ++turn) {
      std::vector<PackRef> doubtful;
      for (const auto& ref : manifest.packs) {
        const auto found = m_there.find(ref.logical_id);
        if (found == m_there.end() || found->second.size() <= turn) continue;
        if (find_there(ref.logical_id, manifest.record.series) != nullptr) continue;
        const PackRef& there = found->second[found->second.size() - 1 - turn];
        if (m_protocol.usable(there)) doubtful.push_back(there);
      }
      const auto unread = m_protocol.read_whole(doubtful);
      if (turn == 0) closed = unread;
    }
    if (closed.empty()) return;
    std::uint64_t bytes = 0;
    for (const auto& ref : closed) bytes += ref.size;
    m_to.reporter.warning(fmt::format(
        "no trusted key vouches for {} packs ({}) in {}, and no key at hand opens them: they are copied again "
        "(cairn verify --sign-packs, where the identity is, saves that)",
        closed.size(), format_size(bytes), quote(m_to.repository.store().describe())));
  }

  void commit_one(CopyRead::Copy found, PushedSnapshot& pushed, std::uint64_t& total) {
    const Manifest source = std::move(found.manifest);
    const std::string& series = source.record.series;
    read_doubtful(source);
    std::vector<PackRef> lacking;
    for (const auto& ref : source.packs) {
      if (find_there(ref.logical_id, series) != nullptr) {
        pushed.packs_reused += 1;
        pushed.bytes_reused += ref.size;
      } else {
        lacking.push_back(ref);
        total += ref.size;
      }
    }
    m_copier.expect(total);
    {
      const auto stored = [&](const PackRef& fresh) {
        know_stored(fresh);
        pushed.packs_copied += 1;
        pushed.bytes_copied += fresh.size;
      };
      OrderedWindow<PackRef> in_memory{m_to.io, k_copies_at_once, k_bytes_at_once, stored};
      OrderedWindow<PackRef> by_spool{m_to.io, k_copies_at_once, k_spooled_at_once, stored};
      for (const auto& ref : lacking) {
        check_interrupted();
        auto& window = m_copier.spooled(ref) ? by_spool : in_memory;
        window.push(ref.size, [this, &source, ref] { return copy(source, ref); });
      }
      in_memory.drain();
      by_spool.drain();
    }
    Manifest manifest = source;
    for (auto& ref : manifest.packs) {
      const PackRef* at = find_there(ref.logical_id, series);
      // A mark that came meanwhile: the commit stores it again.
      PackRef there = at != nullptr ? *at : m_there.at(ref.logical_id).front();
      there.raw_bytes = ref.raw_bytes;
      there.live_bytes = ref.live_bytes;
      ref = std::move(there);
    }
    std::sort(manifest.packs.begin(), manifest.packs.end());
    if (is_there_already(manifest)) {
      pushed.already_there = true;
      return;
    }
    pushed.key = m_protocol.commit(manifest, [&](const PackRef& gone) {
      const auto at = std::find_if(source.packs.begin(), source.packs.end(),
                                   [&](const PackRef& ref) { return ref.logical_id == gone.logical_id; });
      return copy(source, *at);
    });
    for (const auto& ref : manifest.packs) know_stored(ref);
  }

  // One that was in doubt, and has turned out right, needs no other manifest, unless there is a key to sign that.
  bool is_there_already(const Manifest& manifest) const {
    const auto lists = m_lists.find(manifest.id);
    return m_to.repository.signing_key() == nullptr && lists != m_lists.end() &&
           std::find(lists->second.begin(), lists->second.end(), names_of(manifest.packs)) != lists->second.end();
  }

  Context& m_from;
  Context& m_to;
  PushResult& m_result;
  CommitProtocol m_protocol;
  PackCopier m_copier;
  VouchedPacks m_from_vouched{m_from.repository};
  std::unordered_map<Digest, Digest, DigestHash> m_signed_here;          // logical ids by name, of the source
  std::unordered_map<Digest, std::vector<PackRef>, DigestHash> m_there;  // by logical id; the first ones are newest
  std::map<Digest, std::vector<std::set<Digest>>> m_lists;  // of those that are pushed, what manifests there name
};

}  // namespace

PushResult push(Context& from, Context& to, const PushRequest& request) {
  const auto began = std::chrono::steady_clock::now();
  if (from.repository.descriptor().store_id == to.repository.descriptor().store_id) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to push: {} and {} are one store", quote(from.repository.store().describe()),
                            quote(to.repository.store().describe())));
  }
  check_requirements(to.repository.descriptor().requirements, Operation::write, to.repository.store().describe());
  PushResult result;
  const auto snapshots = choose(from, to, request, result);
  if (!snapshots.empty()) Push{from, to, request, result}.run(snapshots);
  result.duration = std::chrono::steady_clock::now() - began;
  return result;
}

}  // namespace cairn
