#include "repo/frame_fetcher.hpp"

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "repo/second_reading.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Directories in use at one time: so many in any case, and as many as take so many bytes.
constexpr std::size_t k_min_directories = 16;
constexpr std::uint64_t k_directory_memory = 48ULL << 20;
// One that cannot be read may be asked for by each of a million files: after so many tries it is given up.
constexpr std::size_t k_directory_tries = 3;
constexpr std::uint64_t k_max_retained = 32ULL << 20;

Error named(const PackRef& pack, const Error& e) {
  return {e.kind(), fmt::format("damaged pack {}: {}", quote(layout::pack_key(pack.name)), e.message())};
}

Error shorter() {
  return {ErrorKind::damaged, "it is shorter than its manifest says"};
}

bool holds(const StoredRange& all, const StoredRange& part) {
  return part.offset >= all.offset && part.length <= all.length && part.offset - all.offset <= all.length - part.length;
}

ByteRange byte_range(const StoredRange& range) {
  return {range.offset, range.length};
}

PackElsewhere take_next(std::vector<PackElsewhere>& left) {
  PackElsewhere next = std::move(left.front());
  left.erase(left.begin());
  return next;
}

// One was of no use: after the last of its store come those of the next.
void go_on_after(const PackElsewhere& failed, std::vector<PackElsewhere>& left) {
  if (left.empty() && !failed.store.empty()) left = failed.from->elsewhere(failed.ref);
}

}  // namespace

DecodedFrame::DecodedFrame(std::shared_ptr<const PackDirectory> directory, std::uint32_t frame, Bytes raw)
    : m_directory(std::move(directory)), m_frame(m_directory->frames()[frame]), m_raw(std::move(raw)) {
  for (std::uint32_t i = m_frame.first_chunk; i < m_frame.first_chunk + m_frame.chunk_count; ++i) {
    const ByteView bytes = ByteView{m_raw}.subspan(m_directory->offset_in_frame(i), m_directory->length(i));
    if (sha256(bytes) != m_directory->digest(i)) m_damaged.push_back(i);
  }
}

ByteView DecodedFrame::chunk(std::uint32_t index) const {
  return chunks(index, 1);
}

ByteView DecodedFrame::chunks(std::uint32_t first, std::uint32_t count) const {
  // The caller may have looked the frame up in another directory of the same content.
  const std::uint64_t end = std::uint64_t{m_frame.first_chunk} + m_frame.chunk_count;
  if (first < m_frame.first_chunk || std::uint64_t{first} + count > end) {
    throw Error(ErrorKind::damaged, fmt::format("chunk {} is not in the frame it was in", first));
  }
  const auto damaged = std::lower_bound(m_damaged.begin(), m_damaged.end(), first);
  if (damaged != m_damaged.end() && *damaged - first < count) {
    throw Error(ErrorKind::damaged, fmt::format("chunk {} does not fit its digest", *damaged));
  }
  std::size_t length = 0;
  for (std::uint32_t i = first; i < first + count; ++i) length += m_directory->length(i);
  return ByteView{m_raw}.subspan(m_directory->offset_in_frame(first), length);
}

void DecodedFrame::require_intact() const {
  if (!m_damaged.empty()) chunk(m_damaged.front());
}

std::shared_ptr<const DecodedFrame> decode_frame(std::shared_ptr<const PackDirectory> directory, std::uint32_t frame,
                                                 ByteView stored) {
  try {
    Bytes raw = zstd_decompress(stored, directory->frames()[frame].raw_size, k_max_frame_raw);
    return std::make_shared<const DecodedFrame>(std::move(directory), frame, std::move(raw));
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("frame {}: {}", frame, e.message()));
  }
}

FrameFetcher::FrameFetcher(PackSource& from, ThreadPool& io, ThreadPool& pool, const PackTable& packs,
                           std::uint64_t keep_bytes)
    : m_from(from), m_io(io), m_pool(pool), m_packs(packs), m_keep_bytes(keep_bytes) {}

FrameFetcher::~FrameFetcher() {
  m_frames.for_each([](const Kept& kept) { kept.frame.wait(); });
}

const FrameFetcher::Source& FrameFetcher::source(std::uint64_t pack) {
  const auto found = m_sources.find(pack);
  if (found != m_sources.end()) return found->second;
  const auto failures = m_failures.find(pack);
  if (failures != m_failures.end() && failures->second.size() == k_directory_tries)
    throw Error(failures->second.back());
  Source source{&m_from, m_packs.find(pack), nullptr};
  const auto damage = damage_of([&] {
    std::optional<Error> first;
    source.directory = directory_ahead(source.ref, first);
    if (!source.directory) source.directory = directory_alone(source.ref, first);
  });
  if (damage) {
    m_from.note_damaged(source.ref);
    take_spare(source, *damage);
    if (!source.directory) {
      m_failures[pack].push_back(*damage);
      throw Error(*damage);
    }
  }
  const auto [added, fresh] = m_sources.emplace(pack, std::move(source));
  if (fresh) m_directory_bytes += added->second.directory->memory();
  // Names are random, and so is which one goes: where a few too many take turns, most are there all the same.
  while (m_sources.size() > k_min_directories && m_directory_bytes > k_directory_memory) {
    auto next = std::next(added);
    if (next == m_sources.end()) next = m_sources.begin();
    m_directory_bytes -= next->second.directory->memory();
    m_sources.erase(next);
  }
  return added->second;
}

// Those of the same store first. Thread-safe.
std::vector<PackElsewhere> FrameFetcher::spares(const Source& of) {
  // One from another store has been taken already: what is beyond it is known to that one alone.
  if (of.from != &m_from) return of.from->elsewhere(of.ref);
  std::vector<PackElsewhere> out;
  for (auto& ref : m_packs.spares(of.ref)) out.push_back({&m_from, std::move(ref), {}});
  for (auto& other : m_from.elsewhere(of.ref)) out.push_back(std::move(other));
  return out;
}

void FrameFetcher::tell_taken(const Source& damaged, const Error& cause, const PackElsewhere& instead) {
  const std::string key = quote(layout::pack_key(instead.ref.name));
  if (instead.from == &m_from) {
    return warn_once(damaged.ref,
                     fmt::format("{}; pack {} has the same content and is read instead", cause.message(), key));
  }
  m_from.reporter().info(fmt::format("{}; it is read from {}", cause.message(), quote(instead.store)));
}

// The directory could not be read. The first spare whose directory can, if there is one; what was fetched of the pack
// does not fit that.
void FrameFetcher::take_spare(Source& source, const Error& cause) {
  for (auto left = spares(source); !left.empty();) {
    const PackElsewhere spare = take_next(left);
    if (any_failure_of([&] { source.directory = spare.from->directory(spare.ref); })) {
      go_on_after(spare, left);
      continue;
    }
    const std::uint64_t pack = source.ref.prefix();
    tell_taken(source, cause, spare);
    source.from = spare.from;
    source.ref = spare.ref;
    if (m_ahead) m_ahead->drop(pack);
    m_retained.erase(m_retained.lower_bound({pack, 0}), m_retained.upper_bound({pack, UINT32_MAX}));
    return;
  }
}

// Not from a pack that is read whole; ahead: what was wrong there. Whether that is what the store has, only the store
// can say, and not what this host remembers of it.
std::shared_ptr<const PackDirectory> FrameFetcher::directory_alone(const PackRef& ref,
                                                                   const std::optional<Error>& ahead) {
  if (!ahead || ahead->kind() != ErrorKind::damaged) return m_from.directory(ref);
  std::shared_ptr<const PackDirectory> directory;
  if (!damage_of([&] { directory = m_from.stored_directory(ref); }, {ErrorKind::no_key})) {
    warn_once(ref, right_when_read_again(*ahead));
    return directory;
  }
  directory = m_from.directory(ref);
  m_from.note_damaged(ref);
  warn_once(ref, fmt::format("{}; the directory that this host remembers is used", ahead->message()));
  return directory;
}

// From a pack that is being read whole. Nothing where it is not, or where its bytes are not what they should be (damage
// says what is wrong): then it is for the caller to read the directory by itself.
std::shared_ptr<const PackDirectory> FrameFetcher::directory_ahead(const PackRef& ref, std::optional<Error>& damage) {
  if (!m_ahead) return nullptr;
  const auto fetched = m_ahead->whole(ref.prefix());
  if (!fetched) return nullptr;
  if (fetched->failure) {
    try {
      damage = damage_of([&] { std::rethrow_exception(fetched->failure); });
    } catch (const StoreError&) {
      // It may come when it is asked for by itself; where it does not, that is told.
    }
  } else {
    std::shared_ptr<const PackDirectory> directory;
    const auto take = [&] {
      if (fetched->bytes->size() < ref.size) throw named(ref, shorter());
      const ByteView stored = ByteView{*fetched->bytes}.subspan(ref.directory_offset, ref.directory_size);
      directory = m_from.take_directory(ref, stored);
    };
    damage = damage_of(take, {ErrorKind::no_key});
    if (!damage) {
      m_ahead->settle(ref.prefix(), m_plan.wanted_of_whole(ref.prefix(), *directory));
      retain(ref, *directory, *fetched->bytes);
      return directory;
    }
  }
  m_ahead->drop(ref.prefix());
  return nullptr;
}

std::shared_ptr<const PackDirectory> FrameFetcher::directory(std::uint64_t pack) {
  return source(pack).directory;
}

void FrameFetcher::warn_once(const PackRef& damaged, const std::string& message) {
  {
    const std::scoped_lock lock{m_mutex};
    if (!m_warned.insert(damaged.name).second) return;
  }
  m_from.reporter().warning(message);
}

FrameFetcher::FramePointer FrameFetcher::decode(const Source& source, std::uint32_t frame, ByteView stored) {
  const BusyClock::Running running{m_decoding};
  FramePointer decoded;
  const auto damage = damage_of([&] {
    decoded = decode_frame(source.directory, frame, stored);
    decoded->require_intact();
  });
  if (!damage) return decoded;
  return read_again(source, frame, named(source.ref, *damage), std::move(decoded));
}

// Before what would be fetched in vain. Error(no_key), Error(damaged).
void FrameFetcher::require_key(const Source& source) {
  if (is_sealed(source.ref.seal)) source.from->unseal_data(source.ref, *source.directory, 0, 0, {});
}

// From the store, alone. Every chunk is right, else Error(damaged).
FrameFetcher::FramePointer FrameFetcher::read_frame(const Source& source, std::uint32_t frame) {
  const Frame& f = source.directory->frames()[frame];
  const Bytes stored = source.from->read_data(source.ref, *source.directory, f.offset, f.stored_size);
  auto decoded = decode_frame(source.directory, frame, stored);
  decoded->require_intact();
  return decoded;
}

// A frame that nobody has read yet. Thread-safe.
FrameFetcher::FramePointer FrameFetcher::read_alone(const Source& source, std::uint32_t number) {
  const Frame& frame = source.directory->frames()[number];
  const StoredRange range = stored_range(source.ref, *source.directory, frame.offset, frame.stored_size);
  Bytes stored;
  const auto damage = damage_of([&] { stored = source.from->read_range(source.ref, byte_range(range)); });
  if (damage) return read_again(source, number, *damage, nullptr);
  return decode_part(source, number, range, stored);
}

// A frame whose own bytes did not pass their checks, or did not come. damaged: what could be decoded of it, if
// anything: what is right in it is better than nothing. Thread-safe.
FrameFetcher::FramePointer FrameFetcher::read_again(const Source& source, std::uint32_t frame, const Error& cause,
                                                    FramePointer damaged) {
  FramePointer decoded;
  if (!damage_of([&] { decoded = read_frame(source, frame); })) {
    warn_once(source.ref, right_when_read_again(cause));
    return decoded;
  }
  source.from->note_damaged(source.ref);
  decoded = from_spare(source, frame, cause);
  if (decoded) return decoded;
  if (damaged) return damaged;
  throw Error(cause);
}

// Nothing where no spare is better. Thread-safe.
FrameFetcher::FramePointer FrameFetcher::from_spare(const Source& source, std::uint32_t number, const Error& cause) {
  for (auto left = spares(source); !left.empty();) {
    const PackElsewhere spare = take_next(left);
    FramePointer decoded;
    any_failure_of([&] {
      const Source other{spare.from, spare.ref, spare.from->directory(spare.ref)};
      const auto& directory = other.directory;
      const Frame& wanted = source.directory->frames()[number];
      // The same chunks, but perhaps in other frames.
      if (number >= directory->frames().size()) return;
      const Frame& frame = directory->frames()[number];
      if (frame.first_chunk != wanted.first_chunk || frame.chunk_count != wanted.chunk_count) return;
      decoded = read_frame(other, number);
    });
    if (!decoded) {
      go_on_after(spare, left);
      continue;
    }
    tell_taken(source, cause, spare);
    return decoded;
  }
  return nullptr;
}

void FrameFetcher::expect_directories(const std::vector<std::uint64_t>& packs) {
  std::map<std::uint64_t, const PackRef*> wanted;
  for (const std::uint64_t pack : packs) {
    const PackRef* const ref = m_packs.find_if_there(pack);
    if (ref != nullptr && !m_sources.contains(pack) && !m_failures.contains(pack)) wanted.emplace(pack, ref);
  }
  if (wanted.size() < 2) return;
  std::vector<std::future<void>> jobs;
  jobs.reserve(wanted.size());
  for (const auto& [pack, ref] : wanted) {
    jobs.push_back(m_io.submit([this, ref = *ref] { m_from.directory(ref); }));
  }
  for (const auto& job : jobs) job.wait();
}

void FrameFetcher::forget(const std::vector<FrameId>& ids) {
  for (const auto& id : ids) {
    const Kept* kept = m_frames.find(id);
    if (kept == nullptr || kept->frame.wait_for(std::chrono::seconds{0}) != std::future_status::ready) continue;
    try {
      kept->frame.get()->require_intact();
    } catch (...) {
      m_frames.erase(id);
    }
  }
}

void FrameFetcher::keep(const FrameId& id, Future frame, std::uint64_t bytes) {
  m_frames.put(id, Kept{std::move(frame), m_request}, bytes);
}

void FrameFetcher::expect(FetchPlan plan, std::uint64_t limit) {
  m_plan = std::move(plan);
  m_ahead.emplace(
      m_io, [this](const FrameRun& run) { return reader_of(run); }, m_plan.runs(held_ahead(limit)), limit);
  m_ahead->go_ahead();
}

ReadAhead::Parts FrameFetcher::reader_of(const FrameRun& run) {
  if (run.whole) {
    const PackRef& ref = m_packs.find(run.pack);
    return parts_of(m_from, ref, {0, ref.size}, [] {});
  }
  const Source& from = source(run.pack);
  const StoredRange range = stored_range(from.ref, *from.directory, run.offset, run.length);
  return parts_of(*from.from, from.ref, range, [from] { require_key(from); });
}

// before: called by each of them first.
ReadAhead::Parts FrameFetcher::parts_of(PackSource& from, const PackRef& ref, StoredRange range,
                                        const std::function<void()>& before) {
  ReadAhead::Parts parts;
  for (const ByteRange& piece : pieces_of(range.offset, range.length)) {
    parts.emplace_back([this, &from, ref, piece, before] {
      before();
      Bytes bytes = from.read_range(ref, piece);
      m_bytes_fetched += bytes.size();
      return bytes;
    });
  }
  m_requests += parts.size();
  return parts;
}

// A frame from what came of the range that was asked for. Thread-safe.
FrameFetcher::FramePointer FrameFetcher::decode_part(const Source& source, std::uint32_t number, StoredRange asked,
                                                     ByteView stored) {
  const Frame& frame = source.directory->frames()[number];
  const StoredRange range = stored_range(source.ref, *source.directory, frame.offset, frame.stored_size);
  // Asked for by the directory of another pack with the same content.
  if (!holds(asked, range)) return read_alone(source, number);
  const StoredRange came{asked.offset, stored.size()};
  if (!holds(came, range)) {
    return read_again(source, number, named(source.ref, shorter()), nullptr);
  }
  return decode_stored(source, number, stored.subspan(range.offset - asked.offset, range.length));
}

// A frame from its stored_range(). Thread-safe.
FrameFetcher::FramePointer FrameFetcher::decode_stored(const Source& source, std::uint32_t number, ByteView stored) {
  if (!is_sealed(source.ref.seal)) return decode(source, number, stored);
  const Frame& frame = source.directory->frames()[number];
  Bytes opened;
  const auto damage = damage_of([&] {
    opened = source.from->unseal_data(source.ref, *source.directory, frame.offset, frame.stored_size, stored);
  });
  if (damage) return read_again(source, number, *damage, nullptr);
  return decode(source, number, opened);
}

void FrameFetcher::retain(const PackRef& ref, const PackDirectory& directory, ByteView bytes) {
  for (const std::uint32_t number : m_plan.wanted_again(ref.prefix(), directory)) {
    const Frame& frame = directory.frames()[number];
    const StoredRange range = stored_range(ref, directory, frame.offset, frame.stored_size);
    if (range.length > k_max_retained - m_retained_bytes) return;
    const ByteView stored = bytes.subspan(range.offset, range.length);
    auto copy = std::make_shared<const Bytes>(stored.begin(), stored.end());
    const bool added = m_retained.emplace(FrameId{ref.prefix(), number}, std::move(copy)).second;
    if (added) m_retained_bytes += range.length;
  }
}

bool FrameFetcher::take_retained(const FrameId& id) {
  const auto found = m_retained.find(id);
  if (found == m_retained.end()) return false;
  const Source from = source(id.pack);
  auto decoded =
      m_pool.submit([this, from, id, stored = found->second] { return decode_stored(from, id.frame, *stored); });
  keep(id, decoded.share(), from.directory->frames()[id.frame].raw_size);
  return true;
}

// False where nobody reads the frame ahead.
bool FrameFetcher::fetch_ahead(const FrameId& id) {
  if (!m_ahead) return false;
  const Source from = source(id.pack);
  auto promise = std::make_shared<std::promise<FramePointer>>();
  // The last future to be set lets the destructor go on: nothing of this object is touched after that.
  const auto use = [this, from, id, promise](const FrameRun& run, const ReadAhead::Fetched& fetched) {
    m_pool.submit([this, from, id, promise, run, fetched] {
      try {
        if (fetched.failure) {
          const auto damage = damage_of([&] { std::rethrow_exception(fetched.failure); });
          promise->set_value(read_again(from, id.frame, *damage, nullptr));
        } else {
          const StoredRange asked = run.whole ? StoredRange{0, from.ref.size}
                                              : stored_range(from.ref, *from.directory, run.offset, run.length);
          promise->set_value(decode_part(from, id.frame, asked, *fetched.bytes));
        }
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
  };
  auto future = promise->get_future().share();
  if (!m_ahead->take(id.pack, id.frame, use)) return false;
  keep(id, std::move(future), from.directory->frames()[id.frame].raw_size);
  return true;
}

void FrameFetcher::fetch_run(std::uint64_t pack, const std::vector<std::uint32_t>& frames) {
  const Source& from = source(pack);
  const auto& dir = *from.directory;
  const std::uint64_t begin = dir.frames()[frames.front()].offset;
  const auto& last = dir.frames()[frames.back()];
  const std::uint64_t length = last.offset + last.stored_size - begin;
  ++m_requests;
  // One job reads, one job a frame decodes, so that a run of frames uses all workers. The read job posts the decode
  // jobs itself; nobody in the pool waits for anybody.
  struct FrameJob {
    Source from;
    std::vector<std::uint32_t> frames;
    std::vector<std::promise<FramePointer>> promises;
    StoredRange range;
    Bytes bytes;                   // of it
    std::optional<Error> failure;  // of the read
  };
  auto run = std::make_shared<FrameJob>();
  run->from = from;
  run->frames = frames;
  run->range = stored_range(from.ref, dir, begin, length);
  run->promises.resize(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    keep({pack, frames[i]}, run->promises[i].get_future().share(), dir.frames()[frames[i]].raw_size);
  }
  m_io.submit([this, run] {
    try {
      run->failure = damage_of([&] {
        require_key(run->from);
        run->bytes = run->from.from->read_range(run->from.ref, byte_range(run->range));
        m_bytes_fetched += run->bytes.size();
      });
    } catch (...) {
      for (auto& promise : run->promises) promise.set_exception(std::current_exception());
      return;
    }
    const auto decode_one = [this, run](std::size_t i) {
      const std::uint32_t number = run->frames[i];
      try {
        run->promises[i].set_value(run->failure ? read_again(run->from, number, *run->failure, nullptr)
                                                : decode_part(run->from, number, run->range, run->bytes));
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

// The first of these, and those that one request gets with it. Returns how many.
std::size_t FrameFetcher::fetch(std::span<const FrameId> wanted) {
  const std::uint64_t pack = wanted.front().pack;
  const auto dir = directory(pack);
  const auto& frames = dir->frames();
  if (wanted.front().frame >= frames.size()) {
    throw named(m_packs.find(pack),
                Error(ErrorKind::damaged, fmt::format("no frame {} any more", wanted.front().frame)));
  }
  if (fetch_ahead(wanted.front()) || take_retained(wanted.front())) return 1;
  std::vector<std::uint32_t> run{wanted.front().frame};
  const std::uint64_t begin = frames[run.front()].offset;
  // The run takes in the frames between two wanted ones: they come with the bytes anyway.
  for (const auto& id : wanted.subspan(1)) {
    if (id.pack != pack || id.frame >= frames.size()) break;
    const auto& f = frames[id.frame];
    const auto& before = frames[run.back()];
    if (f.offset - (before.offset + before.stored_size) > k_max_gap || f.offset + f.stored_size - begin > k_max_run) {
      break;
    }
    run.push_back(id.frame);
  }
  fetch_run(pack, run);
  return run.size();
}

std::vector<FrameFetcher::Future> FrameFetcher::request(const std::vector<FrameId>& ids) {
  ++m_request;
  std::vector<FrameId> wanted;
  for (const auto& id : ids) {
    if (Kept* found = m_frames.find(id)) {
      found->last_request = m_request;
    } else {
      wanted.push_back(id);
    }
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (std::size_t i = 0; i < wanted.size();) {
    std::size_t fetched = 0;
    if (const auto damage = damage_of([&] { fetched = fetch(std::span{wanted}.subspan(i)); })) {
      // The directory cannot be read, now. The other frames that were asked for are none the worse for it.
      std::promise<FramePointer> failed;
      failed.set_exception(std::make_exception_ptr(*damage));
      keep(wanted[i], failed.get_future().share(), 0);
      fetched = 1;
    }
    i += fetched;
  }
  std::vector<Future> out;
  out.reserve(ids.size());
  for (const auto& id : ids) out.push_back(m_frames.find(id)->frame);
  // Only what was not asked for just now may go.
  m_frames.shrink(m_keep_bytes, [this](const Kept& kept) {
    return kept.last_request != m_request && kept.frame.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
  });
  return out;
}

}  // namespace cairn
