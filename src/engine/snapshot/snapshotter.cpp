#include "engine/snapshot/snapshotter.hpp"

#include "engine/commit/commit_protocol.hpp"
#include "engine/snapshot/base_selection.hpp"
#include "engine/snapshot/capture_pipeline.hpp"
#include "engine/snapshot/chunk_store.hpp"
#include "engine/snapshot/content_writer.hpp"
#include "engine/snapshot/entry_recorder.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/entry_writer.hpp"
#include "engine/snapshot/known_chunks.hpp"
#include "engine/snapshot/lean_policy.hpp"
#include "engine/snapshot/path_order.hpp"
#include "engine/snapshot/previous_tree.hpp"
#include "engine/snapshot/snapshot_record.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Whether its entries come in path order, as the previous snapshot is read and the new list is written.
bool comes_in_order(const Source& source) {
  return source.access() == SourceAccess::reopenable || source.shape() == SourceShape::file;
}

// The order of the requests to the store is what makes it safe beside prune and other runs
// (engine/commit/commit_protocol.hpp). All that the members refer to, and the packs that are on their way, must have
// come to rest before a failed run is recorded: so abandon() is called when the capture's own parts are gone.
class Snapshotter {
 public:
  Snapshotter(Context& context, Source& source, const SnapshotRequest& request)
      : m_context(context),
        m_source(source),
        m_request(request),
        m_started(context.clock()),
        m_scratch(request.spool ? *request.spool : temporary_directory()),
        m_known(m_scratch),
        m_listing(context.io, [&context] { return context.repository.manifests().list(); }),
        m_protocol(context, request.series, random_name(16)) {}

  SnapshotResult take();

 private:
  SnapshotResult take_whole();
  void choose_base();
  std::uint64_t expected_size() const;
  ChunkStore::Options store_options() const;
  void capture(SnapshotResult& result, ChunkStore& store, EntrySpool& spool);
  void commit(SnapshotResult& result, ChunkStore& store, EntrySpool& spool);
  Facts make_facts(const SnapshotResult& result) const;

  Context& m_context;
  Source& m_source;
  const SnapshotRequest& m_request;
  Time m_started;
  fs::path m_scratch;
  KnownChunks m_known;
  // Beside what the protocol reads: what of an older snapshot has gone meanwhile is not leaned on.
  Background<std::vector<ManifestInfo>> m_listing;
  CommitProtocol m_protocol;
  SnapshotBase m_base;
  std::unique_ptr<PreviousTree> m_previous;  // null: there is nothing to compare with
  std::uint64_t m_expected = 0;              // bytes; 0 where unknown
  std::uint64_t m_pack_target = 0;
};

SnapshotResult Snapshotter::take() {
  try {
    return take_whole();
  } catch (...) {
    // Packs that are stored already are not lost: the next run of this series finds them.
    m_protocol.abandon();
    throw;
  }
}

SnapshotResult Snapshotter::take_whole() {
  choose_base();
  EntrySpool spool{m_scratch};
  ChunkStore store{m_context, store_options(),
                   [this](const PackBuilder::Built& built) { m_protocol.store_pack(built); }};

  SnapshotResult result;
  result.series = m_request.series;
  capture(result, store, spool);
  judge_capture(result, m_source, m_request, m_base.history.before);
  // A doubt is not counted among the paths that could not be read.
  if (result.doubt != Doubt::none) m_context.reporter.warning(result.problems.back().message);
  result.incomplete = !result.problems.empty();
  if (m_request.dry_run == DryRun::yes) {
    store.finish();
    result.stats.new_bytes = store.raw_bytes();
    result.stats.stored_bytes = store.stored_bytes();
    result.duration = m_context.clock() - m_started;
    return result;
  }

  commit(result, store, spool);
  if (const auto warning = clock_warning(result, m_protocol.clocks(), m_base.history.last)) {
    m_context.reporter.warning(*warning);
  }
  return result;
}

// Chooses the snapshot that this one follows and is compared with, and the packs that it leans on.
void Snapshotter::choose_base() {
  m_base = find_base(m_context, m_protocol, m_listing.get(),
                     {.series = m_request.series,
                      .claim = {.kind = std::string{kind_name(m_source.kind())},
                                .source = m_source.location(),
                                .defaulted = m_request.series_defaulted,
                                .own_key_since = m_request.own_key_since,
                                .taken_before = m_request.taken_before},
                      .drop_is_limited = m_request.guard.max_drop.has_value()});
  m_expected = expected_size();
  m_pack_target = pack_target_for(m_expected);
  const auto choice = PackChooser{m_context, m_protocol, m_request.series, m_pack_target}.choose(m_base);
  m_known.index_packs(m_context, choice.packs, choice.first_other);
  if (m_base.previous && comes_in_order(m_source)) {
    m_previous =
        std::make_unique<PreviousTree>(m_context, *m_base.previous, m_known.lean(),
                                       m_request.reread ? PreviousTree::Reread::yes : PreviousTree::Reread::no);
  }
}

// A tree is walked for this only where nothing tells about how large it is.
std::uint64_t Snapshotter::expected_size() const {
  const std::uint64_t before = m_base.previous ? m_base.previous->facts.stats.bytes : 0;
  if (before != 0 && m_source.shape() == SourceShape::tree) return before;
  const std::uint64_t now = m_source.estimate();
  return now != 0 ? now : before;
}

ChunkStore::Options Snapshotter::store_options() const {
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
  return options;
}

void Snapshotter::capture(SnapshotResult& result, ChunkStore& store, EntrySpool& spool) {
  const auto keep_alive = [this] { m_protocol.keep_alive(); };
  const bool in_order = comes_in_order(m_source);
  PathOrder order;
  EntryRecorder entries{m_context.reporter,
                        spool,
                        {.shape = m_source.shape(), .expected = m_expected, .order = in_order ? nullptr : &order}};
  ContentWriter content{m_context, {m_known, store, spool}, keep_alive};
  CapturePipeline pipeline{m_context, {m_source, m_previous.get(), content, entries, spool}, keep_alive};
  pipeline.run();
  result.stats = entries.stats();
  result.problems = entries.problems();
  if (result.stats.entries == 0) {
    throw SourceError(ErrorKind::failed, result.problems.empty() ? fmt::format("unable to read {}: nothing there",
                                                                               quote(m_source.location()))
                                                                 : result.problems.front().message);
  }
  const SourceEnd end = m_source.finish();
  if (!in_order) spool.arrange(order.sort());
  result.cut_point = end.cut_point;
  result.content_facts = m_source.shape() == SourceShape::file ? pipeline.content_facts() : end.facts;
  result.problems.insert(result.problems.end(), m_source.problems().begin(), m_source.problems().end());
  result.stats.errors = result.problems.size();
}

void Snapshotter::commit(SnapshotResult& result, ChunkStore& store, EntrySpool& spool) {
  store.close_pack();
  PlaceResolver resolver{m_known.lean(), store};
  Root root = write_entry_list(spool, store, m_known.lists(), resolver);
  store.finish();
  m_previous.reset();

  result.stats.new_bytes = store.raw_bytes();
  result.stats.stored_bytes = store.stored_bytes();
  result.stats.packs_written = store.packs().size();
  Manifest manifest =
      Manifest::make(make_record(result, m_base.history), make_facts(result), std::move(root), resolver.used_packs());
  sign_snapshot(manifest, m_request.signing_key.get());
  m_protocol.commit(manifest);
  m_context.repository.cache().put(k_own_snapshots, manifest.id.hex(), {});
  result.id = manifest.id;
  result.sequence = manifest.record.sequence;
  result.duration = m_context.clock() - m_started;
}

Facts Snapshotter::make_facts(const SnapshotResult& result) const {
  Facts facts;
  facts.salt = random_name(16);
  facts.host = m_context.host;
  facts.kind = kind_name(m_source.kind());
  facts.source = m_source.location();
  facts.started = m_started;
  facts.single_file = m_source.shape() == SourceShape::file;
  facts.tags = m_request.tags;
  facts.stats = result.stats;
  facts.content = result.content_facts;
  return facts;
}

}  // namespace

SnapshotResult take_snapshot(Context& context, Source& source, const SnapshotRequest& request) {
  check_requirements(context.repository.descriptor().requirements, Operation::write,
                     context.repository.store().describe());
  return Snapshotter{context, source, request}.take();
}

}  // namespace cairn
