#include "repo/frame_fetcher.hpp"

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace cairn {

namespace {

// One request covers at most this much; more would only delay the first byte that can be used.
constexpr std::uint64_t k_max_run = 8ULL << 20;
// Bytes between two wanted frames that are cheaper to read than a request of their own.
constexpr std::uint64_t k_max_gap = 128ULL << 10;
// Directories in use at one time; the repository keeps more.
constexpr std::size_t k_max_directories = 16;

}  // namespace

ByteView DecodedFrame::chunk(std::uint32_t index) const {
  const ByteView bytes = ByteView{m_raw}.subspan(m_directory->offset_in_frame(index), m_directory->length(index));
  if (sha256(bytes) != m_directory->digest(index)) {
    throw Error(ErrorKind::damaged, fmt::format("chunk {} does not fit its digest", index));
  }
  return bytes;
}

ByteView DecodedFrame::chunks(std::uint32_t first, std::uint32_t count) const {
  std::size_t length = 0;
  for (std::uint32_t i = first; i < first + count; ++i) length += chunk(i).size();
  return ByteView{m_raw}.subspan(m_directory->offset_in_frame(first), length);
}

std::shared_ptr<const DecodedFrame> decode_frame(std::shared_ptr<const PackDirectory> directory, std::uint32_t frame,
                                                 ByteView stored) {
  try {
    Bytes raw = zstd_decompress(stored, directory->frames()[frame].raw_size);
    return std::make_shared<const DecodedFrame>(std::move(directory), frame, std::move(raw));
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("frame {}: {}", frame, e.message()));
  }
}

void DecodedFrame::check_all() const {
  const Frame& frame = m_directory->frames()[m_frame];
  for (std::uint32_t i = 0; i < frame.chunk_count; ++i) chunk(frame.first_chunk + i);
}

FrameFetcher::FrameFetcher(Repository& repository, ThreadPool& io, ThreadPool& pool, const PackTable& packs,
                           std::uint64_t keep_bytes)
    : m_repository(repository), m_io(io), m_pool(pool), m_packs(packs), m_keep_bytes(keep_bytes) {}

FrameFetcher::~FrameFetcher() {
  for (auto& [id, kept] : m_frames) kept.frame.wait();
}

const FrameFetcher::Source& FrameFetcher::source(std::uint64_t pack) {
  const auto found = m_sources.find(pack);
  if (found != m_sources.end()) return found->second;
  Source source{m_packs.find(pack), nullptr, {}};
  source.spares = m_packs.spares(source.ref);
  try {
    source.directory = m_repository.directory(source.ref);
  } catch (const StoreError&) {
    throw;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    for (const auto& spare : source.spares) {
      try {
        source.directory = m_repository.directory(spare);
      } catch (const StoreError&) {
        throw;
      } catch (const Error&) {
        continue;
      }
      warn_of(source.ref, spare, e);
      source.ref = spare;
      break;
    }
    if (!source.directory) throw;
  }
  if (m_sources.size() >= k_max_directories) m_sources.clear();
  return m_sources.emplace(pack, std::move(source)).first->second;
}

std::shared_ptr<const PackDirectory> FrameFetcher::directory(std::uint64_t pack) {
  return source(pack).directory;
}

void FrameFetcher::warn_of(const PackRef& damaged, const PackRef& taken, const Error& cause) {
  {
    const std::scoped_lock lock{m_mutex};
    if (!m_warned.insert(damaged.name).second) return;
  }
  m_repository.reporter().warning(fmt::format("{}; pack {} has the same content and is read instead", cause.message(),
                                              quote(layout::pack_key(taken.name))));
}

FrameFetcher::FramePointer FrameFetcher::decode(const Source& source, std::uint32_t frame, ByteView stored) {
  try {
    auto decoded = decode_frame(source.directory, frame, stored);
    // Whoever uses the chunks checks them; where there is another place to turn to, that is too late.
    if (!source.spares.empty()) decoded->check_all();
    return decoded;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::damaged) m_repository.note_damaged(source.ref);
    const Error named{e.kind(),
                      fmt::format("damaged pack {}: {}", quote(layout::pack_key(source.ref.name)), e.message())};
    return from_spare(source, frame, named);
  }
}

// Throws the cause where no spare is better. Thread-safe.
FrameFetcher::FramePointer FrameFetcher::from_spare(const Source& source, std::uint32_t number, const Error& cause) {
  for (const auto& spare : source.spares) {
    if (cause.kind() != ErrorKind::damaged) break;
    try {
      const auto directory = m_repository.directory(spare);
      const Frame& wanted = source.directory->frames()[number];
      // The same chunks, but perhaps in other frames.
      if (number >= directory->frames().size()) continue;
      const Frame& frame = directory->frames()[number];
      if (frame.first_chunk != wanted.first_chunk || frame.chunk_count != wanted.chunk_count) continue;
      auto decoded =
          decode_frame(directory, number, m_repository.read_data(spare, *directory, frame.offset, frame.stored_size));
      decoded->check_all();
      warn_of(source.ref, spare, cause);
      return decoded;
    } catch (const StoreError&) {
      throw;
    } catch (const Error&) {
      continue;
    }
  }
  throw Error(cause);
}

void FrameFetcher::fetch_run(std::uint64_t pack, const std::vector<std::uint32_t>& frames) {
  const Source& from = source(pack);
  const auto& dir = *from.directory;
  const std::uint64_t begin = dir.frames()[frames.front()].offset;
  const auto& last = dir.frames()[frames.back()];
  const std::uint64_t length = last.offset + last.stored_size - begin;
  m_statistics.bytes += stored_range(from.ref, dir, begin, length).length;
  m_statistics.requests += 1;
  // One job reads, one job a frame decodes, so that a run of frames uses all workers. The read job posts the decode
  // jobs itself; nobody in the pool waits for anybody.
  struct Run {
    Source from;
    std::vector<std::uint32_t> frames;
    std::vector<std::promise<FramePointer>> promises;
    Bytes bytes;
    std::optional<Error> failure;  // of the read, where there are spares
  };
  auto run = std::make_shared<Run>();
  run->from = from;
  run->frames = frames;
  run->promises.resize(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const FrameId id{pack, frames[i]};
    m_ages.push_front(id);
    const std::uint64_t raw = dir.frames()[frames[i]].raw_size;
    m_kept_bytes += raw;
    m_frames.insert_or_assign(id, Kept{run->promises[i].get_future().share(), raw, m_request, m_ages.begin()});
  }
  m_io.submit([this, run, begin, length] {
    try {
      run->bytes = m_repository.read_data(run->from.ref, *run->from.directory, begin, length);
    } catch (const StoreError&) {
      for (auto& promise : run->promises) promise.set_exception(std::current_exception());
      return;
    } catch (const Error& e) {
      run->failure = e;
    } catch (...) {
      for (auto& promise : run->promises) promise.set_exception(std::current_exception());
      return;
    }
    const auto decode_one = [this, run, begin](std::size_t i) {
      const std::uint32_t number = run->frames[i];
      try {
        const Frame& frame = run->from.directory->frames()[number];
        run->promises[i].set_value(
            run->failure
                ? from_spare(run->from, number, *run->failure)
                : decode(run->from, number, ByteView{run->bytes}.subspan(frame.offset - begin, frame.stored_size)));
      } catch (...) {
        run->promises[i].set_exception(std::current_exception());
      }
    };
    // The last future to be set lets the destructor go on: nothing of this object is touched after that.
    ThreadPool& pool = m_pool;
    const std::size_t count = run->frames.size();
    for (std::size_t i = 0; i < count; ++i) pool.submit([decode_one, i] { decode_one(i); });
  });
}

std::vector<FrameFetcher::Future> FrameFetcher::request(const std::vector<FrameId>& ids) {
  ++m_request;
  std::vector<FrameId> wanted;
  for (const auto& id : ids) {
    const auto found = m_frames.find(id);
    if (found == m_frames.end()) {
      wanted.push_back(id);
    } else {
      m_ages.splice(m_ages.begin(), m_ages, found->second.age);
      found->second.last_request = m_request;
    }
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (std::size_t i = 0; i < wanted.size();) {
    const auto dir = directory(wanted[i].pack);
    const auto& frames = dir->frames();
    std::vector<std::uint32_t> run{wanted[i].frame};
    const std::uint64_t begin = frames[wanted[i].frame].offset;
    std::size_t next = i + 1;
    // The run takes in the frames between two wanted ones: they come with the bytes anyway.
    while (next < wanted.size() && wanted[next].pack == wanted[i].pack) {
      const auto& f = frames[wanted[next].frame];
      const auto& before = frames[run.back()];
      if (f.offset - (before.offset + before.stored_size) > k_max_gap || f.offset + f.stored_size - begin > k_max_run) {
        break;
      }
      run.push_back(wanted[next].frame);
      ++next;
    }
    fetch_run(wanted[i].pack, run);
    i = next;
  }
  std::vector<Future> out;
  out.reserve(ids.size());
  for (const auto& id : ids) out.push_back(m_frames.at(id).frame);
  // Only what was not asked for just now may go.
  while (m_kept_bytes > m_keep_bytes && !m_ages.empty()) {
    const auto kept = m_frames.find(m_ages.back());
    if (kept->second.last_request == m_request) break;
    if (kept->second.frame.wait_for(std::chrono::seconds{0}) != std::future_status::ready) break;
    m_kept_bytes -= kept->second.bytes;
    m_frames.erase(kept);
    m_ages.pop_back();
  }
  return out;
}

}  // namespace cairn
