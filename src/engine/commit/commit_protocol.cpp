#include "engine/commit/commit_protocol.hpp"

#include "engine/commit/pack_checker.hpp"
#include "engine/commit/pack_rebuilder.hpp"
#include "repo/layout.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <exception>
#include <unistd.h>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// How often commit() begins anew because marks keep appearing on packs that it just checked.
constexpr int k_commit_attempts = 5;
constexpr std::size_t k_reads_at_once = 4;

}  // namespace

CommitProtocol::CommitProtocol(Context& context, const std::string& series, std::string run,
                               std::optional<fs::path> spool)
    : m_context(context),
      m_run(std::move(run)),
      m_spool(std::move(spool)),
      m_journal(context.repository.cache(), series, m_run),
      m_vouched(context.repository),
      m_last_record(context.steady()) {
  // Marks before the listing: a mark outlives its packs, so one that is listed, and marked already, has its mark read,
  // however long this run stands still between the two. The other way round the pack may go, and then its mark. A pack
  // marked later is deleted a grace later, see put_checked().
  //
  // Pending records may be listed at any time: what is adopted is listed, and not marked, whatever they say.
  Background<std::vector<ObjectInfo>> pending{context.io,
                                              [&context] { return context.repository.notes().list_pending(); }};
  m_known_at = context.repository.store().now();
  read_marks();
  list_packs();
  adopt(pending.get());
}

void CommitProtocol::list_packs() {
  auto packs = pack_sizes(m_context.repository.packs());
  for (const auto& name : m_context.repository.packs().noted_damaged()) packs.erase(name);
  const std::scoped_lock lock{m_mutex};
  m_packs = std::move(packs);
}

void CommitProtocol::read_marks() {
  // Where prune removed one, what it named is gone or has a newer mark. The listing of packs may be older than that.
  const auto more = m_context.repository.notes().marks_besides(m_marks_read);
  m_mark_vanished = m_mark_vanished || more.vanished;
  for (const auto& stored : more.marks) {
    const Time time = std::min(stored.mark.time, stored.modified);
    for (const auto& pack : stored.mark.packs) {
      m_condemned.insert(pack);
      const auto [at, added] = m_marked.emplace(pack, time);
      if (!added) at->second = std::min(at->second, time);
    }
    m_marks_read.insert(stored.key);
  }
}

void CommitProtocol::adopt(const std::vector<ObjectInfo>& pending) {
  std::unordered_set<Digest, DigestHash> taken;
  const bool anybodys = !m_context.repository.trust().demands_signature();
  const auto take = [&](const PackRef& ref) {
    if (ref.seal == m_context.repository.keys().seal() && usable(ref) && taken.insert(ref.logical_id).second)
      m_adoptable.push_back(ref);
  };
  for (const auto& ref : m_journal.abandoned()) {
    m_vouched.add_known(ref);
    take(ref);
  }
  std::vector<NoteStore::UnreadableNote> unreadable;
  for (const auto& stored : m_context.repository.notes().pending(pending, unreadable)) {
    if (stored.record.closed || stored.record.host != m_context.host) continue;
    m_vouched.add(stored.signers, stored.record.packs);
    for (const auto& ref : stored.record.packs) {
      // Else anybody could have written it, with this host's name in it.
      if (anybodys || !stored.signers.empty() || m_vouched.is_own(ref)) take(ref);
    }
  }
  // Without one that cannot be read some packs are stored twice, nothing worse.
  for (const auto& note : unreadable) m_context.reporter.warning(note.error.message());
}

bool CommitProtocol::seen(const PackRef& pack) const {
  const std::scoped_lock lock{m_mutex};
  const auto found = m_packs.find(pack.name);
  return found != m_packs.end() && found->second == pack.size;
}

void CommitProtocol::store_pack(const PackBuilder::Built& built) {
  ObjectBody body =
      built.file ? ObjectBody::from_file(*built.file, built.ref.size) : ObjectBody::from_memory(built.memory);
  body.consume_file = built.file.has_value();
  body.sha256 = built.ref.name;
  store_bytes(built.ref, body);
  m_context.repository.packs().remember_directory(built.ref, built.directory);
}

PackRef CommitProtocol::store_and_drop(const PackBuilder::Built& built) {
  try {
    store_pack(built);
  } catch (...) {
    if (built.file) ::unlink(built.file->c_str());
    throw;
  }
  if (built.file) ::unlink(built.file->c_str());
  return built.ref;
}

void CommitProtocol::store_bytes(const PackRef& ref, const ObjectBody& body) {
  m_journal.append(ref);
  m_vouched.add_own(ref);
  m_context.repository.packs().store(ref, body);
  {
    const std::scoped_lock lock{m_mutex};
    m_packs[ref.name] = ref.size;
    m_unrecorded.push_back(ref);
    m_unrecorded_bytes += ref.size;
    m_stored += 1;
  }
  if (auto next = take_record(When::due)) write_record(std::move(*next));
}

// Before all of it is read for nothing.
bool CommitProtocol::opens(const PackRef& pack) const {
  if (!is_sealed(pack.seal)) return true;
  Repository& repository = m_context.repository;
  const auto failure =
      any_failure_of([&] { open_pack_data(pack, *repository.packs().directory(pack), repository.keys()); });
  // Damage is found again by whoever reads it.
  return !failure || failure->kind() == ErrorKind::damaged;
}

std::vector<PackRef> CommitProtocol::read_whole(const std::vector<PackRef>& packs) {
  std::vector<PackRef> closed;
  std::vector<PackRef> open;
  std::uint64_t bytes = 0;
  for (const auto& pack : packs) {
    check_interrupted();
    const bool readable = opens(pack);
    (readable ? open : closed).push_back(pack);
    if (readable) bytes += pack.size;
  }
  if (open.empty()) return closed;
  Reporter& reporter = m_context.reporter;
  reporter.warning(
      fmt::format("no trusted key vouches for {} packs ({}) in {}, and this host has not stored them: they are read "
                  "whole, once, before anything relies on them",
                  open.size(), format_size(bytes), quote(m_context.repository.store().describe())));
  struct Checked {
    PackRef ref;
    PackCheck check;
  };
  std::uint64_t done = 0;
  OrderedWindow<Checked> window{
      m_context.io, k_reads_at_once, UINT64_MAX, [&](const Checked& checked) {
        done += checked.ref.size;
        reporter.progress("reading", done, bytes);
        if (checked.check.failures.empty() && checked.check.decoded) {
          return m_vouched.add_own(checked.ref);
        }
        if (checked.check.failures.empty()) return closed.push_back(checked.ref);
        reporter.warning(fmt::format("damaged pack {}: {}; nothing relies on it",
                                     quote(layout::pack_key(checked.ref.name)), checked.check.failures.front()));
      }};
  for (const auto& pack : open) {
    check_interrupted();
    window.push(0, [this, &pack] { return Checked{pack, check_pack(m_context.repository, pack)}; });
  }
  window.drain();
  return closed;
}

std::optional<CommitProtocol::NextRecord> CommitProtocol::take_record(When when) {
  const std::scoped_lock lock{m_mutex};
  // With nothing new it still says that the run is under way.
  const bool due = m_stored != 0 &&
                   (m_unrecorded_bytes >= k_pending_bytes || m_context.steady() - m_last_record >= k_pending_interval);
  if (when == When::now ? m_unrecorded.empty() : !due) return std::nullopt;
  m_unrecorded_bytes = 0;
  m_last_record = m_context.steady();
  return NextRecord{++m_records, std::exchange(m_unrecorded, {})};
}

void CommitProtocol::write_record(NextRecord next) {
  PendingRecord record{m_run, next.number, m_context.host, m_context.clock(), std::move(next.packs)};
  try {
    m_context.repository.notes().store_pending(record);
  } catch (...) {
    // abandon() tries once more, under a new number: this one may have been written after all.
    const std::scoped_lock lock{m_mutex};
    for (auto& ref : record.packs) {
      m_unrecorded_bytes += ref.size;
      m_unrecorded.push_back(std::move(ref));
    }
    throw;
  }
}

void CommitProtocol::keep_alive() {
  if (m_recording && !m_recording->ready()) return;
  end_recording();
  auto next = take_record(When::due);
  if (!next) return;
  m_recording = std::make_unique<Background<void>>(
      m_context.io, [this, record = std::move(*next)]() mutable { write_record(std::move(record)); });
  if (m_recording->ready()) end_recording();
}

void CommitProtocol::end_recording() {
  if (const auto ended = std::move(m_recording)) ended->get();
}

void CommitProtocol::flush_pending() {
  end_recording();
  if (auto next = take_record(When::now)) write_record(std::move(*next));
}

void CommitProtocol::abandon() noexcept {
  m_recording.reset();
  const InterruptPause pause;
  try {
    flush_pending();
  } catch (const std::exception& e) {
    try {
      m_context.reporter.warning(fmt::format("unable to record what this run stored: {}", e.what()));
    } catch (...) {
      return;  // a message that cannot be given must not hide the failure that led here
    }
  }
}

void CommitProtocol::finish() {
  m_journal.clear();
  if (m_context.repository.vouches()) {
    // A pack that another run of this host stored meanwhile is not in this one's listing.
    m_context.repository.own_packs().tidy([this](const PackRef& ref) { return !m_vouched.is_own(ref) || usable(ref); });
  }
  m_context.repository.sweep_cache();
}

std::string CommitProtocol::commit(Manifest& manifest) {
  std::string key = commit(manifest, [this](const PackRef& pack) { return store_pack_again(pack); });
  finish();
  return key;
}

std::string CommitProtocol::commit(Manifest& manifest, const StoreAgain& store_again) {
  end_recording();
  for (int attempt = 0; attempt < k_commit_attempts; ++attempt) {
    const Time checked = m_context.repository.store().now();
    const Time began = m_context.clock();
    m_clocks = {checked, began};
    std::string key = put_checked(manifest, store_again, checked);
    // A machine that slept: what prune marked meanwhile may have gone, and the mark after it.
    const bool slept = m_context.clock() - began > k_shortest_shared_grace;
    if (slept) list_packs();
    if (!repair_after(manifest, store_again, checked, slept)) {
      // The manifest names them now.
      const std::scoped_lock lock{m_mutex};
      m_unrecorded.clear();
      m_unrecorded_bytes = 0;
      return key;
    }
    m_context.reporter.warning("packs were pruned while the snapshot was being committed; it is committed again");
  }
  throw Error(ErrorKind::failed, "unable to commit the snapshot: prune keeps removing packs that it needs",
              "let the prune that is running end, and check the clocks and its grace period");
}

void CommitProtocol::replace(PackRef& pack, const StoreAgain& store_again) {
  m_context.reporter.info(fmt::format("pack {} is being pruned; its content is stored again", pack.name.hex()));
  PackRef fresh = store_again(pack);
  fresh.raw_bytes = pack.raw_bytes;
  fresh.live_bytes = pack.live_bytes;
  pack = std::move(fresh);
}

std::string CommitProtocol::put_checked(Manifest& manifest, const StoreAgain& store_again, Time checked) {
  Repository& repository = m_context.repository;
  for (int attempt = 0; attempt < k_commit_attempts; ++attempt) {
    if (attempt != 0) checked = repository.store().now();
    read_marks();
    // A mark lives for twice the grace of its prune at least, so a listing that is younger than the shortest grace and
    // the marks together know of every pack that went; an older one is not relied on.
    if (m_mark_vanished || checked - m_known_at > k_shortest_shared_grace) {
      list_packs();
      m_known_at = checked;
      m_mark_vanished = false;
    }
    bool replaced = false;
    for (auto& pack : manifest.packs) {
      if (usable(pack)) continue;
      replace(pack, store_again);
      replaced = true;
    }
    if (replaced) std::sort(manifest.packs.begin(), manifest.packs.end());
    make_adopted_durable(manifest);
    const bool vouched = std::all_of(manifest.packs.begin(), manifest.packs.end(),
                                     [&](const PackRef& pack) { return m_vouched.has(pack, manifest.record.series); });
    const auto list = vouched ? ManifestStore::List::signed_if_possible : ManifestStore::List::plain;
    if (repository.store().now() - checked < k_marks_age) return repository.manifests().store(manifest, list);
  }
  throw Error(ErrorKind::failed, "unable to commit the snapshot: storing pruned packs again takes too long");
}

// Others put them, and may have been killed before they knew that they are there to stay.
void CommitProtocol::make_adopted_durable(const Manifest& manifest) {
  std::vector<std::string> keys;
  for (const auto& adopted : m_adoptable) {
    const bool named = std::any_of(manifest.packs.begin(), manifest.packs.end(),
                                   [&](const PackRef& pack) { return pack.name == adopted.name; });
    if (named) keys.push_back(layout::pack_key(adopted.name));
  }
  if (!keys.empty()) m_context.repository.store().make_durable(keys);
}

// Whether something had to be stored again, so that another manifest is due.
// listed: since the put, so that what is not seen is not there.
bool CommitProtocol::repair_after(Manifest& manifest, const StoreAgain& store_again, Time checked, bool listed) {
  ObjectStore& store = m_context.repository.store();
  read_marks();
  std::optional<Time> now;  // asked for where it matters
  const auto stays = [&](const PackRef& pack) {
    const auto mark = m_marked.find(pack.name);
    if (mark == m_marked.end()) return !listed || seen(pack);
    // The mark came after the check, so the pack has its grace and later runs see the manifest; unless the put was so
    // slow that neither is sure.
    if (!now) now = store.now();
    if (*now - checked > k_marks_age || elapsed(mark->second, *now) > k_shortest_shared_grace / 2) return false;
    const auto info = m_context.repository.packs().find(pack.name);
    return info && info->size == pack.size;
  };
  bool repaired = false;
  for (auto& pack : manifest.packs) {
    if (stays(pack)) continue;
    replace(pack, store_again);
    repaired = true;
  }
  if (repaired) std::sort(manifest.packs.begin(), manifest.packs.end());
  return repaired;
}

PackRef CommitProtocol::store_pack_again(const PackRef& pack) {
  Repository& repository = m_context.repository;
  std::optional<Spool> spool;
  if (pack.size > k_spool_above) spool = spool_for(repository.store(), m_spool);
  // A sealed pack need not be opened for this, and often cannot be.
  const PackBuilder::Built built = pack.seal == repository.keys().seal() && is_sealed(pack.seal)
                                       ? copy_pack(repository, pack, spool)
                                       : rebuild_pack(repository, pack, repository.keys(), spool);
  return store_and_drop(built);
}

}  // namespace cairn
