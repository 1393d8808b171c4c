#include "engine/restore/restore_executor.hpp"

#include "engine/restore/write_feed.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// One wave of work: fetched as a whole while the one before is written.
constexpr std::uint64_t k_wave_bytes = 16ULL << 20;
constexpr std::uint64_t k_wave_frames = 24;
constexpr std::size_t k_wave_tasks = 1024;
// One job writes at most this much of one file, so that a large file keeps all workers busy.
constexpr std::uint64_t k_task_bytes = 2ULL << 20;
// Small files are written many by one job.
constexpr std::uint64_t k_batch_bytes = 1ULL << 20;
constexpr std::size_t k_batch_tasks = 64;
constexpr std::size_t k_batches_in_flight = 16;
// The frames that they write from: a slow disk must not have them pile up.
constexpr std::uint64_t k_frames_in_flight = 64ULL << 20;

// One file on its way to the target.
struct FileState {
  Entry entry;
  std::unique_ptr<TreeWriter::File> file;
  std::once_flag begun;
  std::atomic<std::uint64_t> tasks_left{1};  // one for its last task
  std::mutex mutex;
  std::optional<Error> failure;

  void fail(const Error& e) {
    const std::scoped_lock lock{mutex};
    if (!failure) failure = e;
  }
};

// A part of a file's content that one job writes.
struct Task {
  std::shared_ptr<FileState> file;
  std::vector<Write> writes;
  std::vector<FrameFetcher::Future> frames;  // one a write
  std::uint64_t bytes = 0;
};
using Tasks = std::vector<std::shared_ptr<Task>>;

std::uint64_t size_of(const FrameFetcher::Future& frame) {
  try {
    return frame.get()->size();
  } catch (...) {
    return 0;  // told when it is to be written
  }
}

// Of the decoded frames that it holds; they are there. Neighbours are often of one frame.
std::uint64_t frame_bytes(const Tasks& batch) {
  std::uint64_t bytes = 0;
  const FrameId* last = nullptr;
  for (const auto& task : batch) {
    for (std::size_t i = 0; i < task->frames.size(); ++i) {
      const FrameId& frame = task->writes[i].frame;
      if (last == nullptr || *last != frame) bytes += size_of(task->frames[i]);
      last = &frame;
    }
  }
  return bytes;
}

// Writes tasks whose frames have come, many at once.
class TaskWriter {
 public:
  TaskWriter(Context& context, TreeWriter& writer)
      : m_writer(writer), m_running(context.pool, k_batches_in_flight, k_frames_in_flight, [](int) {}) {}

  // Neighbours in the tree are written by one thread: two that make files in one directory wait for each other.
  void run(Tasks batch) {
    const std::uint64_t bytes = frame_bytes(batch);
    m_running.push(bytes, [this, batch = std::move(batch)] {
      for (const auto& task : batch) execute(*task);
      return 0;
    });
  }
  // Waits for all of them.
  Restored finish() {
    m_running.drain();
    std::sort(m_done.problems.begin(), m_done.problems.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(m_done);
  }
  std::uint64_t bytes_written() const noexcept { return m_bytes_written; }

 private:
  void execute(Task& task) {
    FileState& state = *task.file;
    const auto damage = damage_of([&] {
      std::call_once(state.begun, [&] { state.file = m_writer.begin_file(state.entry); });
      for (std::size_t i = 0; i < task.writes.size(); ++i) {
        const Write& write = task.writes[i];
        const ByteView bytes = task.frames[i].get()->chunks(write.first, write.count);
        state.file->write_at(write.offset, bytes);
        m_bytes_written += bytes.size();
      }
    });
    if (damage) state.fail(*damage);
    task.frames.clear();
    if (state.tasks_left.fetch_sub(1) == 1) finish_file(state);
  }

  void finish_file(FileState& state) {
    if (state.failure) {
      if (state.file) m_writer.drop_file(std::move(state.file));
      const std::scoped_lock lock{m_mutex};
      m_done.problems.push_back({state.entry.path, state.failure->message()});
      return;
    }
    m_writer.finish_file(std::move(state.file));
    const std::scoped_lock lock{m_mutex};
    ++m_done.files;
    m_done.bytes = saturating_add(m_done.bytes, state.entry.size);
  }

  TreeWriter& m_writer;
  std::atomic<std::uint64_t> m_bytes_written{0};
  std::mutex m_mutex;  // guards m_done while tasks run
  Restored m_done;
  OrderedWindow<int> m_running;  // last: its jobs use all of the above
};

// Fills waves from the steps; a wave's frames are asked for as soon as it is full, and its tasks run when they have
// arrived, while the next wave is on its way.
class Execution {
 public:
  Execution(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan)
      : m_context(context),
        m_fetcher(fetcher),
        m_writer(writer),
        m_plan(plan),
        m_feed(plan.steps, [&fetcher](std::uint64_t pack) { return fetcher.directory(pack); }),
        m_tasks(context, writer) {}

  Restored run(const AfterFiles& after_files) {
    m_plan.steps.rewind();
    auto planned = m_plan.steps.next_entry();
    for (; planned && planned->entry.type != EntryType::hard_link; planned = m_plan.steps.next_entry()) {
      check_interrupted();
      take(*planned);
    }
    end_wave();
    run_wave();
    Restored done = m_tasks.finish();
    if (after_files) after_files(done);
    const std::set<std::string> damaged = paths_of(done.problems);
    for (; planned; planned = m_plan.steps.next_entry()) {
      const Entry& link = planned->entry;
      if (damaged.contains(link.link_target)) {
        done.problems.push_back({link.path, fmt::format("{} is a hard link to a damaged file", quote(link.path))});
      } else {
        m_writer.add(link);
      }
    }
    return done;
  }

 private:
  static std::set<std::string> paths_of(const std::vector<RestoreProblem>& problems) {
    std::set<std::string> paths;
    for (const auto& problem : problems) {
      if (problem.kind != RestoreProblem::Kind::unsound) paths.insert(problem.path);
    }
    return paths;
  }

  void take(PlannedEntry& planned) {
    if (planned.entry.type != EntryType::file) {
      const auto existing = planned.asked_for ? ExistingDirectory::changed : ExistingDirectory::kept;
      return m_writer.add(planned.entry, existing);
    }
    m_file = std::make_shared<FileState>();
    m_file->entry = std::move(planned.entry);
    m_feed.begin(m_file->entry);
    const auto damage = damage_of([&] {
      while (const auto write = m_feed.next()) add_write(*write);
    });
    if (damage) m_file->fail(*damage);
    // Without writes where the file is empty, which is made all the same.
    push_task();
    m_file.reset();
    end_wave_if_full();
  }

  void add_write(const Write& write) {
    m_wave_frames.insert(write.frame);
    m_task.writes.push_back(write);
    m_task.bytes += write.bytes;
    if (m_task.bytes < k_task_bytes && m_wave_frames.size() < k_wave_frames) return;
    m_file->tasks_left.fetch_add(1);
    push_task();
    end_wave_if_full();
  }
  void push_task() {
    m_wave_bytes += m_task.bytes;
    m_task.file = m_file;
    m_wave.push_back(std::make_shared<Task>(std::exchange(m_task, {})));
  }
  void end_wave_if_full() {
    if (m_wave_bytes >= k_wave_bytes || m_wave_frames.size() >= k_wave_frames || m_wave.size() >= k_wave_tasks) {
      end_wave();
    }
  }

  // Asks for this wave's frames, then runs the wave before it.
  void end_wave() {
    std::vector<FrameId> ids;
    for (const auto& task : m_wave) {
      for (const auto& write : task->writes) ids.push_back(write.frame);
    }
    const auto futures = m_fetcher.request(ids);
    std::size_t next = 0;
    for (const auto& task : m_wave) {
      for (std::size_t i = 0; i < task->writes.size(); ++i) task->frames.push_back(futures[next++]);
    }
    run_wave();
    m_ready = std::exchange(m_wave, {});
    m_wave_bytes = 0;
    m_wave_frames.clear();
  }

  void run_wave() {
    Tasks batch;
    std::uint64_t bytes = 0;
    for (auto& task : m_ready) {
      check_interrupted();
      // Wait here and not in the pool, which decodes the frames.
      for (const auto& frame : task->frames) frame.wait();
      bytes += task->bytes;
      batch.push_back(std::move(task));
      if (bytes < k_batch_bytes && batch.size() < k_batch_tasks) continue;
      m_tasks.run(std::exchange(batch, {}));
      bytes = 0;
    }
    if (!batch.empty()) m_tasks.run(std::move(batch));
    m_ready.clear();
    m_context.reporter.progress("restore", m_tasks.bytes_written(), m_plan.figures.bytes);
  }

  Context& m_context;
  FrameFetcher& m_fetcher;
  TreeWriter& m_writer;
  PreparedRestore& m_plan;
  WriteFeed m_feed;
  std::shared_ptr<FileState> m_file;
  Task m_task;
  Tasks m_wave;   // being filled
  Tasks m_ready;  // its frames are on their way
  std::uint64_t m_wave_bytes = 0;
  std::set<FrameId> m_wave_frames;
  TaskWriter m_tasks;  // last: its jobs use what is above
};

}  // namespace

Restored execute_restore(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan,
                         const AfterFiles& after_files) {
  return Execution{context, fetcher, writer, plan}.run(after_files);
}

}  // namespace cairn
