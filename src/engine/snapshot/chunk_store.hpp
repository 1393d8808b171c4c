// The writing half of a snapshot: chunks into frames, frames compressed and checked in the pool, packs put by the io
// threads. Order is kept, bytes in flight are bounded.
#pragma once

#include "engine/context.hpp"
#include "engine/snapshot/dedup_index.hpp"
#include "repo/pack.hpp"
#include "util/spool_directory.hpp"
#include "util/thread_pool.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace cairn {

// Puts one finished pack durably into the store. Called from threads of Context::put, several at once.
using PackSink = std::function<void(const PackBuilder::Built&)>;

// Used by one thread. Any failure of a job is thrown by a later call.
class ChunkStore {
 public:
  // More threads of Context::put than that have nothing to do.
  static constexpr unsigned k_puts_at_once = 4;
  struct Options {
    std::uint64_t pack_target = 0;
    std::optional<Spool> spool;  // where packs are built; nothing: in memory
    // Packs wait in the spool for the store, up to that much; nothing: a few at a time, the store is as fast as the
    // spool.
    std::optional<SpoolLimit> spool_limit = {};
    bool discard = false;  // a dry run: compress and count only
  };
  ChunkStore(Context& context, Options options, PackSink sink);
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;
  ~ChunkStore();

  // Copies the bytes. The place names a frame of this run; place_of() tells its pack once close_pack() has returned.
  ChunkPlace add(const Digest& digest, ByteView bytes);
  // Ends the current frame and pack and waits until every frame has its place. Packs may still be on their way.
  void close_pack();
  // Ends the current pack; those that follow hold entry lists.
  void begin_lists();
  // Waits until everything is stored.
  void finish();

  // Packs of this run, in order, complete after close_pack().
  const std::vector<PackRef>& packs() const noexcept { return m_packs; }
  // The pack (index in packs()) and chunk for a place of this run; after close_pack().
  struct PackPlace {
    std::uint32_t pack;
    std::uint32_t chunk;
  };
  PackPlace place_of(ChunkPlace place) const;
  std::uint32_t chunk_count(std::uint32_t pack) const { return m_chunk_counts[pack]; }

  std::uint64_t raw_bytes() const noexcept { return m_raw_bytes; }
  std::uint64_t stored_bytes() const noexcept { return m_stored_bytes; }

 private:
  struct CompressedFrame {
    Bytes stored;
    std::vector<PackBuilder::Chunk> chunks;
    Bytes raw;  // its memory is used again
  };
  struct FramePlace {
    std::uint32_t pack;
    std::uint32_t first_chunk;
  };
  void end_frame();
  void place_frame(CompressedFrame frame);
  void end_pack();
  void wait_for_room(std::uint64_t size);
  void put(PackBuilder::Built& built);

  Options m_options;
  PackSink m_sink;
  const Keyring& m_keys;
  PackContent m_content = PackContent::files;

  Bytes m_raw;                   // of the frame being filled
  std::vector<Bytes> m_buffers;  // of frames that are done
  std::vector<PackBuilder::Chunk> m_chunks;
  std::uint32_t m_frame = 0;  // its number

  std::unique_ptr<PackBuilder> m_builder;
  std::vector<FramePlace> m_frames;
  std::vector<PackRef> m_packs;
  std::vector<std::uint32_t> m_chunk_counts;  // of m_packs
  std::uint64_t m_raw_bytes = 0;
  std::uint64_t m_stored_bytes = 0;

  std::atomic<bool> m_abandoned{false};
  // Last, so that they wait for their jobs before anything above goes.
  OrderedWindow<int> m_puts;
  OrderedWindow<CompressedFrame> m_compressing;
};

}  // namespace cairn
