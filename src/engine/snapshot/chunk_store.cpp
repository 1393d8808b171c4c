#include "engine/snapshot/chunk_store.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_frames_in_flight = 16ULL << 20;

// Compresses, decodes again and compares: an encoder that is wrong, or memory that is, is found before the pack is
// stored and not on the day of the restore.
Bytes compress_checked(ByteView raw) {
  Bytes stored = zstd_compress(raw);
  stored.shrink_to_fit();
  thread_local Bytes check;
  check.resize(raw.size());
  zstd_decompress_into(stored, check);
  if (std::memcmp(check.data(), raw.data(), raw.size()) != 0) {
    throw Error(ErrorKind::failed, "unable to compress: the decoded frame differs from its source",
                "this machine's memory or processor may be faulty; nothing was committed");
  }
  return stored;
}

fs::path directory_file(const fs::path& pack) {
  return pack.native() + ".directory";
}

void write_file(const fs::path& path, ByteView bytes) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  write_all(fd.get(), bytes, path);
}

void remove_files(const PackBuilder::Built& built) noexcept {
  if (!built.file) return;
  ::unlink(built.file->c_str());
  ::unlink(directory_file(*built.file).c_str());
}

}  // namespace

ChunkStore::ChunkStore(Context& context, Options options, PackSink sink)
    : m_options(std::move(options)),
      m_sink(std::move(sink)),
      m_keys(context.repository.keys()),
      m_puts(context.put, m_options.spool_limit ? SIZE_MAX : k_puts_at_once,
             m_options.spool_limit ? m_options.spool_limit->bytes
                                   : 2 * std::max(m_options.pack_target, k_min_pack_target) + (32ULL << 20),
             [](int) {}),
      m_compressing(context.cpu, std::size_t{4} * context.cpu.size(), k_frames_in_flight,
                    [this](CompressedFrame frame) { place_frame(std::move(frame)); }) {
  m_raw.reserve(k_frame_target + k_max_chunk);
}

ChunkStore::~ChunkStore() {
  // All is stored, or the run has failed: then what still waits is not sent.
  m_abandoned = true;
}

ChunkPlace ChunkStore::add(const Digest& digest, ByteView bytes) {
  const ChunkPlace place{k_own_frame | m_frame, static_cast<std::uint32_t>(m_chunks.size())};
  append(m_raw, bytes);
  m_chunks.push_back({digest, static_cast<std::uint32_t>(bytes.size())});
  m_raw_bytes += bytes.size();
  if (m_raw.size() >= k_frame_target) end_frame();
  return place;
}

void ChunkStore::end_frame() {
  if (m_chunks.empty()) return;
  check_interrupted();
  if (++m_frame == k_own_frame - 1) throw Error(ErrorKind::failed, "unable to take the snapshot: too many frames");
  Bytes raw = take_last(m_buffers);
  raw.clear();
  raw.reserve(k_frame_target + k_max_chunk);
  std::swap(raw, m_raw);
  const std::uint64_t weight = raw.size();
  m_compressing.push(weight, [raw = std::move(raw), chunks = std::exchange(m_chunks, {})]() mutable {
    Bytes stored = compress_checked(raw);
    return CompressedFrame{std::move(stored), std::move(chunks), std::move(raw)};
  });
}

void ChunkStore::place_frame(CompressedFrame frame) {
  m_buffers.push_back(std::move(frame.raw));
  m_stored_bytes += frame.stored.size();
  if (m_options.discard) {
    m_frames.push_back({0, 0});
    return;
  }
  if (!m_builder) m_builder = std::make_unique<PackBuilder>(m_options.spool, m_keys, m_content);
  const std::uint32_t first = m_builder->add_frame(frame.stored, frame.chunks);
  m_frames.push_back({static_cast<std::uint32_t>(m_packs.size()), first});
  // With its directory: of pages that are nearly empty that is the larger part.
  if (m_builder->expected_size() >= m_options.pack_target) end_pack();
}

void ChunkStore::end_pack() {
  if (!m_builder) return;
  const std::uint64_t before = m_builder->size();
  auto built = std::make_shared<PackBuilder::Built>(m_builder->finish());
  m_builder.reset();
  // Header, directory and trailer: what the frames do not account for.
  m_stored_bytes += built->ref.size - before + k_pack_header_size;
  m_packs.push_back(built->ref);
  m_chunk_counts.push_back(built->directory.chunk_count());
  try {
    std::uint64_t weight = built->ref.size;
    if (m_options.spool_limit && built->file) {
      wait_for_room(weight);
      // Many may wait, so their directories wait on disk, too.
      write_file(directory_file(*built->file), built->directory.encode());
      built->directory = {};
    } else if (built->file) {
      weight = 0;
    }
    m_puts.push(weight, [this, built] {
      put(*built);
      return 0;
    });
  } catch (...) {
    remove_files(*built);
    throw;
  }
}

// Only finished packs count: those that are on their way, and those that wait.
void ChunkStore::wait_for_room(std::uint64_t size) {
  m_puts.take_ready();
  const SpoolLimit& limit = *m_options.spool_limit;
  if (limit.full == SpoolFull::stream || m_puts.empty() || m_puts.weight() + size <= limit.bytes) return;
  throw Error(ErrorKind::failed,
              fmt::format("unable to take the snapshot: the spool {} is full: {} wait for the store",
                          quote(m_options.spool->directory.native()), format_size(m_puts.weight())),
              "give it more room (spool_dir, spool_size), or let the capture wait: spool_full = \"stream\"");
}

void ChunkStore::put(PackBuilder::Built& built) {
  struct Remove {
    const PackBuilder::Built& built;
    ~Remove() { remove_files(built); }
  } const remove{built};
  if (m_abandoned) return;
  if (m_options.spool_limit && built.file) {
    built.directory = PackDirectory::decode(read_file(directory_file(*built.file)));
  }
  m_sink(built);
}

void ChunkStore::close_pack() {
  end_frame();
  m_compressing.drain();
  end_pack();
}

void ChunkStore::begin_lists() {
  close_pack();
  m_content = PackContent::list;
}

void ChunkStore::finish() {
  close_pack();
  m_puts.drain();
}

ChunkStore::PackPlace ChunkStore::place_of(ChunkPlace place) const {
  const FramePlace& frame = m_frames.at(place.source & ~k_own_frame);
  return {frame.pack, frame.first_chunk + place.chunk};
}

}  // namespace cairn
