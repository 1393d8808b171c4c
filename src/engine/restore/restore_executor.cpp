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
#include <variant>

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
// Ranges of local files, and holes, that one job makes.
constexpr std::size_t k_task_locals = 256;
constexpr std::size_t k_batches_in_flight = 16;
// The frames that they write from: a slow disk must not have them pile up.
constexpr std::uint64_t k_frames_in_flight = 64ULL << 20;

// One file on its way to the target.
struct FileState {
  Entry entry;
  // Local files that it takes content from, the one that it begins as first if there is one. Few; closed with it.
  std::vector<std::pair<LocalFiles::Id, std::shared_ptr<LocalSource>>> locals;
  LocalSource* base = nullptr;
  std::unique_ptr<TreeWriter::File> file;
  std::once_flag begun;
  std::atomic<std::uint64_t> tasks_left{1};  // one for its last task
  std::atomic<std::uint64_t> reused{0};
  std::mutex mutex;
  std::optional<Error> failure;
  bool outdated = false;  // a local file changed

  void fail(const Error& e) {
    const std::scoped_lock lock{mutex};
    if (!failure) failure = e;
  }
  void outdate() {
    const std::scoped_lock lock{mutex};
    outdated = true;
  }
  bool is_outdated() {
    const std::scoped_lock lock{mutex};
    return outdated;
  }
};

struct LocalPiece {
  LocalWrite write;
  std::shared_ptr<LocalSource> from;
};

// A part of a file's content that one job writes.
struct Task {
  std::shared_ptr<FileState> file;
  std::vector<LocalPiece> locals;
  std::vector<PlannedHole> holes;
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
  TaskWriter(Context& context, TreeWriter& writer, BusyClock* writing)
      : m_writer(writer),
        m_writing(writing),
        m_running(context.cpu, k_batches_in_flight, k_frames_in_flight, [](int) {}) {}

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
      try {
        if (!state.is_outdated()) write(state, task);
      } catch (const LocalChanged&) {
        state.outdate();
      }
    });
    if (damage) state.fail(*damage);
    task.frames.clear();
    task.locals.clear();
    if (state.tasks_left.fetch_sub(1) == 1) finish_file(state);
  }

  void write(FileState& state, Task& task) {
    const BusyClock::Running running{m_writing};
    std::call_once(state.begun, [&] { state.file = m_writer.begin_file(state.entry, state.base); });
    for (const LocalPiece& piece : task.locals) {
      const LocalWrite& copied = piece.write;
      state.file->copy_at(copied.offset, copied.length, *piece.from, copied.from, copied.digest);
      state.reused += piece.write.length;
      m_bytes_written += piece.write.length;
    }
    for (const PlannedHole& hole : task.holes) state.file->make_hole_at(hole.offset, hole.length);
    for (std::size_t i = 0; i < task.writes.size(); ++i) {
      const Write& write = task.writes[i];
      const ByteView bytes = task.frames[i].get()->chunks(write.first, write.count);
      state.file->write_at(write.offset, bytes);
      m_bytes_written += bytes.size();
    }
  }

  void finish_file(FileState& state) {
    state.locals.clear();
    if (state.outdated) {
      if (state.file) m_writer.drop_file(std::move(state.file));
      const std::scoped_lock lock{m_mutex};
      m_done.outdated.insert(state.entry.path);
      return;
    }
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
    m_done.reused = saturating_add(m_done.reused, state.reused.load());
  }

  TreeWriter& m_writer;
  BusyClock* m_writing;
  std::atomic<std::uint64_t> m_bytes_written{0};
  std::mutex m_mutex;  // guards m_done while tasks run
  Restored m_done;
  OrderedWindow<int> m_running;  // last: its jobs use all of the above
};

// Fills waves from the steps; a wave's frames are asked for as soon as it is full, and its tasks run when they have
// arrived, while the next wave is on its way.
class Execution {
 public:
  Execution(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan, BusyClock* writing)
      : m_context(context),
        m_fetcher(fetcher),
        m_writer(writer),
        m_plan(plan),
        m_feed(plan.steps, [&fetcher](std::uint64_t pack) { return fetcher.directory(pack); }),
        m_tasks(context, writer, writing) {}

  Restored run() {
    m_plan.steps.rewind();
    auto planned = m_plan.steps.next_entry();
    for (; planned && planned->entry.type != EntryType::hard_link; planned = m_plan.steps.next_entry()) {
      check_interrupted();
      take(*planned);
    }
    end_wave();
    run_wave();
    Restored done = m_tasks.finish();
    done.files += m_kept.files;
    done.reused = saturating_add(done.reused, m_kept.reused);
    done.outdated.merge(m_kept.outdated);
    return done;
  }

 private:
  void take(PlannedEntry& planned) {
    const bool stays = planned.action == EntryAction::keep || planned.action == EntryAction::metadata;
    if (planned.entry.type == EntryType::directory) {
      const auto existing = planned.asked_for ? ExistingDirectory::changed : ExistingDirectory::kept;
      if (stays && m_plan.figures.in_place) return m_writer.add_existing(planned.entry, existing);
      return m_writer.add(planned.entry, existing);
    }
    if (stays) return take_staying(planned);
    if (planned.entry.type != EntryType::file) return m_writer.add(planned.entry);
    m_file = std::make_shared<FileState>();
    m_file->entry = std::move(planned.entry);
    const auto damage = damage_of([&] {
      if (const auto base = m_feed.begin(m_file->entry)) m_file->base = local(*base).get();
      while (const auto piece = m_feed.next()) {
        std::visit([this](const auto& what) { add_piece(what); }, *piece);
      }
    });
    if (damage) m_file->fail(*damage);
    // Without writes where the file is empty, which is made all the same.
    push_task();
    m_file.reset();
    end_wave_if_full();
  }

  // A file that is at the target already is looked at once more: it may be something else by now.
  void take_staying(const PlannedEntry& planned) {
    const LocalFile seen = m_plan.local->get(planned.seen);
    try {
      if (stamp_now(seen) != seen.stamp) throw LocalChanged(seen.shown());
    } catch (const LocalChanged&) {
      m_kept.outdated.insert(planned.entry.path);
      return;
    }
    m_writer.note_staying();
    if (planned.entry.type != EntryType::file) return;
    ++m_kept.files;
    m_kept.reused = saturating_add(m_kept.reused, planned.entry.size);
  }

  const std::shared_ptr<LocalSource>& local(LocalFiles::Id id) {
    auto& locals = m_file->locals;
    const auto found = std::find_if(locals.begin(), locals.end(), [&](const auto& known) { return known.first == id; });
    if (found != locals.end()) return found->second;
    return locals.emplace_back(id, std::make_shared<LocalSource>(m_plan.local->get(id))).second;
  }

  void add_piece(const Write& write) { add_write(write); }
  // A range that is taken over costs little to begin with, so it is many ranges that make a task.
  void add_piece(const LocalWrite& write) {
    m_task.locals.push_back({write, local(write.file)});
    if (m_task.locals.size() >= k_task_locals) end_task();
  }
  void add_piece(const PlannedHole& hole) {
    m_task.holes.push_back(hole);
    if (m_task.holes.size() >= k_task_locals) end_task();
  }

  void add_write(const Write& write) {
    m_wave_frames.insert(write.frame);
    m_task.writes.push_back(write);
    m_task.bytes += write.bytes;
    if (m_task.bytes >= k_task_bytes || m_wave_frames.size() >= k_wave_frames) end_task();
  }
  void end_task() {
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
  Restored m_kept;  // what stays
  Tasks m_wave;     // being filled
  Tasks m_ready;    // its frames are on their way
  std::uint64_t m_wave_bytes = 0;
  std::set<FrameId> m_wave_frames;
  TaskWriter m_tasks;  // last: its jobs use what is above
};

}  // namespace

Restored execute_files(Context& context, FrameFetcher& fetcher, TreeWriter& writer, PreparedRestore& plan,
                       BusyClock* writing) {
  return Execution{context, fetcher, writer, plan, writing}.run();
}

void execute_links(TreeWriter& writer, PreparedRestore& plan, Restored& done) {
  std::set<std::string> damaged;
  for (const auto& problem : done.problems) {
    if (problem.kind != RestoreProblem::Kind::unsound) damaged.insert(problem.path);
  }
  plan.steps.rewind();
  while (const auto planned = plan.steps.next_entry()) {
    const Entry& link = planned->entry;
    if (link.type != EntryType::hard_link) continue;
    if (damaged.contains(link.link_target)) {
      done.problems.push_back({link.path, fmt::format("{} is a hard link to a damaged file", quote(link.path))});
    } else if (plan.figures.in_place) {
      writer.add_link(link);
    } else {
      writer.add(link);
    }
  }
}

}  // namespace cairn
