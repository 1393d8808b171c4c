#include "engine/verify/verifier.hpp"

#include "engine/commit/pack_checker.hpp"
#include "repo/entry_order.hpp"
#include "repo/objects.hpp"
#include "repo/tree_reader.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace cairn {

const char* verify_level_name(VerifyLevel level) noexcept {
  switch (level) {
    case VerifyLevel::quick:
      return "quick";
    case VerifyLevel::sample:
      return "sample";
    case VerifyLevel::full:
      return "full";
  }
  return "quick";
}

std::string snapshot_name(const ManifestInfo& info) {
  return fmt::format("{}@{} ({})", info.name.series, format_time(info.name.cut_point), info.name.id);
}

namespace {

constexpr std::uint64_t k_kept_frames = 16ULL << 20;
constexpr std::size_t k_packs_at_once = 4;

// A pack as some manifest lists it. Two manifests may list one object differently only if one of them is wrong.
struct PackUse {
  PackRef ref;
  std::vector<std::size_t> snapshots;  // index into the request's manifests
  std::vector<std::string> failures;
  bool missing = false;
  bool decoded = false;  // its content was, whole or not
};

// Follows the list of one snapshot without fetching content: what restore's plan does.
class ListCheck : public TreeVisitor {
 public:
  // unverified: packs, as extents name them, whose content does not count as verified.
  explicit ListCheck(std::set<std::uint64_t> unverified) : m_unverified(std::move(unverified)) {}
  bool entry(const Entry& entry) override {
    m_bytes = entry.size;
    if (entry.type == EntryType::hard_link) {
      // The order of entries is checked where they are read, so this is the order of the list.
      if (compare_paths(entry.link_target, entry.path) >= 0) {
        failures.push_back(bad_link(entry.path, entry.link_target));
      } else {
        link_targets.emplace(entry.link_target, entry.path);
      }
    }
    return entry.type == EntryType::file;
  }
  void run(const ContentRun& run) override {
    // A run that does not fit its file is a failure, which counts nothing.
    if (m_unverified.contains(run.pack)) m_bytes -= run.length;
  }
  void end_file(const std::optional<Error>& failure) override {
    if (failure) {
      failures.push_back(failure->message());
    } else {
      bytes += m_bytes;
    }
  }
  static std::string bad_link(const std::string& path, const std::string& target) {
    return fmt::format("damaged entry list: {} is a hard link to {}, which is no earlier file", quote(path),
                       quote(target));
  }
  std::vector<std::string> failures;
  std::uint64_t bytes = 0;                          // verified
  std::map<std::string, std::string> link_targets;  // and the first that names each

 private:
  std::set<std::uint64_t> m_unverified;
  std::uint64_t m_bytes = 0;  // of the file, without those of unverified packs
};

// A second look at a list that has hard links: what they name must be there. Memory is for the links alone.
class LinkCheck : public TreeVisitor {
 public:
  explicit LinkCheck(std::map<std::string, std::string> targets) : missing(std::move(targets)) {}
  bool entry(const Entry& entry) override {
    if (entry.type != EntryType::directory && entry.type != EntryType::hard_link) missing.erase(entry.path);
    return false;
  }
  void run(const ContentRun&) override {}
  void end_file(const std::optional<Error>&) override {}
  std::map<std::string, std::string> missing;
};

class Verification {
 public:
  Verification(Context& context, const VerifyRequest& request) : m_context(context), m_request(request) {}

  VerifyResult run() {
    const Time began = m_context.clock();
    load_manifests();
    check_presence();
    if (m_request.level != VerifyLevel::quick) {
      read_packs();
      follow_lists();
    }
    check_notes();
    report_packs();
    find_unvouched();
    m_result.snapshots = m_seen.size();
    m_result.duration = m_context.clock() - began;
    return std::move(m_result);
  }

 private:
  void load_manifests() {
    for (std::size_t i = 0; i < m_request.manifests.size(); ++i) {
      check_interrupted();
      const auto& info = m_request.manifests[i];
      m_manifests.emplace_back(std::nullopt);
      const auto failure =
          any_failure_of([&] { m_manifests.back() = m_context.repository.manifests().peek(info, Cached::no); });
      if (failure) {
        // Newer formats are refused, not called damaged.
        if (failure->kind() == ErrorKind::failed) throw Error(*failure);
        if (failure->kind() == ErrorKind::not_found && !m_context.repository.manifests().is_listed(info))
          continue;  // prune removed it meanwhile
        m_seen.emplace(info.name.series, info.name.id);
        m_result.problems.push_back({info.key, failure->message(), {snapshot_name(info)}});
        m_result.damaged_manifests.push_back(info);
        continue;
      }
      m_seen.emplace(info.name.series, info.name.id);
      m_by_id[m_manifests.back()->id].push_back(i);
      for (const auto& ref : m_manifests.back()->packs) {
        PackUse& use = m_packs[ref.name];
        // Of two that list the pack, what an open one says of its content counts.
        if (use.snapshots.empty() || !m_manifests.back()->closed) use.ref = ref;
        use.snapshots.push_back(i);
      }
    }
  }

  // Marks and pending records: no snapshot needs them, but those that cannot be read stop a prune, and marks a
  // snapshot.
  void check_notes() {
    Repository& repository = m_context.repository;
    std::vector<NoteStore::UnreadableNote> unreadable;
    const auto check = [&](const char* prefix, const auto& list, const auto& read) {
      std::vector<ObjectInfo> listed;
      try {
        listed = list();
      } catch (const StoreError& e) {
        if (e.transient()) throw;
        m_result.problems.push_back({prefix, e.message(), {}});
        return;
      }
      read(listed);
    };
    check(
        layout::k_marks, [&] { return repository.notes().list_marks(); },
        [&](const auto& listed) { repository.notes().marks(listed, Cached::no, unreadable); });
    check(
        layout::k_pending, [&] { return repository.notes().list_pending(); },
        [&](const auto& listed) { repository.notes().pending(listed, unreadable); });
    for (const auto& [object, error] : unreadable) {
      if (error.kind() != ErrorKind::damaged) continue;  // a later program's
      m_result.problems.push_back(
          {object.key,
           error.message() + "; prune and snapshot may refuse to run beside it; cairn prune --set-aside gives it up",
           {}});
    }
  }

  void check_presence() {
    const auto sizes = pack_sizes(m_context.repository.packs());
    for (auto& [name, use] : m_packs) {
      const auto found = sizes.find(name);
      if (found == sizes.end()) {
        use.missing = true;
        use.failures.emplace_back("it is missing from the store");
      } else if (found->second != use.ref.size) {
        use.missing = true;
        use.failures.push_back(fmt::format("it has {} bytes, its manifest says {}", found->second, use.ref.size));
      } else {
        ++m_result.packs;
      }
    }
  }

  bool in_sample(const Digest& name) const {
    if (m_request.level == VerifyLevel::full) return true;
    // Names are digests, so their first bytes spread evenly; every day takes the next share.
    const auto shares = static_cast<std::uint64_t>(std::max(1.0, 1.0 / m_request.sample_share));
    const auto day =
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::days>(m_context.clock()).time_since_epoch().count());
    const std::uint64_t bucket = std::uint64_t{name.bytes[0]} << 8 | name.bytes[1];
    return bucket % shares == day % shares;
  }

  void read_packs() {
    std::uint64_t total = 0;
    for (const auto& [name, use] : m_packs) {
      if (!use.missing && in_sample(name)) total += use.ref.size;
    }
    struct Checked {
      PackUse* use;
      PackCheck check;
    };
    std::uint64_t done = 0;
    OrderedWindow<Checked> window{m_context.io, k_packs_at_once, UINT64_MAX, [&](Checked checked) {
                                    ++m_result.packs_read;
                                    m_result.bytes_read += checked.check.bytes;
                                    m_result.packs_closed += checked.check.decoded ? 0 : 1;
                                    checked.use->decoded = checked.check.decoded;
                                    done += checked.use->ref.size;
                                    checked.use->failures = std::move(checked.check.failures);
                                    m_context.reporter.progress("verify", done, total);
                                  }};
    for (auto& [name, use] : m_packs) {
      if (use.missing || !in_sample(name)) continue;
      check_interrupted();
      window.push(0, [this, u = &use] { return Checked{u, check_pack(m_context.repository, u->ref)}; });
    }
    window.drain();
  }

  void follow_lists() {
    std::set<Digest> closed;
    std::set<Digest> followed;
    for (std::size_t i = 0; i < m_manifests.size(); ++i) {
      if (!m_manifests[i]) continue;
      const auto& info = m_request.manifests[i];
      Manifest& manifest = *m_manifests[i];
      if (manifest.closed) {
        closed.insert(manifest.id);
        continue;
      }
      manifest.spare_packs = spares(i);
      const PackTable packs{manifest};
      FrameFetcher fetcher{m_context.repository.packs(), m_context.io, m_context.cpu, packs, k_kept_frames};
      const bool full = m_request.level == VerifyLevel::full;
      ListCheck check{full ? unverified(manifest) : std::set<std::uint64_t>{}};
      const auto follow = [&] {
        walk_tree(manifest, fetcher, fetcher, check);
        if (!check.link_targets.empty()) {
          LinkCheck links{std::move(check.link_targets)};
          walk_tree(manifest, fetcher, fetcher, links);
          for (const auto& [target, path] : links.missing) check.failures.push_back(ListCheck::bad_link(path, target));
        }
      };
      if (const auto failure = damage_of(follow, {ErrorKind::no_key})) {
        if (failure->kind() == ErrorKind::no_key) {
          closed.insert(manifest.id);
          continue;
        }
        // Where a pack is known to be bad, that is the cause and is reported with its name.
        if (has_bad_pack(manifest)) continue;
        // The manifest itself is whole: another one of the snapshot would lead to the same list.
        m_result.problems.push_back({info.key, failure->message(), {snapshot_name(info)}});
        continue;
      }
      const bool first = followed.insert(manifest.id).second;
      if (first && full) m_result.bytes_verified += check.bytes;
      if (has_bad_pack(manifest)) continue;
      for (const auto& failure : check.failures) {
        m_result.problems.push_back({info.key, failure, {snapshot_name(info)}});
      }
    }
    for (const auto& id : closed) {
      if (!followed.contains(id)) ++m_result.snapshots_closed;
    }
  }

  // The packs of a manifest whose content was not decoded, or not all of it, nor that of one with the same content.
  std::set<std::uint64_t> unverified(const Manifest& manifest) const {
    std::set<Digest> spared;
    for (const auto& spare : manifest.spare_packs) {
      if (spare.logical_id != Digest{} && m_packs.at(spare.name).decoded) spared.insert(spare.logical_id);
    }
    std::set<std::uint64_t> out;
    for (const auto& ref : manifest.packs) {
      const PackUse& use = m_packs.at(ref.name);
      const bool whole = use.decoded && use.failures.empty();
      if (!whole && !spared.contains(ref.logical_id)) out.insert(ref.prefix());
    }
    return out;
  }

  bool has_bad_pack(const Manifest& manifest) const {
    return std::any_of(manifest.packs.begin(), manifest.packs.end(),
                       [&](const PackRef& ref) { return !m_packs.at(ref.name).failures.empty(); });
  }

  // Whole packs of other manifests of the same snapshot.
  std::vector<PackRef> spares(std::size_t of) const {
    std::vector<PackRef> out;
    for (const auto i : m_by_id.at(m_manifests[of]->id)) {
      if (i == of || m_manifests[i]->closed || !m_manifests[i]->trusted) continue;
      for (const auto& ref : m_manifests[i]->packs) {
        const PackUse& use = m_packs.at(ref.name);
        if (use.failures.empty() && (use.decoded || is_vouched(*m_manifests[i]))) out.push_back(ref);
      }
    }
    return out;
  }

  // Where keys are trusted anybody may have put a list that none of them signed.
  bool is_vouched(const Manifest& manifest) const {
    const Repository& repository = m_context.repository;
    return !repository.trust().demands_signature() || repository.manifests().is_vouched(manifest);
  }

  void find_unvouched() {
    std::set<Digest> vouched;
    for (const auto& manifest : m_manifests) {
      if (!manifest || !is_vouched(*manifest)) continue;
      for (const auto& ref : manifest->packs) vouched.insert(ref.name);
    }
    for (const auto& [name, use] : m_packs) {
      if (use.decoded && use.failures.empty()) m_result.proven_packs.push_back(use.ref);
      // A snapshot that is not trusted does not exist for those who ask.
      const bool matters = std::any_of(use.snapshots.begin(), use.snapshots.end(),
                                       [&](std::size_t i) { return m_manifests[i] && m_manifests[i]->trusted; });
      if (matters && !vouched.contains(name)) m_result.unvouched_packs.push_back(use.ref);
    }
  }

  bool has_spare(std::size_t of, const PackRef& ref) const {
    const auto others = spares(of);
    return std::any_of(others.begin(), others.end(), [&](const PackRef& spare) {
      return spare.logical_id == ref.logical_id && spare.logical_id != Digest{};
    });
  }

  void report_packs() {
    for (const auto& [name, use] : m_packs) {
      if (use.failures.empty()) continue;
      m_result.damaged_packs.push_back(use.ref);
      m_context.repository.packs().note_damaged(use.ref);
      VerifyProblem problem;
      problem.object = layout::pack_key(name);
      problem.message = fmt::format("damaged pack {}: {}", quote(problem.object), use.failures.front());
      if (use.failures.size() > 1) problem.message += fmt::format(" (and {} more)", use.failures.size() - 1);
      for (const auto i : use.snapshots) {
        if (!has_spare(i, use.ref)) problem.snapshots.push_back(snapshot_name(m_request.manifests[i]));
      }
      // A repaired snapshot needs it no more; prune removes the manifests that name it.
      if (problem.snapshots.empty()) {
        m_context.reporter.warning(problem.message + "; no snapshot needs it any more");
      } else {
        m_result.problems.push_back(std::move(problem));
      }
    }
  }

  Context& m_context;
  const VerifyRequest& m_request;
  VerifyResult m_result;
  std::vector<std::optional<Manifest>> m_manifests;    // parallel to the request's
  std::map<Digest, std::vector<std::size_t>> m_by_id;  // of a snapshot, its manifests
  std::map<Digest, PackUse> m_packs;
  std::set<std::pair<std::string, std::string>> m_seen;  // series and id of the snapshots
};

}  // namespace

VerifyResult verify(Context& context, const VerifyRequest& request) {
  return Verification{context, request}.run();
}

}  // namespace cairn
