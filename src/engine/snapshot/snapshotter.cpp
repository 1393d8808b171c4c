#include "engine/snapshot/snapshotter.hpp"

#include "capture/content_reader.hpp"
#include "engine/commit/commit_protocol.hpp"
#include "engine/snapshot/chunk_store.hpp"
#include "engine/snapshot/dedup_index.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/entry_writer.hpp"
#include "engine/snapshot/lean_policy.hpp"
#include "engine/snapshot/lean_set.hpp"
#include "engine/snapshot/previous_entries.hpp"
#include "engine/snapshot/series_history.hpp"
#include "repo/entry_text.hpp"
#include "repo/format.hpp"
#include "repo/future_dated.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

namespace cairn {

namespace {

// The pages of one large database, which are compared by their position, must not crowd out everything else; nor must
// what other series hold. Less than half: so full is the table whenever it was thinned out.
constexpr double k_fill_by_others = 0.45;
// Files up to this size are read whole by one job, several a job; larger ones in segments, many jobs a file.
constexpr std::uint64_t k_small_file = 4ULL << 20;
// One that is unchanged goes by itself: it may have an extent for each of its pages.
constexpr std::uint64_t k_large_file = 64ULL << 20;
constexpr std::uint64_t k_batch_bytes = 2ULL << 20;
constexpr std::size_t k_batch_files = 64;
constexpr std::size_t k_batch_items = 1024;
constexpr std::size_t k_batch_extents = 64 * 1024;
constexpr std::size_t k_batches_in_flight = 6;
constexpr std::size_t k_segments_in_flight = 6;
// Of databases that were locked, to be tried again at the end.
constexpr std::size_t k_most_locked = 10'000;
// Parts of content that is cut by content end where a chunk's digest says so: after 256 chunks in the mean.
constexpr std::size_t k_max_part_chunks = 4096;
// What an entry says beside its extents; a line has room for the largest part, too.
constexpr std::size_t k_max_entry_head = k_max_entry_line - (1U << 20);
// A file touched this shortly before its last read may have changed again within the clock's resolution.
constexpr std::chrono::seconds k_racy_window{2};
// A run that began a moment later may have committed before this one listed the store; and clocks differ a little.
constexpr std::chrono::seconds k_clock_tolerance{5};

// Collects the places of one file's chunks into parts.
class PartBuilder {
 public:
  PartBuilder(EntrySpool& spool, ChunkRule::Kind rule) : m_spool(spool), m_rule(rule) {}
  void chunk(const Digest& digest, std::uint32_t length, ChunkPlace place) {
    append_place(m_part.extents, place);
    m_part.size += length;
    ++m_chunks;
    const bool end = m_rule == ChunkRule::Kind::fixed ? m_chunks == k_chunks_per_part
                                                      : digest.bytes[0] == 0 || m_chunks == k_max_part_chunks;
    if (end) flush();
  }
  void hole(std::uint64_t bytes) {
    m_part.extents.push_back(local_hole(bytes));
    m_part.size += bytes;
  }
  void flush() {
    if (m_part.size == 0) return;
    m_spool.add_part(m_part);
    m_part = {};
    m_chunks = 0;
  }

 private:
  EntrySpool& m_spool;
  ChunkRule::Kind m_rule;
  LocalPart m_part;
  std::size_t m_chunks = 0;
};

// One item of the source on its way through the pipeline.
struct Item {
  SourceItem source;
  bool read = false;                           // content is to be read
  std::vector<LocalPart> reuse;                // else: where the unchanged content is
  std::deque<PreviousEntries::Part> previous;  // parts of the previous version that were looked at in vain
  WholeFile content;
  std::string failure;    // the source could not be read
  bool vanished = false;  // because it is not there any more: no problem, as if the walk had begun a moment later
  bool replaced = false;  // by something that cannot be read
  bool locked = false;    // by another process
  bool can_wait = true;   // until the end
  std::uint64_t seen_inode = 0;  // by the walk

  void fail(const SourceError& e) {
    failure = e.message();
    vanished = e.kind() == ErrorKind::not_found;
    replaced = dynamic_cast<const ReplacedError*>(&e) != nullptr;
    locked = e.kind() == ErrorKind::busy;
  }
  // Whether the name is another file's by now, or nobody's, as far as opening it has shown.
  bool lost_name() const { return vanished || replaced || source.entry.inode != seen_inode; }
};

class Run {
 public:
  Run(Context& context, Source& source, const SnapshotRequest& request)
      : m_context(context),
        m_source(source),
        m_request(request),
        m_started(context.clock()),
        m_scratch(request.spool ? *request.spool : temporary_directory()),
        m_index(m_scratch),
        m_list_index(m_scratch),
        m_listing(context.io, [&context] { return context.repository.manifests().list(); }),
        m_protocol(context, request.series, random_name(16)) {}

  SnapshotResult take();

 private:
  // What no hard link may name: an entry that was left out, or that became another file after the walk.
  struct Lost {
    bool readable = false;  // by another name, as far as is known
    std::string stand_in;   // the link that is stored as a file in its place, once there is one
  };

  SnapshotResult take_whole();
  void find_previous();
  void judge(SnapshotResult& result);
  void check_clock(const SnapshotResult& result) const;
  void choose_packs();
  void take_packs_of_copies();
  bool can_lean(const PackRef& ref) const;
  void vouch_for(const std::vector<bool>& lean);
  void lean_on_other_series(const std::unordered_set<Digest, DigestHash>& decided);
  void lean_on(const PackRef& ref);
  void index_packs(std::size_t first_other);
  void capture(ChunkStore& store, EntrySpool& spool);
  bool looks_unchanged(const Item& item);
  std::optional<LocalPart> reused(const PreviousEntries::Part& part) const;
  bool reuse_content(Item& item);
  bool reuse_large(Item& item, EntrySpool& spool);
  void run_batch(std::deque<Item>& batch) const;
  void consume(Item& item, ChunkStore& store, EntrySpool& spool);
  void consume_orphan(Item& item, Lost& target, ChunkStore& store, EntrySpool& spool);
  bool try_later(Item& item, EntrySpool& spool);
  void try_again(ChunkStore& store, EntrySpool& spool);
  void leave_out(const Item& item);
  void end_item(Item& item, EntrySpool& spool);
  void read_large(Item& item, bool compare, ChunkStore& store, EntrySpool& spool);
  bool read_large_once(SourceItem& item, PreviousChunks* previous, ChunkStore& store, EntrySpool& spool,
                       std::string& wrong);
  void take_segment(const Segment& segment, const ChunkRule& rule, PreviousChunks* previous, PartBuilder& parts,
                    ChunkStore& store);
  ChunkPlace place_chunk(const Digest& digest, ByteView bytes, const ChunkRule& rule, PreviousChunks* previous,
                         ChunkStore& store);
  void problem(const std::string& path, const std::string& message);
  void drop(const std::string& path, const std::string& message);
  void tell_each_time(Entry& entry, const std::string& message);
  void end_entry(Entry& entry, EntrySpool& spool);

  Context& m_context;
  Source& m_source;
  const SnapshotRequest& m_request;
  Time m_started;
  fs::path m_scratch;
  DedupIndex m_index;       // of content
  DedupIndex m_list_index;  // of entry lists: this host can open them, content it cannot
  // Beside what the protocol reads: what of an older snapshot has gone meanwhile is not leaned on.
  Background<std::vector<ManifestInfo>> m_listing;
  CommitProtocol m_protocol;
  LeanSet m_lean;
  std::vector<ManifestInfo> m_manifests;  // newest first
  SeriesHistory m_history;
  std::optional<Manifest> m_previous;  // what this one is compared with
  std::unique_ptr<PreviousEntries> m_entries;
  std::uint64_t m_pack_target = 0;
  SnapshotStats m_stats;
  std::vector<SourceProblem> m_problems;
  std::map<std::string, Lost> m_lost;
  struct Locked {
    Item item;
    std::size_t place;  // kept for it in the spool
  };
  std::vector<Locked> m_locked;
  bool m_trying_again = false;
  std::string m_content_facts;
  std::uint64_t m_expected = 0;
};

void Run::find_previous() {
  m_manifests = m_listing.get();
  std::stable_sort(m_manifests.begin(), m_manifests.end(), [](const ManifestInfo& a, const ManifestInfo& b) {
    return std::tie(a.name.cut_point, a.name.id) > std::tie(b.name.cut_point, b.name.id);
  });
  m_history = read_history(m_context, m_manifests, m_request.series,
                           [this](const PackRef& ref) { return m_protocol.usable(ref); });
  if (m_request.guard.max_drop && m_history.before.closed) {
    m_context.reporter.warning(fmt::format(
        "max_drop of series {} is not checked: no key at hand opens any of its snapshots", quote(m_request.series)));
  }
  check_claim(m_context, m_history, m_request.series,
              {.kind = m_source.kind(),
               .source = m_source.location(),
               .defaulted = m_request.series_defaulted,
               .own_key_since = m_request.own_key_since,
               .taken_before = m_request.taken_before});
  m_previous = std::move(m_history.base);
  if (m_previous) m_protocol.vouched().add(*m_previous);
  for (const auto* more : {&m_history.others, &m_history.copies}) {
    for (const auto& manifest : *more) m_protocol.vouched().add(manifest);
  }
}

// What a message calls it.
std::string_view subject_name(const Source& source, bool single_file) {
  const std::string_view kind = source.kind();
  if (kind == "command") return "producer";
  if (kind == "sqlite") return "database";
  return single_file ? "file" : kind;
}

// Whether what the source gave can be right. Before anything is committed.
void Run::judge(SnapshotResult& result) {
  // One file that is no database may be a log that was rotated.
  const bool steady = !m_request.single_file || std::string_view{m_source.kind()} == "sqlite";
  const auto judgement = judge_size(m_request.guard, {m_stats.files, m_stats.bytes}, m_history.before,
                                    steady ? std::optional{k_usual_drop} : std::nullopt);
  const std::string subject =
      fmt::format("{} {}", subject_name(m_source, m_request.single_file), quote(m_source.location()));
  if (judgement.refusal) {
    throw SourceError(ErrorKind::failed, fmt::format("{} cannot be trusted: {}", subject, *judgement.refusal),
                      "if this is right, lower the limit of the source for this run");
  }
  if (judgement.doubt == Doubt::none) return;
  result.doubt = judgement.doubt;
  // Not counted among the paths that could not be read.
  const char* const way_out = judgement.doubt == Doubt::emptied ? "--allow-empty" : "--max-drop 100%";
  result.problems.push_back(
      {m_source.location(),
       fmt::format("{} is in doubt: {}; the snapshot is marked so, and displaces no other (if this is right: {})",
                   subject, judgement.reason, way_out)});
  m_context.reporter.warning(result.problems.back().message);
}

// A clock that is wrong is seen best by who takes the snapshot: later it is a name that means another snapshot, or
// retention that goes by the wrong one.
void Run::check_clock(const SnapshotResult& result) const {
  const auto& clocks = m_protocol.clocks();
  const auto warn = [&](const std::string& cause) {
    m_context.reporter.warning(fmt::format("snapshot {} of series {} is dated {}, {}", result.id.short_hex(),
                                           quote(result.series), format_time_short(result.cut_point), cause));
  };
  if (is_future_dated(result.cut_point, clocks.store)) {
    return warn(
        fmt::format("and the store's clock says {}: this machine's clock is ahead; the snapshot is not what "
                    "'latest' or the series means, and takes no place in retention: name it by its id",
                    format_time_short(clocks.store)));
  }
  const auto& last = m_history.last;
  if (last && !last->ahead && result.cut_point < shifted(last->cut_point, -k_clock_tolerance)) {
    return warn(
        fmt::format("before snapshot {} of {}, which was there already: this machine's clock is behind, or was "
                    "ahead then; 'latest', the series and retention take that one for the newer",
                    last->id.short_hex(), format_time_short(last->cut_point)));
  }
  if (is_future_dated(clocks.store, clocks.own)) {
    warn(
        fmt::format("and the store's clock says {}: this machine's clock is behind; retention takes the snapshot for "
                    "older than it is",
                    format_time_short(clocks.store)));
  }
}

// Where a pack of the previous snapshot cannot be leaned on, that of another manifest of it with the same content may.
void Run::take_packs_of_copies() {
  if (m_previous->spare_packs.empty()) return;
  std::unordered_multimap<Digest, const PackRef*, DigestHash> spares;
  for (const auto& spare : m_previous->spare_packs) {
    if (can_lean(spare)) spares.emplace(spare.logical_id, &spare);
  }
  for (auto& ref : m_previous->packs) {
    const auto spare = can_lean(ref) ? spares.end() : spares.find(ref.logical_id);
    if (spare == spares.end()) continue;
    PackRef other = *spare->second;
    other.raw_bytes = ref.raw_bytes;
    other.live_bytes = ref.live_bytes;
    ref = std::move(other);
  }
}

// Whoever can read the new snapshot must be able to read all of it.
bool Run::can_lean(const PackRef& ref) const {
  return ref.seal == m_context.repository.keys().seal() && m_protocol.may_lean(ref, m_request.series);
}

// What of the previous snapshot nobody vouches for is read whole, or stored again: after an update once, and where
// neither a signing key nor the host's state is at hand each time.
void Run::vouch_for(const std::vector<bool>& lean) {
  const auto wanting = [&] {
    std::vector<PackRef> out;
    for (std::size_t i = 0; i < lean.size(); ++i) {
      const PackRef& ref = m_previous->packs[i];
      const bool wanted = lean[i] && ref.seal == m_context.repository.keys().seal() && m_protocol.usable(ref);
      if (wanted && !m_protocol.may_lean(ref, m_request.series)) out.push_back(ref);
    }
    return out;
  };
  if (wanting().empty()) return;
  // Older ones may name the same packs, with a signature.
  for (const auto& info : m_manifests) {
    const auto manifest = m_context.repository.manifests().cached(info);
    if (manifest && manifest->trusted) m_protocol.vouched().add(*manifest);
  }
  const auto closed = m_protocol.read_whole(wanting());
  if (closed.empty()) return;
  std::uint64_t bytes = 0;
  for (const auto& ref : closed) bytes += ref.size;
  m_context.reporter.warning(
      fmt::format("no trusted key vouches for {} packs ({}) of the previous snapshot, and no key at hand opens them: "
                  "what they hold is stored again (cairn verify --sign-packs, where the identity is, saves that)",
                  closed.size(), format_size(bytes)));
}

// Which packs of the previous snapshot, of interrupted runs and of other series this one leans on.
void Run::choose_packs() {
  // A tree is walked for this only where nothing tells about how large it is.
  if (m_previous && !m_request.single_file) m_expected = m_previous->facts.stats.bytes;
  if (m_expected == 0) m_expected = m_source.estimate();
  if (m_expected == 0 && m_previous) m_expected = m_previous->facts.stats.bytes;
  m_pack_target = pack_target_for(m_expected);
  if (m_previous) {
    LeanPolicy policy;
    policy.pack_target = m_pack_target;
    // This run's own new bytes are not known yet: about as many as last time, unless all of it was new then.
    const bool first = m_previous->record.sequence <= 1;
    policy.budget = std::max(first ? 0 : m_previous->facts.stats.new_bytes, m_pack_target);
    take_packs_of_copies();
    const auto lean = choose_packs_to_lean_on(m_previous->packs, policy);
    vouch_for(lean);
    std::size_t otherwise_sealed = 0;
    for (std::size_t i = 0; i < lean.size(); ++i) {
      const PackRef& ref = m_previous->packs[i];
      if (ref.seal != m_context.repository.keys().seal()) ++otherwise_sealed;
      if (lean[i]) lean_on(ref);
    }
    if (otherwise_sealed != 0) {
      m_context.reporter.warning(
          fmt::format("{} of {} packs of the previous snapshot are sealed to other recipients than now: what they hold "
                      "is stored again",
                      otherwise_sealed, lean.size()));
    }
  }
  // What the policy decided about the previous snapshot's packs stands.
  std::unordered_set<Digest, DigestHash> decided;
  if (m_previous) {
    for (const auto& ref : m_previous->packs) decided.insert(ref.logical_id);
  }
  for (const auto& ref : m_protocol.adoptable()) {
    if (!decided.contains(ref.logical_id)) lean_on(ref);
  }
  for (const auto& other : m_history.others) {
    for (const auto& ref : other.packs) {
      if (!decided.contains(ref.logical_id)) lean_on(ref);
    }
  }
  const std::size_t own = m_lean.all().size();
  lean_on_other_series(decided);
  index_packs(own);
}

// The newest snapshot of each other series, as far as this host has its manifest and directories at hand.
void Run::lean_on_other_series(const std::unordered_set<Digest, DigestHash>& decided) {
  std::map<std::string, const layout::ManifestKey*> newest;  // all manifests of it
  std::uint64_t chunks = 0;
  for (const auto& info : m_manifests) {
    if (info.name.series == m_request.series) continue;
    const auto* first = newest.emplace(info.name.series, &info.name).first->second;
    if (!same_snapshot(*first, info.name)) continue;
    const auto manifest = m_context.repository.manifests().cached(info);
    if (!manifest || manifest->closed || !manifest->trusted || !manifest->requirements.write.empty()) continue;
    m_protocol.vouched().add(*manifest);
    for (const auto& ref : manifest->packs) {
      if (decided.contains(ref.logical_id) || !can_lean(ref)) continue;
      const auto directory = m_context.repository.packs().cached_directory(ref);
      if (!directory) continue;
      chunks += directory->chunk_count();
      if (chunks > DedupIndex::k_max_table / 2) return;
      lean_on(ref);
    }
  }
}

void Run::lean_on(const PackRef& ref) {
  if (can_lean(ref)) m_lean.add(ref);
}

// first_other: of the packs of other series, which come last.
void Run::index_packs(std::size_t first_other) {
  // A pack whose directory is gone or wrong is not leaned on: what it held is stored again from the source.
  LeanSet readable;
  for (std::size_t i = 0; i < m_lean.all().size(); ++i) {
    PackRef ref = m_lean.all()[i];
    DedupIndex& chunks = ref.content == PackContent::list ? m_list_index : m_index;
    const bool full = chunks.fill() > k_fill_by_others;
    if (full && i >= first_other) continue;
    check_interrupted();
    try {
      const auto directory = m_context.repository.packs().directory(ref);
      // Records of interrupted runs do not say how large it is.
      if (ref.raw_bytes == 0) ref.raw_bytes = directory->raw_size();
      const auto index = readable.add(ref, directory->chunk_count());
      if (!index || (full && directory->even_chunks())) continue;
      for (std::uint32_t chunk = 0; chunk < directory->chunk_count(); ++chunk) {
        chunks.insert(directory->digest(chunk), {*index, chunk});
      }
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::damaged && e.kind() != ErrorKind::no_key) throw;
      m_context.reporter.warning(fmt::format("{}; what it held is stored again", e.message()));
    }
  }
  m_lean = std::move(readable);
}

void Run::drop(const std::string& path, const std::string& message) {
  m_lost.try_emplace(path);
  problem(path, message);
}

// What could not be read.
void Run::leave_out(const Item& item) {
  const std::string& path = item.source.entry.path;
  if (item.lost_name()) m_lost[path].readable = true;
  if (!item.vanished) drop(path, item.failure);
}

void Run::problem(const std::string& path, const std::string& message) {
  m_problems.push_back({path, message});
  m_context.reporter.warning(message);
}

// The next run must not take the file for unchanged, and say nothing.
void Run::tell_each_time(Entry& entry, const std::string& message) {
  entry.ctime = Time{};
  problem(entry.path, message);
}

// By its metadata.
bool Run::looks_unchanged(const Item& item) {
  const Entry* before = m_entries ? m_entries->seek(item.source.entry.path) : nullptr;
  const Entry& now = item.source.entry;
  if (before == nullptr || before->type != EntryType::file || m_request.reread || item.source.content->always_read()) {
    return false;
  }
  if (before->size != now.size || before->mtime != now.mtime || before->ctime != now.ctime ||
      before->inode != now.inode) {
    return false;
  }
  const Time last_read = m_previous->facts.started;
  return now.mtime <= last_read - k_racy_window && now.ctime <= last_read - k_racy_window;
}

// Nothing where not all of its packs may be leaned on.
std::optional<LocalPart> Run::reused(const PreviousEntries::Part& part) const {
  LocalPart local;
  local.size = part.size;
  local.extents.reserve(part.extents.size());
  for (const auto& e : part.extents) {
    if (e.is_hole()) {
      local.extents.push_back(local_hole(e.hole));
      continue;
    }
    const auto lean = m_lean.find(e.pack);
    if (!lean) return std::nullopt;
    local.extents.push_back({*lean, e.first, e.count});
  }
  return local;
}

// The content of one that looks unchanged.
bool Run::reuse_content(Item& item) {
  std::uint64_t total = 0;
  while (auto part = m_entries->next_part()) {
    auto local = reused(*part);
    item.previous.push_back(std::move(*part));
    if (!local) return false;
    total += local->size;
    item.reuse.push_back(std::move(*local));
  }
  return total == item.source.entry.size;
}

// The same where the extents are too many to be held.
bool Run::reuse_large(Item& item, EntrySpool& spool) {
  std::uint64_t total = 0;
  while (const auto part = m_entries->next_part()) {
    check_interrupted();
    const auto local = reused(*part);
    if (!local) {
      // It is read, and compared with all of what it was.
      m_entries = std::make_unique<PreviousEntries>(m_context, *m_previous);
      total = 0;
      break;
    }
    total += local->size;
    spool.add_part(*local);
  }
  if (total == item.source.entry.size) {
    end_entry(item.source.entry, spool);
    return true;
  }
  spool.drop_parts();
  return false;
}

void Run::run_batch(std::deque<Item>& batch) const {
  for (auto& item : batch) {
    if (!item.read) continue;
    try {
      item.content = read_whole_file(*item.source.content, item.source.entry, k_small_file);
    } catch (const SourceError& e) {
      item.fail(e);
    }
  }
}

void Run::capture(ChunkStore& store, EntrySpool& spool) {
  using Batch = std::shared_ptr<std::deque<Item>>;
  OrderedWindow<Batch> window{m_context.pool, k_batches_in_flight, UINT64_MAX, [&](const Batch& batch) {
                                m_protocol.keep_alive();
                                for (auto& item : *batch) consume(item, store, spool);
                              }};
  auto batch = std::make_shared<std::deque<Item>>();
  std::uint64_t bytes = 0;
  std::size_t files = 0;
  std::size_t extents = 0;
  const auto submit = [&] {
    if (batch->empty()) return;
    if (files == 0) {
      window.push_ready(0, std::move(batch));
    } else {
      window.push(0, [this, batch] {
        run_batch(*batch);
        return batch;
      });
    }
    batch = std::make_shared<std::deque<Item>>();
    bytes = 0;
    files = 0;
    extents = 0;
  };
  while (auto next = m_source.next()) {
    check_interrupted();
    Item item;
    item.source = std::move(*next);
    item.seen_inode = item.source.entry.inode;
    if (item.source.content) {
      const bool unchanged = looks_unchanged(item);
      if (unchanged && item.source.entry.size > k_large_file) {
        submit();
        window.drain();
        if (!reuse_large(item, spool)) read_large(item, true, store, spool);
        continue;
      }
      item.read = !unchanged || !reuse_content(item);
      if (item.read) item.reuse.clear();
      if (!item.read) item.previous.clear();
      for (const auto& part : item.reuse) extents += part.extents.size();
      if (item.read && (item.source.entry.size > k_small_file || m_request.single_file)) {
        submit();
        window.drain();
        read_large(item, true, store, spool);
        continue;
      }
      if (item.read) {
        bytes += item.source.entry.size;
        ++files;
      }
    }
    batch->push_back(std::move(item));
    if (bytes >= k_batch_bytes || files >= k_batch_files || batch->size() >= k_batch_items ||
        extents >= k_batch_extents) {
      submit();
    }
  }
  submit();
  window.drain();
  try_again(store, spool);
}

// A database that is locked now may not be at the end, and nobody waits for it meanwhile. What later entries link to
// has to be decided at once.
bool Run::try_later(Item& item, EntrySpool& spool) {
  if (!item.locked || !item.can_wait || m_trying_again || item.source.has_links || m_locked.size() >= k_most_locked)
    return false;
  m_locked.push_back({std::move(item), spool.keep_place()});
  return true;
}

void Run::try_again(ChunkStore& store, EntrySpool& spool) {
  m_trying_again = true;
  for (auto& locked : m_locked) {
    check_interrupted();
    locked.item.failure.clear();
    locked.item.locked = false;
    spool.go_to_place(locked.place);
    read_large(locked.item, false, store, spool);
  }
}

void Run::consume(Item& item, ChunkStore& store, EntrySpool& spool) {
  if (!item.failure.empty()) {
    if (!try_later(item, spool)) leave_out(item);
    return;
  }
  Entry& entry = item.source.entry;
  if (entry.type == EntryType::hard_link) {
    const auto lost = m_lost.find(entry.link_target);
    if (lost != m_lost.end()) {
      consume_orphan(item, lost->second, store, spool);
      return;
    }
  }
  if (item.read && item.content.too_large) {
    // It grew since the walk saw it.
    read_large(item, false, store, spool);
    return;
  }
  if (item.read) {
    PartBuilder parts{spool, item.content.rule.kind};
    for (const auto& segment : item.content.segments) {
      take_segment(segment, item.content.rule, nullptr, parts, store);
    }
    parts.flush();
    entry.size = item.content.size;
    if (item.content.changed) problem(entry.path, fmt::format("{} changed while it was read", quote(entry.path)));
    if (!item.content.problem.empty()) tell_each_time(entry, item.content.problem);
  } else {
    for (const auto& part : item.reuse) spool.add_part(part);
  }
  end_item(item, spool);
}

void Run::end_item(Item& item, EntrySpool& spool) {
  end_entry(item.source.entry, spool);
  if (item.source.has_links && item.lost_name()) m_lost[item.source.entry.path].readable = true;
}

// A hard link to what is not stored, or is another file by now. Where that only lost the name, the first other one that
// is still the file that the walk saw becomes a file of its own, and the others links to it. What could not be read
// could not by another name either; and a database's log lies beside its first name alone.
void Run::consume_orphan(Item& item, Lost& target, ChunkStore& store, EntrySpool& spool) {
  Entry& entry = item.source.entry;
  if (!target.stand_in.empty()) {
    entry.link_target = target.stand_in;
    end_entry(entry, spool);
    return;
  }
  if (!item.source.as_file || !target.readable) {
    drop(entry.path,
         fmt::format("unable to read {}: it is a hard link to {}", quote(entry.path), quote(entry.link_target)));
    return;
  }
  entry.type = EntryType::file;
  entry.link_target.clear();
  item.source.content = std::move(item.source.as_file);
  item.can_wait = false;
  read_large(item, false, store, spool);
  if (!m_lost.contains(entry.path) && !item.lost_name()) target.stand_in = entry.path;
}

// What the format has no room for, and what a reader would refuse, is left out and told: else nobody could read the
// list.
void Run::end_entry(Entry& entry, EntrySpool& spool) {
  const bool is_file = entry.type == EntryType::file;
  if (const char* const fault = entry_fault(entry)) {
    const auto message = fmt::format("unable to store {}: {}", quote(entry.path), fault);
    if (m_request.single_file) throw SourceError(ErrorKind::failed, message);
    spool.drop_parts();
    drop(entry.path, message);
    return;
  }
  const auto without_xattrs = [&](std::string_view cause) {
    entry.xattrs.clear();
    problem(entry.path, fmt::format("{} is stored without its extended attributes: {}", quote(entry.path), cause));
  };
  if (const char* const cause = xattrs_fault(entry.xattrs)) without_xattrs(cause);
  std::string head = write_entry_head(entry);
  if (head.size() > k_max_entry_head) {
    without_xattrs("they are too large together");
    head = write_entry_head(entry);
  }
  spool.add_entry(head, is_file);
  ++m_stats.entries;
  if (is_file) {
    ++m_stats.files;
    m_stats.bytes = saturating_add(m_stats.bytes, entry.size);
    m_context.reporter.progress("snapshot", m_stats.bytes, m_expected);
  }
}

void Run::read_large(Item& item, bool compare, ChunkStore& store, EntrySpool& spool) {
  Entry& entry = item.source.entry;
  try {
    const bool known = compare && m_entries && m_entries->seek(entry.path) != nullptr;
    std::string wrong;
    for (int attempt = 1;; ++attempt) {
      std::optional<PreviousChunks> previous;
      if (known && attempt == 1) previous.emplace(*m_entries, std::move(item.previous));
      if (read_large_once(item.source, previous ? &*previous : nullptr, store, spool, wrong)) break;
      if (attempt == k_read_tries) {
        problem(entry.path, fmt::format("{} changed while it was read", quote(entry.path)));
        break;
      }
      spool.drop_parts();
    }
    if (!wrong.empty()) tell_each_time(entry, wrong);
    end_item(item, spool);
  } catch (const SourceError& e) {
    // One file of a tree: the rest goes on. The one file that was asked for: the end, a failure even where it vanished.
    if (m_request.single_file) {
      if (e.kind() == ErrorKind::not_found) throw SourceError(ErrorKind::failed, e.message(), e.hint());
      throw;
    }
    spool.drop_parts();
    item.fail(e);
    if (!try_later(item, spool)) leave_out(item);
  }
}

// False where the content changed meanwhile. wrong: Content::problem().
bool Run::read_large_once(SourceItem& item, PreviousChunks* previous, ChunkStore& store, EntrySpool& spool,
                          std::string& wrong) {
  const auto content = item.content->open(item.entry);
  const ChunkRule rule = content->rule();
  if (rule.kind != ChunkRule::Kind::fixed) previous = nullptr;
  PartBuilder parts{spool, rule.kind};
  std::uint64_t size = 0;
  {
    // Used again and again: freed and taken anew, they would leave holes in the heap, and their pages be cleared.
    std::vector<Bytes> buffers;
    OrderedWindow<Segment> window{m_context.pool, k_segments_in_flight, UINT64_MAX, [&](Segment segment) {
                                    take_segment(segment, rule, previous, parts, store);
                                    if (segment.hole == 0) buffers.push_back(std::move(segment.bytes));
                                  }};
    std::uint64_t hole_ahead = 0;
    bool ended = false;
    while (auto segment = read_segment(*content, hole_ahead, ended, hole_ahead != 0 ? Bytes{} : take_last(buffers))) {
      check_interrupted();
      size += segment->bytes.size() + segment->hole;
      window.push(0, [segment = std::move(*segment), rule]() mutable {
        cut_segment(segment, rule);
        return std::move(segment);
      });
      m_context.reporter.progress("snapshot", m_stats.bytes + size, m_expected);
    }
    window.drain();
  }
  parts.flush();
  item.entry.size = size;
  const bool consistent = content->finish() == Content::Outcome::consistent;
  if (m_request.single_file) m_content_facts = content->facts();
  wrong = content->problem();
  return consistent;
}

void Run::take_segment(const Segment& segment, const ChunkRule& rule, PreviousChunks* previous, PartBuilder& parts,
                       ChunkStore& store) {
  m_protocol.keep_alive();
  if (segment.hole != 0) {
    parts.hole(segment.hole);
    return;
  }
  ByteView rest{segment.bytes};
  for (std::size_t i = 0; i < segment.lengths.size(); ++i) {
    const auto bytes = rest.first(segment.lengths[i]);
    const ChunkPlace place = place_chunk(segment.digests[i], bytes, rule, previous, store);
    parts.chunk(segment.digests[i], segment.lengths[i], place);
    rest = rest.subspan(bytes.size());
  }
}

ChunkPlace Run::place_chunk(const Digest& digest, ByteView bytes, const ChunkRule& rule, PreviousChunks* previous,
                            ChunkStore& store) {
  if (previous != nullptr) {
    if (const auto chunk = previous->next()) {
      const auto lean = m_lean.find(chunk->pack);
      if (lean) {
        const Digest* before = m_entries->digest(chunk->pack, chunk->chunk);
        if (before != nullptr && *before == digest) return {*lean, chunk->chunk};
      }
    }
  }
  if (const auto place = m_index.find(digest)) return *place;
  const ChunkPlace place = store.add(digest, bytes);
  if (rule.kind != ChunkRule::Kind::fixed || m_index.fill() <= k_fill_by_others) m_index.insert(digest, place);
  return place;
}

SnapshotResult Run::take() {
  try {
    return take_whole();
  } catch (...) {
    // What is stored already is not lost: the next run of this series finds it.
    m_protocol.abandon();
    throw;
  }
}

SnapshotResult Run::take_whole() {
  const Time began = m_started;
  find_previous();
  choose_packs();
  if (m_previous) m_entries = std::make_unique<PreviousEntries>(m_context, *m_previous);

  ChunkStore::Options options;
  options.pack_target = m_pack_target;
  options.discard = m_request.dry_run == DryRun::yes;
  if (const auto staging = m_context.repository.store().make_staging()) {
    options.spool = Spool{*staging, k_object_mode};
  } else if (m_request.spool) {
    // The source must not be held up by the store: a database is pinned as long as it is read.
    options.spool = Spool{*m_request.spool};
    options.spool_limit = m_request.spool_limit;
  }
  EntrySpool spool{m_scratch};
  ChunkStore store{m_context, options, [this](const PackBuilder::Built& built) { m_protocol.store_pack(built); }};

  SnapshotResult result;
  result.series = m_request.series;
  capture(store, spool);
  if (m_stats.entries == 0) {
    throw SourceError(ErrorKind::failed,
                      m_problems.empty() ? fmt::format("unable to read {}: nothing there", quote(m_source.location()))
                                         : m_problems.front().message);
  }
  m_problems.insert(m_problems.end(), m_source.problems().begin(), m_source.problems().end());
  m_stats.errors = m_problems.size();
  result.problems = m_problems;
  judge(result);
  result.incomplete = !result.problems.empty();
  result.cut_point = m_source.cut_point();
  result.content_facts = m_content_facts;
  if (m_request.dry_run == DryRun::yes) {
    store.finish();
    m_stats.new_bytes = store.raw_bytes();
    m_stats.stored_bytes = store.stored_bytes();
    result.stats = m_stats;
    result.duration = m_context.clock() - began;
    return result;
  }

  store.close_pack();
  PlaceResolver resolver{m_lean, store};
  Root root = write_entry_list(spool, store, m_list_index, resolver);
  store.finish();
  m_entries.reset();

  m_stats.new_bytes = store.raw_bytes();
  m_stats.stored_bytes = store.stored_bytes();
  m_stats.packs_written = store.packs().size();
  Record record;
  record.series = m_request.series;
  record.cut_point = result.cut_point;
  record.incomplete = result.incomplete;
  record.doubt = result.doubt;
  if (m_history.last) {
    record.sequence = m_history.sequence + 1;
    record.previous = m_history.last->id;
  }
  Facts facts;
  facts.salt = random_name(16);
  facts.host = m_context.host;
  facts.kind = m_source.kind();
  facts.source = m_source.location();
  facts.started = m_started;
  facts.single_file = m_request.single_file;
  facts.tags = m_request.tags;
  facts.stats = m_stats;
  facts.content = m_content_facts;
  Manifest manifest = Manifest::make(std::move(record), std::move(facts), std::move(root), resolver.used_packs());
  if (m_request.signing_key) {
    const std::string line = signed_line(manifest.record, manifest.id);
    manifest.signatures.push_back({m_request.signing_key->public_key().text(),
                                   m_request.signing_key->sign(line, line.substr(0, line.size() - 1))});
  }
  m_protocol.commit(manifest);
  m_context.repository.cache().put(k_own_snapshots, manifest.id.hex(), {});
  result.id = manifest.id;
  result.sequence = manifest.record.sequence;
  result.stats = m_stats;
  result.duration = m_context.clock() - began;
  check_clock(result);
  return result;
}

}  // namespace

SnapshotResult take_snapshot(Context& context, Source& source, const SnapshotRequest& request) {
  check_requirements(context.repository.descriptor().requirements, Operation::write,
                     context.repository.store().describe());
  Run run{context, source, request};
  return run.take();
}

}  // namespace cairn
