#include "repo/read_ahead.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

// After so many, packs are not read whole any more: what is read jumps between more of them than there is room for.
constexpr unsigned k_max_lost = 4;

// The parts of a run as they come.
class Gathering {
 public:
  explicit Gathering(std::size_t parts) : m_parts(parts), m_missing(parts) {}

  // Whether it was the last one. From then on nobody else uses this.
  bool add(std::size_t part, const std::function<Bytes()>& read) {
    Bytes bytes;
    std::exception_ptr failure;
    try {
      bytes = read();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::scoped_lock lock{m_mutex};
    m_parts[part] = std::move(bytes);
    if (failure && !m_failure) m_failure = failure;
    return --m_missing == 0;
  }
  ReadAhead::Fetched result() {
    if (m_failure) return {nullptr, m_failure};
    if (m_parts.size() == 1) return {std::make_shared<const Bytes>(std::move(m_parts.front())), nullptr};
    std::size_t size = 0;
    for (const Bytes& part : m_parts) size += part.size();
    Bytes all;
    all.reserve(size);
    for (Bytes& part : m_parts) {
      append(all, part);
      part = {};
    }
    return {std::make_shared<const Bytes>(std::move(all)), nullptr};
  }

 private:
  std::mutex m_mutex;
  std::vector<Bytes> m_parts;
  std::size_t m_missing;
  std::exception_ptr m_failure;
};

}  // namespace

ReadAhead::ReadAhead(ThreadPool& io, Reader reader, const std::vector<FrameRun>& runs, std::uint64_t limit)
    : m_io(io), m_reader(std::move(reader)), m_limit(limit) {
  m_runs.reserve(runs.size());
  for (const auto& run : runs) {
    m_places[run.pack].push_back(m_runs.size());
    m_runs.emplace_back(run);
  }
  for (auto& [pack, places] : m_places) {
    std::sort(places.begin(), places.end(),
              [this](std::size_t a, std::size_t b) { return m_runs[a].range.first < m_runs[b].range.first; });
  }
}

ReadAhead::~ReadAhead() {
  for (const auto& job : m_jobs) job.wait();
}

bool ReadAhead::start(HeldRun& run) {
  if (run.range.whole && m_lost >= k_max_lost) {
    run.state = HeldRun::State::gone;
    return false;
  }
  Parts parts;
  try {
    parts = m_reader(run.range);
  } catch (const Error&) {
    // The caller that needs it is told.
    run.state = HeldRun::State::gone;
    return false;
  }
  run.state = HeldRun::State::started;
  run.arrival = std::make_shared<HeldRun::Arrival>();
  m_held += run.range.length;
  m_started.push_back(static_cast<std::size_t>(&run - m_runs.data()));
  std::erase_if(m_jobs,
                [](const auto& job) { return job.wait_for(std::chrono::seconds{0}) == std::future_status::ready; });
  const auto gathering = std::make_shared<Gathering>(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    m_jobs.push_back(m_io.submit([arrival = run.arrival, range = run.range, gathering, i, read = std::move(parts[i])] {
      if (gathering->add(i, read)) arrive(*arrival, range, gathering->result());
    }));
  }
  return true;
}

void ReadAhead::arrive(HeldRun::Arrival& arrival, const FrameRun& range, Fetched fetched) {
  std::vector<Use> waiting;
  {
    const std::scoped_lock lock{arrival.mutex};
    arrival.done = true;
    arrival.fetched = fetched;
    waiting = std::exchange(arrival.waiting, {});
  }
  arrival.changed.notify_all();
  for (const auto& use : waiting) use(range, fetched);
}

void ReadAhead::let_go(HeldRun& run) {
  run.state = HeldRun::State::gone;
  run.arrival.reset();
  m_held -= run.range.length;
  std::erase(m_started, static_cast<std::size_t>(&run - m_runs.data()));
}

// The run that was fetched longest ago goes: where many packs are read side by side, not all can wait.
void ReadAhead::make_room(const HeldRun& needed) {
  while (m_held + needed.range.length > m_limit && !m_started.empty()) {
    HeldRun& oldest = m_runs[m_started.front()];
    if (oldest.range.whole) ++m_lost;
    let_go(oldest);
  }
}

void ReadAhead::go_ahead() {
  for (; m_next < m_runs.size(); ++m_next) {
    HeldRun& run = m_runs[m_next];
    if (run.state != HeldRun::State::idle) continue;
    if (m_held + run.range.length > m_limit) return;
    start(run);
  }
}

ReadAhead::HeldRun* ReadAhead::find(std::uint64_t pack, std::uint32_t frame) {
  const auto places = m_places.find(pack);
  if (places == m_places.end()) return nullptr;
  const auto after = std::upper_bound(places->second.begin(), places->second.end(), frame,
                                      [this](std::uint32_t f, std::size_t at) { return f < m_runs[at].range.first; });
  if (after == places->second.begin()) return nullptr;
  HeldRun& run = m_runs[*std::prev(after)];
  return frame > run.range.last || run.state == HeldRun::State::gone ? nullptr : &run;
}

// It is needed, whatever has to go for it.
bool ReadAhead::start_now(HeldRun& run) {
  if (run.state == HeldRun::State::started) return true;
  make_room(run);
  return start(run);
}

bool ReadAhead::take(std::uint64_t pack, std::uint32_t frame, Use use) {
  HeldRun* const run = find(pack, frame);
  if (run == nullptr || !start_now(*run)) return false;
  const auto arrival = run->arrival;
  const FrameRun range = run->range;
  // Taken twice (a frame that was dropped in between): then the last ones are not read ahead.
  if (run->left != 0 && --run->left == 0) let_go(*run);
  go_ahead();
  Fetched fetched;
  {
    const std::scoped_lock lock{arrival->mutex};
    if (!arrival->done) {
      arrival->waiting.push_back(std::move(use));
      return true;
    }
    fetched = arrival->fetched;
  }
  use(range, fetched);
  return true;
}

std::optional<ReadAhead::Fetched> ReadAhead::whole(std::uint64_t pack) {
  HeldRun* const run = find(pack, 0);
  if (run == nullptr || !run->range.whole || run->left != 0 || !start_now(*run)) return std::nullopt;
  const auto arrival = run->arrival;
  go_ahead();
  std::unique_lock lock{arrival->mutex};
  arrival->changed.wait(lock, [&] { return arrival->done; });
  return arrival->fetched;
}

void ReadAhead::settle(std::uint64_t pack, std::uint32_t frames) {
  HeldRun* const run = find(pack, 0);
  if (run != nullptr && run->state == HeldRun::State::started) run->left = frames;
}

void ReadAhead::drop(std::uint64_t pack) {
  const auto places = m_places.find(pack);
  if (places == m_places.end()) return;
  for (const std::size_t at : places->second) {
    HeldRun& run = m_runs[at];
    if (run.state == HeldRun::State::started) let_go(run);
    if (run.range.whole) run.state = HeldRun::State::gone;
  }
}

}  // namespace cairn
