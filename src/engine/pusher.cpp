#include "engine/pusher.hpp"

#include "engine/commit_protocol.hpp"
#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "repo/pack_directory.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <map>
#include <set>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_copies_at_once = 8;
constexpr std::uint64_t k_bytes_at_once = 128ULL << 20;  // in memory
constexpr std::uint64_t k_spooled_at_once = 2ULL << 30;  // on disk
constexpr std::uint64_t k_piece = 8ULL << 20;            // of a spooled pack, asked for at once
constexpr std::size_t k_manifests_at_once = 8;
// Manifests of each other series that are looked at for packs that are there already.
constexpr std::size_t k_other_manifests = 4;
// No series has this name: the journal of pushes.
constexpr const char* k_journal = ".push";

Error damaged(const PackRef& ref, std::string_view cause) {
  return {ErrorKind::damaged, fmt::format("damaged pack {}: {}", quote(layout::pack_key(ref.name)), cause)};
}

// A file in the spool, gone with its owner unless the store took it.
class SpoolFile {
 public:
  SpoolFile(const fs::path& directory, unsigned mode)
      : m_path(directory / (".tmp-push-" + random_name())), m_fd(open_file(m_path, O_RDWR | O_CREAT | O_EXCL, mode)) {}
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile() { ::unlink(m_path.c_str()); }
  const fs::path& path() const noexcept { return m_path; }
  int fd() const noexcept { return m_fd.get(); }

 private:
  fs::path m_path;
  UniqueFd m_fd;
};

// Copies packs. Thread-safe.
class PackCopier {
 public:
  PackCopier(Context& from, Context& to, CommitProtocol& protocol, const PushRequest& request)
      : m_from(from), m_to(to), m_protocol(protocol), m_threshold(request.spool_above) {
    const auto staging = to.repository.store().staging_directory();
    m_spool = staging ? *staging : request.spool.value_or(fs::temp_directory_path());
    // In the target's own place the file becomes the object; elsewhere nobody else has any business with it.
    m_spool_mode = staging ? 0666 : 0600;
  }

  bool spooled(const PackRef& ref) const noexcept { return ref.size > m_threshold; }
  // Checks the bytes against the pack's name, size and logical id on the way. Returns where they are in the target.
  PackRef copy(const PackRef& ref) { return spooled(ref) ? copy_by_spool(ref) : copy_in_memory(ref); }
  void expect(std::uint64_t bytes) noexcept { m_total = bytes; }

 private:
  PackRef copy_in_memory(const PackRef& ref) {
    check_interrupted();
    auto bytes = m_from.repository.store().get(layout::pack_key(ref.name));
    if (!bytes) throw damaged(ref, "it is missing from the store");
    if (bytes->size() != ref.size) throw damaged(ref, "its size is not what its manifest says");
    if (sha256(*bytes) != ref.name) throw damaged(ref, "its bytes do not fit its name");
    check_directory(ref, ByteView{*bytes}.subspan(ref.directory_offset, ref.directory_size));
    renew_pack_header(*bytes);
    PackRef fresh = ref;
    fresh.name = sha256(*bytes);
    ObjectBody body = ObjectBody::from_memory(*bytes);
    body.sha256 = fresh.name;
    m_protocol.store_bytes(fresh, body);
    progress(ref.size);
    return fresh;
  }

  PackRef copy_by_spool(const PackRef& ref) {
    const SpoolFile file{m_spool, m_spool_mode};
    Sha256 before;
    Sha256 after;
    for (std::uint64_t at = 0; at < ref.size;) {
      check_interrupted();
      const std::uint64_t length = std::min(k_piece, ref.size - at);
      auto bytes = m_from.repository.store().get(layout::pack_key(ref.name), ByteRange{at, length});
      if (!bytes) throw damaged(ref, "it is missing from the store");
      if (bytes->size() != length) throw damaged(ref, "it is shorter than its manifest says");
      before.update(*bytes);
      if (at == 0) renew_pack_header(*bytes);
      after.update(*bytes);
      write_all(file.fd(), *bytes, file.path());
      at += length;
      progress(length);
    }
    // A longer object has another digest than its first bytes, so the size need not be asked for.
    if (before.finish() != ref.name) throw damaged(ref, "its bytes do not fit its name");
    Bytes directory(ref.directory_size);
    if (read_at(file.fd(), directory, ref.directory_offset, file.path()) != directory.size()) {
      throw damaged(ref, "its directory is cut short");
    }
    check_directory(ref, directory);
    PackRef fresh = ref;
    fresh.name = after.finish();
    ObjectBody body = ObjectBody::from_file(file.path(), ref.size);
    body.sha256 = fresh.name;
    body.consume_file = true;
    m_protocol.store_bytes(fresh, body);
    return fresh;
  }

  static void check_directory(const PackRef& ref, ByteView stored) {
    if (PackDirectory::decode(stored).logical_id() != ref.logical_id) {
      throw damaged(ref, "its directory does not fit its manifest");
    }
  }

  void progress(std::uint64_t bytes) {
    const std::uint64_t done = m_done.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    m_to.reporter.progress("pushing", done, m_total);
  }

  Context& m_from;
  Context& m_to;
  CommitProtocol& m_protocol;
  std::uint64_t m_threshold;
  fs::path m_spool;
  unsigned m_spool_mode = 0600;
  std::atomic<std::uint64_t> m_done{0};
  std::atomic<std::uint64_t> m_total{0};
};

std::vector<SnapshotInfo> choose(Context& from, Context& to, const PushRequest& request, PushResult& result) {
  auto source = from.repository.list_snapshots(request.series, &result.unreadable);
  std::set<Digest> there;
  std::map<std::string, std::pair<Time, Digest>> newest;
  const auto target = to.repository.list_snapshots(request.series);
  for (const auto& info : target) {
    there.insert(info.id);
    auto [at, added] = newest.emplace(info.record.series, std::pair{info.record.cut_point, info.id});
    if (!added) at->second = std::max(at->second, {info.record.cut_point, info.id});
  }
  if (request.selection == PushRequest::Selection::named) {
    const std::set<Digest> wanted{request.snapshots.begin(), request.snapshots.end()};
    std::set<Digest> found;
    std::erase_if(source, [&](const auto& info) {
      if (!wanted.contains(info.id)) return true;
      found.insert(info.id);
      return false;
    });
    for (const auto& id : wanted) {
      if (found.contains(id)) continue;
      throw Error(ErrorKind::not_found, fmt::format("unable to push {}: {} has no such snapshot", id.hex(),
                                                    quote(from.repository.store().describe())));
    }
  } else {
    std::erase_if(source, [&](const auto& info) {
      if (there.contains(info.id)) return true;
      if (request.selection == PushRequest::Selection::all) return false;
      const auto last = newest.find(info.record.series);
      return last != newest.end() && std::pair{info.record.cut_point, info.id} < last->second;
    });
  }
  std::erase_if(source, [&](const auto& info) {
    if (!there.contains(info.id)) return false;
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
        m_protocol(to, k_journal, random_name(16), request.grace, request.spool),
        m_copier(from, to, m_protocol, request) {}

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
    if (ref.seal == k_seal_none && m_protocol.usable(ref)) m_there.emplace(ref.logical_id, ref);
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
          return m_to.repository.load_manifest(info);
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
    try {
      commit_one(info, pushed, total);
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      // What is damaged here must not keep the others from being safe there.
      if (e.kind() != ErrorKind::damaged && e.kind() != ErrorKind::not_found) throw;
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

  void commit_one(const SnapshotInfo& info, PushedSnapshot& pushed, std::uint64_t& total) {
    Manifest manifest = m_from.repository.load_manifest(info.object);
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
        window.push(ref.size, [this, ref] { return m_copier.copy(ref); });
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
      return m_copier.copy(*at);
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
