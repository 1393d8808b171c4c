// Decoded frames, fetched in few requests. Ranges of a pack are coalesced, fetched and decoded in pools; a bounded
// set of decoded frames is kept for whoever needs them next. Each frame of a range is checked by itself, so that one
// that is damaged says nothing of its neighbours. Bytes that do not pass their check are read once more; where a pack
// is damaged, those of another one with the same chunks are taken instead. Either way with a warning, but for packs of
// other stores: who knows of those tells it.
#pragma once

#include "repo/pack_source.hpp"
#include "repo/pack_table.hpp"
#include "repo/read_ahead.hpp"
#include "util/busy_clock.hpp"
#include "util/error.hpp"
#include "util/lru.hpp"
#include "util/thread_pool.hpp"

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace cairn {

// A decoded frame, each chunk of which was held against its digest in the directory.
class DecodedFrame {
 public:
  DecodedFrame(std::shared_ptr<const PackDirectory> directory, std::uint32_t frame, Bytes raw);
  // The chunk (index in its pack). Error(damaged) where it did not fit its digest.
  ByteView chunk(std::uint32_t index) const;
  // The same for neighbouring chunks; Error(damaged) too where they are not all of this frame.
  ByteView chunks(std::uint32_t first, std::uint32_t count) const;
  // Every one of them. Error(damaged).
  void require_intact() const;
  std::size_t size() const noexcept { return m_raw.size(); }

 private:
  std::shared_ptr<const PackDirectory> m_directory;
  const Frame& m_frame;  // of the directory
  Bytes m_raw;
  std::vector<std::uint32_t> m_damaged;  // chunks, ascending
};

// A frame from its stored form, decrypted. Error(damaged) naming the frame where it cannot be decoded.
std::shared_ptr<const DecodedFrame> decode_frame(std::shared_ptr<const PackDirectory> directory, std::uint32_t frame,
                                                 ByteView stored);

struct FrameId {
  std::uint64_t pack = 0;  // as extents name it
  std::uint32_t frame = 0;
  auto operator<=>(const FrameId&) const = default;
};
struct FrameIdHash {
  std::size_t operator()(const FrameId& id) const noexcept {
    // Packs are named by digests; frames of one are counted.
    return static_cast<std::size_t>(id.pack + id.frame * 0x9e3779b97f4a7c15ULL);
  }
};

struct FetchStatistics {
  std::uint64_t bytes = 0;     // data bytes that came from the store
  std::uint64_t requests = 0;  // for data
};

class FrameFetcher {
 public:
  using Future = std::shared_future<std::shared_ptr<const DecodedFrame>>;

  // keep_bytes: decoded bytes that stay after their use, for frames that are needed again soon.
  // io: for requests; pool: for decoding.
  FrameFetcher(PackSource& from, ThreadPool& io, ThreadPool& pool, const PackTable& packs, std::uint64_t keep_bytes);
  FrameFetcher(const FrameFetcher&) = delete;
  FrameFetcher& operator=(const FrameFetcher&) = delete;
  // Waits for what is under way.
  ~FrameFetcher();

  // Counts the time in which frames are decoded and held against their digests. Before the first request; outlives
  // this.
  void measure(BusyClock& decoding) noexcept { m_decoding = &decoding; }

  // Tells what request() and directory() will be asked for: it is fetched ahead, up to limit stored bytes. Before the
  // first of them, but for directories of packs that are not wanted whole.
  void expect(FetchPlan plan, std::uint64_t limit);

  // A future for each id, in order; frames that are neither kept nor under way are fetched. Called by one thread, not
  // a thread of the pool. A future's error is Error(damaged) naming the pack, or a StoreError.
  std::vector<Future> request(const std::vector<FrameId>& ids);

  // The directory of a pack as extents name it.
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack);

  // Fetches those of these packs' directories that are not at hand, side by side, and waits for them: directory() has
  // them. No failure is told: directory() meets it again.
  void expect_directories(const std::vector<std::uint64_t>& packs);

  // Whether another store has the same chunks as a pack that this one has lost.
  bool is_elsewhere(const PackRef& pack) { return !m_from.elsewhere(pack).empty(); }

  // Those of them that failed, or have a damaged chunk, are asked for anew when they are requested again. Called by the
  // same thread as request().
  void forget(const std::vector<FrameId>& ids);

  FetchStatistics statistics() const noexcept { return {m_bytes_fetched, m_requests}; }

 private:
  struct Kept {
    Future frame;
    std::uint64_t last_request;
  };
  // A pack, or the spare of it, whose directory could be read.
  struct Source {
    PackSource* from;
    PackRef ref;
    std::shared_ptr<const PackDirectory> directory;
  };
  using FramePointer = std::shared_ptr<const DecodedFrame>;
  const Source& source(std::uint64_t pack);
  std::shared_ptr<const PackDirectory> directory_ahead(const PackRef& ref, std::optional<Error>& damage);
  ReadAhead::Parts reader_of(const FrameRun& run);
  ReadAhead::Parts parts_of(PackSource& from, const PackRef& ref, StoredRange range,
                            const std::function<void()>& before);
  std::size_t fetch(std::span<const FrameId> wanted);
  void fetch_run(std::uint64_t pack, const std::vector<std::uint32_t>& frames);
  bool fetch_ahead(const FrameId& id);
  std::shared_ptr<const PackDirectory> directory_alone(const PackRef& ref, const std::optional<Error>& ahead);
  static void require_key(const Source& source);
  std::vector<PackElsewhere> spares(const Source& of);
  void take_spare(Source& source, const Error& cause);
  FramePointer decode_part(const Source& source, std::uint32_t number, StoredRange asked, ByteView stored);
  FramePointer decode_stored(const Source& source, std::uint32_t number, ByteView stored);
  void retain(const PackRef& ref, const PackDirectory& directory, ByteView bytes);
  bool take_retained(const FrameId& id);
  void keep(const FrameId& id, Future frame, std::uint64_t bytes);
  FramePointer decode(const Source& source, std::uint32_t frame, ByteView stored);
  static FramePointer read_frame(const Source& source, std::uint32_t frame);
  FramePointer read_alone(const Source& source, std::uint32_t number);
  FramePointer read_again(const Source& source, std::uint32_t frame, const Error& cause, FramePointer damaged);
  FramePointer from_spare(const Source& source, std::uint32_t frame, const Error& cause);
  void warn_once(const PackRef& damaged, const std::string& message);
  void tell_taken(const Source& damaged, const Error& cause, const PackElsewhere& instead);

  PackSource& m_from;
  ThreadPool& m_io;
  ThreadPool& m_pool;
  const PackTable& m_packs;
  std::uint64_t m_keep_bytes;
  BusyClock* m_decoding = nullptr;
  Lru<FrameId, Kept, FrameIdHash> m_frames;
  std::uint64_t m_request = 0;
  std::map<std::uint64_t, Source> m_sources;
  std::uint64_t m_directory_bytes = 0;                     // of them
  std::map<std::uint64_t, std::vector<Error>> m_failures;  // by pack: why there was no directory
  std::mutex m_mutex;
  std::set<Digest> m_warned;
  std::atomic<std::uint64_t> m_bytes_fetched{0};
  std::uint64_t m_requests = 0;
  FetchPlan m_plan;
  // Frames of packs that were read whole, as stored, which are wanted again much later.
  std::map<FrameId, std::shared_ptr<const Bytes>> m_retained;
  std::uint64_t m_retained_bytes = 0;
  std::optional<ReadAhead> m_ahead;  // last: it waits for what uses the rest
};

}  // namespace cairn
