#include "engine/commit_protocol.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "util/error.hpp"

namespace cairn {

namespace {

constexpr std::uint64_t k_record_bytes = 1ULL << 30;
// Marks are at most this old (by this host's steady clock, which no clock change moves) when a manifest is put.
constexpr std::chrono::minutes k_marks_fresh{15};
constexpr int k_commit_tries = 3;

}  // namespace

CommitProtocol::CommitProtocol(Context& context, std::string series, std::string run, std::chrono::nanoseconds grace)
    : m_context(context),
      m_run(std::move(run)),
      m_grace(grace),
      m_journal(context.repository.cache(), series, m_run),
      m_last_record(std::chrono::steady_clock::now()) {
  read_marks();
  context.repository.store().list(layout::k_packs, [&](const ObjectInfo& info) {
    if (const auto name = layout::parse_pack_key(info.key)) m_listed.emplace(*name, info.size);
  });
}

void CommitProtocol::read_marks() {
  // Marks never change, so only new ones are read.
  for (const auto& stored : m_context.repository.marks(m_marks_read)) {
    m_marks_read.insert(stored.object.key);
    m_condemned.insert(stored.mark.packs.begin(), stored.mark.packs.end());
  }
}

bool CommitProtocol::seen(const PackRef& ref) const {
  const auto found = m_listed.find(ref.name);
  return found != m_listed.end() && found->second == ref.size;
}

std::vector<PackRef> CommitProtocol::adoptable() {
  std::vector<PackRef> out;
  const auto offer = [&](const PackRef& ref) {
    if (seen(ref) && !m_condemned.contains(ref.name)) out.push_back(ref);
  };
  for (const auto& ref : m_journal.abandoned()) offer(ref);
  for (const auto& stored : m_context.repository.pending()) {
    if (stored.record.host != m_context.host) continue;
    for (const auto& ref : stored.record.packs) offer(ref);
  }
  return out;
}

void CommitProtocol::store_pack(const PackBuilder::Built& built) {
  ObjectBody body;
  if (built.file) {
    body = ObjectBody::from_file(*built.file, built.ref.size);
    body.consume_file = true;
  } else {
    body = ObjectBody::from_memory(built.memory);
  }
  body.sha256 = built.ref.name;
  store_bytes(built.ref, body);
  m_context.repository.remember_directory(built.ref, built.directory);
}

void CommitProtocol::store_bytes(const PackRef& ref, const ObjectBody& body) {
  m_journal.append(ref);
  m_context.repository.store().put(layout::pack_key(ref.name), body);
  bool due = false;
  {
    const std::scoped_lock lock{m_mutex};
    m_unrecorded.push_back(ref);
    m_unrecorded_bytes += ref.size;
    due = m_unrecorded_bytes >= k_record_bytes || std::chrono::steady_clock::now() - m_last_record > m_grace / 4;
  }
  if (due) flush_pending();
}

void CommitProtocol::flush_pending() {
  PendingRecord record;
  {
    const std::scoped_lock lock{m_mutex};
    if (m_unrecorded.empty()) return;
    record.packs = std::exchange(m_unrecorded, {});
    m_unrecorded_bytes = 0;
    m_last_record = std::chrono::steady_clock::now();
    record.number = ++m_record_number;
  }
  record.run = m_run;
  record.host = m_context.host;
  record.created = m_context.clock();
  const std::string text = record.text();
  m_context.repository.store().put(layout::pending_key(m_run, record.number), ObjectBody::from_text(text));
}

void CommitProtocol::abandon() noexcept {
  try {
    flush_pending();
  } catch (const std::exception& e) {
    // The journal on this host still knows them; without it they are stored again.
    m_context.reporter.info(fmt::format("unable to record what was stored so far: {}", e.what()));
  }
}

// The same content as a new object: frames are copied as they are, each decoded and checked, under a new header.
PackRef CommitProtocol::store_again(const PackRef& ref) {
  Repository& repository = m_context.repository;
  const auto directory = repository.directory(ref);
  PackBuilder builder{repository.store().staging_directory()};
  for (const auto& frame : directory->frames()) {
    const Bytes stored = repository.read_data(ref, frame.offset, frame.stored_size);
    const Bytes raw = zstd_decompress(stored, frame.raw_size);
    std::vector<PackBuilder::Chunk> chunks;
    for (std::uint32_t i = frame.first_chunk; i < frame.first_chunk + frame.chunk_count; ++i) {
      const ByteView bytes = ByteView{raw}.subspan(directory->offset_in_frame(i), directory->length(i));
      if (sha256(bytes) != directory->digest(i)) {
        throw Error(ErrorKind::damaged, fmt::format("damaged pack {}: chunk {} does not fit its digest",
                                                    quote(layout::pack_key(ref.name)), i));
      }
      chunks.push_back({directory->digest(i), directory->length(i)});
    }
    builder.add_frame(stored, chunks);
  }
  auto built = builder.finish();
  built.ref.live_bytes = ref.live_bytes;
  store_pack(built);
  return built.ref;
}

bool CommitProtocol::replace_condemned(Manifest& manifest) {
  bool changed = false;
  for (auto& ref : manifest.packs) {
    if (!m_condemned.contains(ref.name)) continue;
    m_context.reporter.info(fmt::format("pack {} is about to be pruned; storing its content again", ref.name.hex()));
    ref = store_again(ref);
    changed = true;
  }
  if (changed) std::sort(manifest.packs.begin(), manifest.packs.end());
  return changed;
}

std::string CommitProtocol::commit(Manifest& manifest) {
  Repository& repository = m_context.repository;
  for (int attempt = 1;; ++attempt) {
    const auto marks_at = std::chrono::steady_clock::now();
    read_marks();
    while (replace_condemned(manifest)) read_marks();
    if (std::chrono::steady_clock::now() - marks_at > k_marks_fresh) continue;
    const std::string key = repository.store_manifest(manifest);

    // A prune that deleted between our look at the marks and the manifest's appearance did so on a mark older than its
    // grace, which we had seen; this second look costs one listing and covers stores whose listings lag.
    read_marks();
    const bool condemned = std::any_of(manifest.packs.begin(), manifest.packs.end(),
                                       [&](const PackRef& ref) { return m_condemned.contains(ref.name); });
    if (!condemned) {
      m_journal.clear();
      return key;
    }
    if (attempt == k_commit_tries) {
      throw Error(ErrorKind::failed,
                  fmt::format("unable to commit the snapshot: its packs are condemned as fast as they are stored"),
                  "is another program's prune running with a grace near zero?");
    }
  }
}

}  // namespace cairn
