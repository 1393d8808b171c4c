#include "repo/frame_fetcher.hpp"

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"

#include <algorithm>

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

FrameFetcher::FrameFetcher(Repository& repository, ThreadPool& io, ThreadPool& pool, const PackTable& packs,
                           std::uint64_t keep_bytes)
    : m_repository(repository), m_io(io), m_pool(pool), m_packs(packs), m_keep_bytes(keep_bytes) {}

FrameFetcher::~FrameFetcher() {
  for (auto& [id, kept] : m_frames) kept.frame.wait();
}

std::shared_ptr<const PackDirectory> FrameFetcher::directory(std::uint64_t pack) {
  const auto found = m_directories.find(pack);
  if (found != m_directories.end()) return found->second;
  auto directory = m_repository.directory(m_packs.find(pack));
  if (m_directories.size() >= k_max_directories) m_directories.clear();
  m_directories.emplace(pack, directory);
  return directory;
}

void FrameFetcher::fetch_run(std::uint64_t pack, const std::vector<std::uint32_t>& frames) {
  const PackRef& ref = m_packs.find(pack);
  const auto dir = directory(pack);
  const std::uint64_t begin = dir->frames()[frames.front()].offset;
  const auto& last = dir->frames()[frames.back()];
  const std::uint64_t length = last.offset + last.stored_size - begin;
  m_statistics.bytes += stored_range(ref, *dir, begin, length).length;
  m_statistics.requests += 1;
  // One job reads, one job a frame decodes, so that a run of frames uses all workers. The read job posts the decode
  // jobs itself; nobody in the pool waits for anybody.
  struct Run {
    std::vector<std::promise<std::shared_ptr<const DecodedFrame>>> promises;
    Bytes bytes;
  };
  auto run = std::make_shared<Run>();
  run->promises.resize(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const FrameId id{pack, frames[i]};
    m_ages.push_front(id);
    const std::uint64_t raw = dir->frames()[frames[i]].raw_size;
    m_kept_bytes += raw;
    m_frames.insert_or_assign(id, Kept{run->promises[i].get_future().share(), raw, m_request, m_ages.begin()});
  }
  m_io.submit([this, run, dir, frames, ref, begin, length] {
    try {
      run->bytes = m_repository.read_data(ref, *dir, begin, length);
    } catch (...) {
      for (auto& promise : run->promises) promise.set_exception(std::current_exception());
      return;
    }
    const auto decode = [run, dir, frames, ref, begin](std::size_t i) {
      try {
        const Frame& frame = dir->frames()[frames[i]];
        const auto stored = ByteView{run->bytes}.subspan(frame.offset - begin, frame.stored_size);
        run->promises[i].set_value(decode_frame(dir, frames[i], stored));
      } catch (const Error& e) {
        run->promises[i].set_exception(std::make_exception_ptr(
            Error(e.kind(), fmt::format("damaged pack {}: {}", quote(layout::pack_key(ref.name)), e.message()))));
      } catch (...) {
        run->promises[i].set_exception(std::current_exception());
      }
    };
    // The last future to be set lets the destructor go on: m_pool is not touched after that.
    ThreadPool& pool = m_pool;
    for (std::size_t i = 0; i < frames.size(); ++i) pool.submit([decode, i] { decode(i); });
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
