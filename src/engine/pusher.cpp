#include "engine/pusher.hpp"

#include "engine/commit_protocol.hpp"
#include "engine/pack_copier.hpp"
#include "engine/retention.hpp"
#include "repo/format.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"

#include <algorithm>
#include <map>
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

// What the target has, as far as it counts there.
class Target {
 public:
  Target(Context& to, const PushRequest& request)
      : m_to(to), m_snapshots(to.repository.list_snapshots(request.series)) {
    std::erase_if(m_snapshots,
                  [&](const SnapshotInfo& info) { return !info.trusted || request.damaged.contains(info.object.key); });
    for (const auto& info : m_snapshots) {
      m_ids.insert(info.id);
      if (is_ahead(info)) continue;
      auto [at, added] = m_newest.emplace(info.record.series, rank(info.object.name));
      if (!added) at->second = std::max(at->second, rank(info.object.name));
    }
  }

  const std::vector<SnapshotInfo>& snapshots() const noexcept { return m_snapshots; }
  bool has(const Digest& id) const { return m_ids.contains(id); }
  // Whether a manifest of that snapshot can be read here to its end, which listings do not look at.
  bool has_whole(const layout::ManifestKey& name) const {
    return std::any_of(m_snapshots.begin(), m_snapshots.end(), [&](const SnapshotInfo& info) {
      if (!same_snapshot(info.object.name, name)) return false;
      auto copies = info.others;
      copies.push_back(info.object);
      return read_any_copy(m_to.repository, std::move(copies)).found.has_value();
    });
  }
  // Whether it is older than the newest of its series here.
  bool is_past(const layout::ManifestKey& name) const {
    const auto newest = m_newest.find(name.series);
    return newest != m_newest.end() && rank(name) < newest->second;
  }

 private:
  // What a wrong clock wrote must not keep out all that is taken until its time comes. Where that clock is the store's
  // own, as with a directory of the same machine, it shows only once it was corrected.
  bool is_ahead(const SnapshotInfo& info) {
    Time stored_at = info.object.stored_at;
    for (const auto& other : info.others) stored_at = std::min(stored_at, other.stored_at);
    if (is_future_dated(info.record.cut_point, stored_at)) return true;
    if (!is_future_dated(info.record.cut_point, m_to.clock())) return false;
    if (!m_now) m_now = m_to.repository.store().now();
    return is_future_dated(info.record.cut_point, *m_now);
  }

  Context& m_to;
  std::vector<SnapshotInfo> m_snapshots;
  std::set<Digest> m_ids;
  std::map<std::string, std::pair<Time, std::string>> m_newest;  // by series
  std::optional<Time> m_now;                                     // by the store's clock
};

// Whether the target goes without something because this manifest of the source cannot be read.
bool is_missed(const std::string& key, const std::vector<SnapshotInfo>& source, const Target& target,
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
  auto source = from.repository.list_snapshots(request.series, &result.unreadable);
  const Target target{to, request};
  std::erase_if(result.unreadable, [&](const std::string& key) { return !is_missed(key, source, target, request); });
  const std::set<Digest> wanted{request.snapshots.begin(), request.snapshots.end()};
  std::set<Digest> found;
  std::erase_if(source, [&](const SnapshotInfo& info) {
    if (wanted.contains(info.id)) {
      if (!info.trusted) throw untrusted(info);
      found.insert(info.id);
      return false;
    }
    if (request.selection == Selection::named || !info.trusted || target.has(info.id)) return true;
    if (request.selection == Selection::all || !target.is_past(info.object.name)) return false;
    ++result.older;
    return true;
  });
  for (const auto& id : wanted) {
    if (found.contains(id)) continue;
    throw Error(ErrorKind::not_found, fmt::format("unable to push {}: {} has no such snapshot", id.hex(),
                                                  quote(from.repository.store().describe())));
  }
  // What is reported as being there must stay there, whoever put it.
  std::vector<std::string> keys;
  for (const auto& info : target.snapshots()) keys.push_back(info.object.key);
  if (!keys.empty()) to.repository.store().make_durable(keys);
  std::erase_if(source, [&](const auto& info) {
    if (!target.has(info.id)) return false;
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
  }

 private:
  void know(const PackRef& ref) {
    if (ref.seal == m_to.repository.keys().seal() && m_protocol.usable(ref)) m_there.emplace(ref.logical_id, ref);
  }

  // What the target has, by logical id.
  void learn(const std::vector<SnapshotInfo>& snapshots) {
    std::set<std::string> series;
    for (const auto& info : snapshots) series.insert(info.record.series);
    std::vector<ManifestInfo> manifests;
    std::map<std::string, std::size_t> others;
    auto listed = m_to.repository.list_manifests();
    // Newest first: theirs are the packs that stay longest.
    for (auto at = listed.rbegin(); at != listed.rend(); ++at) {
      if (series.contains(at->name.series) || others[at->name.series]++ < k_other_manifests) manifests.push_back(*at);
    }
    OrderedWindow<std::optional<Manifest>> window{m_to.io, k_manifests_at_once, k_bytes_at_once,
                                                  [&](std::optional<Manifest> manifest) {
                                                    if (!manifest) return;
                                                    for (const auto& ref : manifest->packs) know(ref);
                                                  }};
    for (const auto& info : manifests) {
      check_interrupted();
      window.push(info.size, [this, info]() -> std::optional<Manifest> {
        try {
          Manifest manifest = m_to.repository.peek_manifest(info);
          if (manifest.closed || !manifest.trusted || !manifest.requirements.write.empty()) return std::nullopt;
          return manifest;
        } catch (const StoreError&) {
          throw;
        } catch (const Error& e) {
          // Nothing is leaned on through it, that is all.
          m_to.reporter.warning(e.message());
          return std::nullopt;
        }
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
    bool taken = false;  // the manifest, as one that can be read and written anew
    try {
      auto source = read_source(info);
      check_requirements(source.manifest.requirements, Operation::rewrite, source.info.key);
      taken = true;
      commit_one(std::move(source.manifest), pushed, total);
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      // What is damaged here, or for later programs alone, must not keep the others from being safe there.
      const bool later = e.kind() == ErrorKind::failed && !taken;
      if (e.kind() != ErrorKind::damaged && e.kind() != ErrorKind::not_found && e.kind() != ErrorKind::no_key &&
          !later) {
        throw;
      }
      m_to.reporter.warning(fmt::format("unable to push snapshot {} of series {}: {}", info.id.short_hex(),
                                        quote(info.record.series), e.message()));
      pushed.failure = e;
      // What was copied for it is of use once it is repaired.
      m_protocol.flush_pending();
    }
    m_result.packs_copied += pushed.packs_copied;
    m_result.bytes_copied += pushed.bytes_copied;
    m_result.packs_reused += pushed.packs_reused;
    m_result.bytes_reused += pushed.bytes_reused;
    return pushed;
  }

  // The listing has seen heads only. What is behind the head may be damaged, and whole in another manifest.
  CopyRead::Found read_source(const SnapshotInfo& info) {
    auto copies = info.others;
    copies.push_back(info.object);
    auto read = read_any_copy(m_from.repository, std::move(copies));
    if (!read.found) throw read.failures.empty() ? untrusted(info) : read.failures.front();
    read.found->manifest.require_open();
    return std::move(*read.found);
  }

  void commit_one(Manifest manifest, PushedSnapshot& pushed, std::uint64_t& total) {
    const std::vector<PackRef> source = manifest.packs;
    std::vector<PackRef> lacking;
    for (const auto& ref : source) {
      const auto found = m_there.find(ref.logical_id);
      if (found != m_there.end() && m_protocol.usable(found->second)) {
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
        m_there.insert_or_assign(fresh.logical_id, fresh);
        pushed.packs_copied += 1;
        pushed.bytes_copied += fresh.size;
      };
      OrderedWindow<PackRef> in_memory{m_to.io, k_copies_at_once, k_bytes_at_once, stored};
      OrderedWindow<PackRef> by_spool{m_to.io, k_copies_at_once, k_spooled_at_once, stored};
      for (const auto& ref : lacking) {
        check_interrupted();
        auto& window = m_copier.spooled(ref) ? by_spool : in_memory;
        window.push(ref.size, [this, ref] { return m_copier.copy(m_from.repository, ref); });
      }
      in_memory.drain();
      by_spool.drain();
    }
    for (auto& ref : manifest.packs) {
      PackRef there = m_there.at(ref.logical_id);
      there.raw_bytes = ref.raw_bytes;
      there.live_bytes = ref.live_bytes;
      ref = std::move(there);
    }
    std::sort(manifest.packs.begin(), manifest.packs.end());
    pushed.key = m_protocol.commit(manifest, [&](const PackRef& gone) {
      const auto at = std::find_if(source.begin(), source.end(),
                                   [&](const PackRef& ref) { return ref.logical_id == gone.logical_id; });
      return m_copier.copy(m_from.repository, *at);
    });
    for (const auto& ref : manifest.packs) m_there.insert_or_assign(ref.logical_id, ref);
  }

  Context& m_from;
  Context& m_to;
  PushResult& m_result;
  CommitProtocol m_protocol;
  PackCopier m_copier;
  std::unordered_map<Digest, PackRef, DigestHash> m_there;  // by logical id
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
