#include "engine/push/repairer.hpp"

#include "engine/commit/commit_protocol.hpp"
#include "engine/push/pack_copier.hpp"
#include "engine/push/pusher.hpp"
#include "repo/layout.hpp"
#include "repo/objects.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

namespace cairn {

namespace {

// No series has this name: the journal of repairs.
constexpr const char* k_journal = ".repair";

class Repair {
 public:
  Repair(Context& store, Context* from, const RepairRequest& request)
      : m_store(store), m_from(from), m_request(request) {
    for (const auto& pack : request.packs) m_damaged.insert(pack.name);
  }

  RepairResult run() {
    condemn();
    find_snapshots();
    if (m_from == nullptr) {
      const Error cause{ErrorKind::damaged, "there is no other store to take from"};
      for (const auto& item : m_manifests) fail(item.name, damaged_packs(item.manifest), cause);
      for (const auto& info : m_request.manifests) fail(snapshot_name(info), {info.key}, cause);
      return std::move(m_result);
    }
    if (!m_manifests.empty()) replace_packs();
    for (const auto& info : m_request.manifests) push_again(info);
    return std::move(m_result);
  }

 private:
  struct Needy {
    std::string name;
    std::string key;
    Manifest manifest;
  };

  void fail(const std::string& name, std::vector<std::string> objects, const Error& cause) {
    m_result.snapshots.push_back({name, std::move(objects), 0, cause});
  }

  void write_mark(Mark mark) {
    mark.time = m_store.repository.store().now();
    mark.newest_object = mark.time;
    m_store.repository.notes().store_mark(mark);
  }

  void condemn() {
    if (m_damaged.empty()) return;
    Mark mark;
    mark.packs.assign(m_damaged.begin(), m_damaged.end());
    std::sort(mark.packs.begin(), mark.packs.end());
    write_mark(std::move(mark));
    m_result.packs_condemned = m_damaged.size();
  }

  std::vector<std::string> damaged_packs(const Manifest& manifest) const {
    std::vector<std::string> keys;
    for (const auto& ref : manifest.packs) {
      if (m_damaged.contains(ref.name)) keys.push_back(layout::pack_key(ref.name));
    }
    return keys;
  }

  // One manifest of each snapshot that has none without a damaged pack.
  void find_snapshots() {
    std::map<Digest, Needy> needy;
    std::map<Digest, Needy> untrusted;
    std::map<Digest, std::string> whole;  // names
    // Where keys are trusted somebody else's list of other packs makes nothing whole.
    const bool demanded = m_store.repository.trust().demands_signature();
    for (const auto& info : m_store.repository.manifests().list()) {
      check_interrupted();
      const bool unreadable = std::any_of(m_request.manifests.begin(), m_request.manifests.end(),
                                          [&](const ManifestInfo& damaged) { return damaged.key == info.key; });
      if (unreadable) continue;
      Manifest manifest;
      // Verify has told what is wrong with it.
      if (any_failure_of([&] { manifest = m_store.repository.manifests().peek(info); })) continue;
      const Digest id = manifest.id;
      const bool trusted = manifest.trusted;
      if (!damaged_packs(manifest).empty()) {
        auto& known = trusted ? needy : untrusted;
        const auto at = known.find(id);
        // The one to go by is one that a trusted key vouches for.
        if (at != known.end() && m_store.repository.manifests().is_vouched(at->second.manifest)) continue;
        known.insert_or_assign(id, Needy{snapshot_name(info), info.key, std::move(manifest)});
      } else if (trusted && (!demanded || m_store.repository.manifests().is_vouched(manifest))) {
        whole.emplace(id, snapshot_name(info));
      }
    }
    for (const auto& [id, item] : untrusted) {
      if (needy.contains(id) || whole.contains(id)) continue;
      fail(item.name, damaged_packs(item.manifest),
           Error(ErrorKind::untrusted, "it is unsigned, or signed by a key that is not trusted"));
    }
    for (auto& [id, item] : needy) {
      if (!whole.contains(id)) m_manifests.push_back(std::move(item));
    }
    for (auto& [id, name] : whole) m_result.whole.push_back(std::move(name));
  }

  // The packs that can be had, by logical id: of the other store all, of this one those that are not damaged.
  struct Offer {
    Repository* repository;
    PackRef ref;
    PackCopier::Check check;  // chunks: nobody vouches for it
  };
  void learn(Repository& repository) {
    for (const auto& info : repository.manifests().list()) {
      check_interrupted();
      Manifest manifest;
      if (const auto failure = any_failure_of([&] { manifest = repository.manifests().peek(info); })) {
        m_store.reporter.warning(failure->message());
        continue;
      }
      if (manifest.closed) continue;
      const bool checked = m_store.repository.vouches() && !repository.manifests().is_vouched(manifest);
      for (const auto& ref : manifest.packs) {
        if (&repository == &m_store.repository && m_damaged.contains(ref.name)) continue;
        m_offers[ref.logical_id].push_back(
            {&repository, ref, checked ? PackCopier::Check::chunks : PackCopier::Check::name});
      }
    }
  }

  PackRef copy(PackCopier& copier, const PackRef& lost) {
    const auto found = m_offers.find(lost.logical_id);
    if (found != m_offers.end()) {
      std::set<Digest> tried;
      std::stable_sort(found->second.begin(), found->second.end(),
                       [](const Offer& a, const Offer& b) { return a.check < b.check; });
      for (const auto& offer : found->second) {
        if (!tried.insert(offer.ref.name).second) continue;
        PackRef fresh;
        const auto damage =
            damage_of([&] { fresh = copier.copy(*offer.repository, offer.ref, offer.check); }, {ErrorKind::no_key});
        if (damage) {
          m_store.reporter.warning(damage->message());
          continue;
        }
        fresh.raw_bytes = lost.raw_bytes;
        fresh.live_bytes = lost.live_bytes;
        return fresh;
      }
    }
    throw Error(ErrorKind::not_found,
                fmt::format("{} has no whole pack with the content of {}", quote(m_from->repository.store().describe()),
                            quote(layout::pack_key(lost.name))));
  }

  void replace_packs() {
    learn(m_store.repository);
    learn(m_from->repository);
    CommitProtocol protocol{m_store, k_journal, random_name(16), m_request.spool};
    for (const auto& item : m_manifests) protocol.vouched().add(item.manifest);
    PackCopier copier{
        protocol, m_store.repository.keys(), spool_for(m_store.repository.store(), m_request.spool), k_spool_above,
        [this](std::uint64_t done, std::uint64_t all) { m_store.reporter.progress("repairing", done, all); }};
    std::unordered_map<Digest, PackRef, DigestHash> fresh;
    try {
      for (auto& item : m_manifests) repair_one(item, protocol, copier, fresh);
    } catch (...) {
      protocol.abandon();
      throw;
    }
    protocol.finish();
  }

  // So that its list can be signed: without that nothing tells it from somebody's copy, where keys are trusted.
  void vouch_for(const Manifest& manifest, CommitProtocol& protocol) {
    Repository& repository = m_store.repository;
    if (!repository.trust().demands_signature() || repository.signing_key() == nullptr) return;
    std::vector<PackRef> doubtful;
    std::copy_if(manifest.packs.begin(), manifest.packs.end(), std::back_inserter(doubtful), [&](const PackRef& ref) {
      return protocol.usable(ref) && !protocol.may_lean(ref, manifest.record.series);
    });
    protocol.read_whole(doubtful);
  }

  void repair_one(Needy& item, CommitProtocol& protocol, PackCopier& copier,
                  std::unordered_map<Digest, PackRef, DigestHash>& fresh) {
    check_interrupted();
    try {
      check_requirements(item.manifest.requirements, Operation::rewrite, item.key);
    } catch (const Error& e) {
      return fail(item.name, damaged_packs(item.manifest), e);
    }
    RepairResult::Snapshot done{item.name, damaged_packs(item.manifest), 0, {}};
    const auto mend = [&] {
      item.manifest.require_open();
      for (auto& ref : item.manifest.packs) {
        if (!m_damaged.contains(ref.name)) continue;
        auto found = fresh.find(ref.logical_id);
        if (found == fresh.end()) {
          found = fresh.emplace(ref.logical_id, copy(copier, ref)).first;
          ++done.packs_copied;
        }
        ref = found->second;
      }
      std::sort(item.manifest.packs.begin(), item.manifest.packs.end());
      vouch_for(item.manifest, protocol);
      protocol.commit(item.manifest, [&](const PackRef& gone) { return copy(copier, gone); });
    };
    done.failure = damage_of(mend, {ErrorKind::not_found, ErrorKind::no_key});
    m_result.snapshots.push_back(std::move(done));
  }

  // The manifest cannot be read: its snapshot is known by its name alone.
  void push_again(const ManifestInfo& info) {
    RepairResult::Snapshot done{snapshot_name(info), {info.key}, 0, {}};
    for (const auto& there : m_from->repository.manifests().list_snapshots(info.name.series)) {
      if (there.object.name.id != info.name.id || there.object.name.cut_point != info.name.cut_point) continue;
      PushRequest request;
      request.selection = PushRequest::Selection::named;
      request.snapshots = {there.id};
      request.damaged = {info.key};
      request.spool = m_request.spool;
      try {
        const PushResult pushed = push(*m_from, m_store, request);
        done.packs_copied = pushed.packs_copied;
        done.failure = pushed.snapshots.front().failure;
        // With the same packs it is the same object, in the place of the damaged one.
        if (!done.failure && pushed.snapshots.front().key != info.key) set_aside(info);
      } catch (const StoreError&) {
        throw;
      } catch (const SystemError&) {
        throw;  // this host's disk, which the next one would need, too
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::interrupted || e.kind() == ErrorKind::usage || e.kind() == ErrorKind::busy) throw;
        done.failure = e;
      }
      m_result.snapshots.push_back(std::move(done));
      return;
    }
    fail(done.name, done.objects,
         Error(ErrorKind::not_found,
               fmt::format("{} has no such snapshot", quote(m_from->repository.store().describe()))));
  }

  void set_aside(const ManifestInfo& info) {
    Mark mark;
    mark.removed.push_back({info.key, {}});
    write_mark(std::move(mark));
    const auto failures = m_store.repository.manifests().remove(info.key);
    for (const auto& failure : failures) {
      m_store.reporter.warning(fmt::format("unable to remove the damaged manifest {}: {}; prune will with --set-aside",
                                           quote(info.key), failure.message));
    }
  }

  Context& m_store;
  Context* m_from;
  const RepairRequest& m_request;
  RepairResult m_result;
  std::unordered_set<Digest, DigestHash> m_damaged;  // names
  std::vector<Needy> m_manifests;
  std::unordered_map<Digest, std::vector<Offer>, DigestHash> m_offers;
};

}  // namespace

std::vector<VerifyProblem> problems_left(const VerifyResult& found, const RepairResult& done) {
  std::set<std::string> mendable;  // keys
  for (const auto& pack : found.damaged_packs) mendable.insert(layout::pack_key(pack.name));
  for (const auto& info : found.damaged_manifests) mendable.insert(info.key);
  std::set<std::string> whole{done.whole.begin(), done.whole.end()};
  std::set<std::string> failed;  // names, and keys of what they lack
  for (const auto& snapshot : done.snapshots) {
    (snapshot.failure ? failed : whole).insert(snapshot.name);
    if (snapshot.failure) failed.insert(snapshot.objects.begin(), snapshot.objects.end());
  }
  std::vector<VerifyProblem> left;
  std::copy_if(found.problems.begin(), found.problems.end(), std::back_inserter(left), [&](const auto& problem) {
    return !mendable.contains(problem.object) || failed.contains(problem.object) || problem.snapshots.empty() ||
           !std::all_of(problem.snapshots.begin(), problem.snapshots.end(),
                        [&](const auto& name) { return whole.contains(name) && !failed.contains(name); });
  });
  return left;
}

RepairResult repair(Context& store, Context* from, const RepairRequest& request) {
  if (from != nullptr && from->repository.descriptor().store_id == store.repository.descriptor().store_id) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to repair: {} and {} are one store", quote(store.repository.store().describe()),
                            quote(from->repository.store().describe())));
  }
  check_requirements(store.repository.descriptor().requirements, Operation::write, store.repository.store().describe());
  return Repair{store, from, request}.run();
}

}  // namespace cairn
