#include "engine/restore/restorer.hpp"

#include "engine/restore/owner_numbers.hpp"
#include "engine/restore/path_selection.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/tree_writer.hpp"
#include "engine/restore/write_order.hpp"
#include "repo/layout.hpp"
#include "repo/objects.hpp"
#include "repo/tree_reader.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Decoded frames that stay for what comes next: content that changed here and there reads several packs side by side.
constexpr std::uint64_t k_kept_frames = 32ULL << 20;
constexpr std::uint64_t k_kept_list_frames = 8ULL << 20;
// One wave of work: fetched as a whole while the one before is written.
constexpr std::uint64_t k_wave_bytes = 16ULL << 20;
constexpr std::uint64_t k_wave_frames = 24;
constexpr std::size_t k_wave_tasks = 1024;
// Large files are read in stripes. One that jumps from pack to pack so often is fetched and written pack by pack, so
// many pieces of it at a time. What is smaller is planned together up to this size.
constexpr std::uint64_t k_large_file = 16ULL << 20;
constexpr std::uint64_t k_returns_per_mib = 2;
constexpr std::size_t k_max_writes = 512 * 1024;
// One job writes at most this much of one file, so that a large file keeps all workers busy.
constexpr std::uint64_t k_task_bytes = 2ULL << 20;
// Of one file; what is behind them is read in the order of the file.
constexpr std::size_t k_max_stripes = 64 * 1024;
// Small files are written many by one job.
constexpr std::uint64_t k_batch_bytes = 1ULL << 20;
constexpr std::size_t k_batch_tasks = 64;
constexpr std::size_t k_batches_in_flight = 16;
// The frames that they write from: a slow disk must not have them pile up.
constexpr std::uint64_t k_frames_in_flight = 64ULL << 20;
// Stored bytes that are under way or wait for their turn: of content, and of the entry list.
constexpr std::uint64_t k_read_ahead = 80ULL << 20;
constexpr std::uint64_t k_list_read_ahead = 16ULL << 20;

RestoreTarget look_at_target(const Manifest& manifest, const RestoreRequest& request) {
  const bool single = manifest.facts.single_file && request.paths.empty();
  return RestoreTarget{request.target, single ? RestoreTarget::Shape::single_file : RestoreTarget::Shape::tree,
                       request.overwrite ? RestoreTarget::Overwrite::yes : RestoreTarget::Overwrite::no};
}

// How a restore reads its store.
struct Access {
  bool far = false;    // requests take longer than bytes
  bool whole = false;  // all of the snapshot is wanted
};

Access access_of(Repository& repository, const RestoreRequest& request) {
  // A store on this machine answers at once, and its files are read ahead by the system.
  return {repository.store().distance() == Distance::far, request.paths.empty()};
}

// By the paths of large files: which of their stripes, in order, are scattered over their packs. Only files with such.
using ScatteredStripes = std::unordered_map<std::string, std::vector<bool>>;

// What the store holds, as its listing says.
using PackSizes = std::unordered_map<Digest, std::uint64_t, DigestHash>;

// First pass: what is there, what it needs.
class Planner : public TreeSurveyor {
 public:
  // there: null where nobody looked.
  Planner(FrameFetcher& fetcher, const PackTable& packs, const PackSizes* there, const Access& access,
          PathSelection& selection, const RestoreTarget& target, std::uint64_t stripe, RestorePlan& plan,
          FetchPlan& fetch, ScatteredStripes& scattered)
      : m_fetcher(fetcher),
        m_packs(packs),
        m_there(there),
        m_access(access),
        m_selection(selection),
        m_target(target),
        m_stripe_size(stripe),
        m_plan(plan),
        m_fetch(fetch),
        m_scattered(scattered) {}

  bool entry(const Entry& given) override {
    m_selection.survey(given);
    Entry entry = given;
    if (!m_selection.select(entry)) return false;
    ++m_plan.entries;
    m_target.check_entry(entry);
    if (entry.type != EntryType::file) return false;
    ++m_plan.files;
    end_file();
    m_end += entry.size;
    m_plan.bytes = saturating_add(m_plan.bytes, entry.size);
    if (entry.size >= k_large_file) {
      m_path = entry.path;
      begin_stripe(0);
    } else if (m_end - m_fetch.stretch_at() >= k_large_file) {
      m_fetch.begin_stretch(m_file_at);
    }
    return true;
  }
  void extent(const Extent& extent, std::uint64_t at) override {
    if (extent.is_hole()) {
      m_holes = saturating_add(m_holes, extent.hole);
      return;
    }
    // A damaged list may tell of more than any file has.
    if (m_stripe && *m_stripe != at / m_stripe_size && m_stripes.size() < k_max_stripes) {
      end_stripe();
      begin_stripe(at);
    }
    try {
      const PackRef& pack = m_packs.find(extent.pack);
      require_there(pack);
      if (m_access.far && m_access.whole && worth_whole(pack)) {
        m_fetch.want_whole(pack, extent.first, extent.count);
        return;
      }
      const auto directory = m_fetcher.directory(extent.pack);
      if (std::uint64_t{extent.first} + extent.count > directory->chunk_count()) return;
      const std::uint32_t last = directory->frame_of(extent.first + extent.count - 1);
      for (std::uint32_t f = directory->frame_of(extent.first); f <= last; ++f) {
        m_fetch.want(extent.pack, *directory, f);
      }
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      // The second pass tells whose content it is.
      if (e.kind() != ErrorKind::damaged) throw;
      note_unreadable(extent.pack, e);
    }
  }

  void finish() {
    end_file();
    for (auto& [name, pack] : m_unreadable) m_plan.unreadable.push_back(std::move(pack.known));
  }

 private:
  bool is_there(const PackRef& pack) const {
    const auto found = m_there->find(pack.name);
    return found != m_there->end() && found->second == pack.size;
  }
  // A directory in the cache says nothing of the pack itself.
  void require_there(const PackRef& pack) const {
    if (m_there == nullptr || is_there(pack)) return;
    const auto spares = m_packs.spares(pack);
    if (std::any_of(spares.begin(), spares.end(), [&](const PackRef& spare) { return is_there(spare); })) return;
    throw Error(ErrorKind::damaged,
                fmt::format("damaged pack {}: {}", quote(layout::pack_key(pack.name)),
                            m_there->contains(pack.name) ? "it has another size than its manifest says"
                                                         : "it is missing from the store"));
  }
  void note_unreadable(std::uint64_t name, const Error& e) {
    Unreadable& pack = m_unreadable[name];
    if (pack.known.files == 0) pack.known.message = e.message();
    if (std::exchange(pack.last_file, m_plan.files) != m_plan.files) ++pack.known.files;
  }
  void begin_stripe(std::uint64_t at) {
    m_stripe = at / m_stripe_size;
    m_fetch.begin_stretch(m_file_at + at);
  }
  void end_stripe() {
    const std::uint64_t bytes = std::min(m_end - m_fetch.stretch_at(), m_stripe_size);
    const bool scattered = m_fetch.returns() > (bytes >> 20) * k_returns_per_mib;
    if (scattered) m_fetch.go_by_pack();
    m_stripes.push_back(scattered);
  }
  void end_file() {
    const std::uint64_t size = m_end - std::exchange(m_file_at, m_end);
    m_plan.space = saturating_add(m_plan.space, size - std::min(size, std::exchange(m_holes, 0)));
    if (!m_stripe) return;
    end_stripe();
    m_stripe.reset();
    // What comes next is no part of it.
    if (m_stripes.back()) m_fetch.begin_stretch(m_end);
    const auto stripes = std::exchange(m_stripes, {});
    if (std::find(stripes.begin(), stripes.end(), true) != stripes.end()) m_scattered.emplace(m_path, stripes);
  }

  struct Unreadable {
    UnreadablePack known;
    std::uint64_t last_file = 0;  // that needs it, counted from 1
  };

  FrameFetcher& m_fetcher;
  const PackTable& m_packs;
  const PackSizes* m_there;
  const Access m_access;
  PathSelection& m_selection;
  const RestoreTarget& m_target;
  const std::uint64_t m_stripe_size;
  RestorePlan& m_plan;
  FetchPlan& m_fetch;
  ScatteredStripes& m_scattered;
  std::uint64_t m_end = 0;      // content up to the end of the file
  std::uint64_t m_file_at = 0;  // content before it
  std::uint64_t m_holes = 0;    // bytes of them in it
  std::string m_path;           // of a large file
  std::optional<std::uint64_t> m_stripe;
  std::vector<bool> m_stripes;  // that ended
  std::map<std::uint64_t, Unreadable> m_unreadable;
};

// One file on its way to the target.
struct FileState {
  Entry entry;
  std::unique_ptr<TreeWriter::File> file;
  std::once_flag begun;
  std::atomic<std::uint64_t> tasks_left{1};  // one for the walk itself
  std::mutex mutex;
  std::optional<Error> failure;
};

struct Task {
  std::shared_ptr<FileState> file;
  std::vector<Write> writes;
  std::vector<FrameFetcher::Future> frames;  // one a write
  std::uint64_t bytes = 0;
};

// Second pass: fetches and writes. The walk fills waves; a wave's frames are asked for as soon as it is full, and its
// tasks run when they have arrived, while the next wave is on its way.
class RestoreRun : public TreeVisitor {
 public:
  RestoreRun(Context& context, FrameFetcher& fetcher, const PathSelection& selection, TreeWriter& writer,
             const RestorePlan& plan, const ScatteredStripes& scattered, std::uint64_t stripe, RestoreResult& result)
      : m_context(context),
        m_fetcher(fetcher),
        m_selection(selection),
        m_writer(writer),
        m_plan(plan),
        m_scattered(scattered),
        m_stripe_size(stripe),
        m_result(result),
        m_running(context.pool, k_batches_in_flight, k_frames_in_flight, [](int) {}) {}

  bool entry(const Entry& given) override {
    Entry entry = given;
    if (!m_selection.select(entry)) return false;
    m_owners.localise(entry);
    ++m_result.entries;
    if (entry.type == EntryType::hard_link) {
      m_links.push_back(std::move(entry));
      return false;
    }
    if (entry.type != EntryType::file) {
      // Whoever asks for a file below /tmp does not ask for another /tmp.
      const bool wanted = m_selection.covers(entry.path);
      m_writer.add(entry, wanted ? TreeWriter::Existing::changed : TreeWriter::Existing::kept);
      return false;
    }
    m_file = std::make_shared<FileState>();
    m_file->entry = std::move(entry);
    const auto scattered = m_scattered.find(m_file->entry.path);
    m_stripes = scattered == m_scattered.end() ? nullptr : &scattered->second;
    m_stripe_number = 0;
    if (m_stripes != nullptr) begin_stripe(0);
    return true;
  }

  void run(const ContentRun& run) override {
    if (m_stripes != nullptr && m_stripe != run.part / m_stripe_size) {
      end_stripe();
      begin_stripe(run.part);
    }
    const auto directory = m_fetcher.directory(run.pack);
    std::uint64_t offset = run.offset;
    std::uint32_t frame = directory->frame_of(run.first);
    for (std::uint32_t chunk = run.first; chunk < run.first + run.count;) {
      const Frame& f = directory->frames()[frame];
      const std::uint32_t end = std::min(run.first + run.count, f.first_chunk + f.chunk_count);
      Write write{{run.pack, frame}, chunk, end - chunk, offset, 0, 0};
      for (; chunk < end; ++chunk) write.bytes += directory->length(chunk);
      offset += write.bytes;
      if (m_collect) {
        m_writes.push_back(write);
        if (m_writes.size() >= k_max_writes) end_writes();
      } else {
        add_write(write);
      }
      ++frame;
    }
  }

  void end_file(const std::optional<Error>& failure) override {
    if (failure) fail(*m_file, *failure);
    end_stripe();
    // The last task is the walk's own share; without writes where the file is empty, which is made all the same.
    m_wave_bytes += m_task.bytes;
    m_task.file = m_file;
    push_task();
    m_file.reset();
    end_wave_if_full();
  }

  void finish() {
    end_wave();
    run_wave();
    m_running.drain();
    add_links();
    m_result.entries -= m_result.problems.size();
  }

 private:
  void add_links() {
    std::sort(m_result.problems.begin(), m_result.problems.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    std::set<std::string> damaged;
    for (const auto& problem : m_result.problems) damaged.insert(problem.path);
    std::set<std::string_view> links;
    for (const auto& link : m_links) links.insert(link.path);
    for (const auto& link : m_links) {
      if (links.contains(link.link_target)) {
        throw Error(ErrorKind::damaged,
                    fmt::format("damaged entry list: {} is a hard link to a hard link", quote(link.path)));
      }
      if (damaged.contains(link.link_target)) {
        m_result.problems.push_back({link.path, fmt::format("{} is a hard link to a damaged file", quote(link.path))});
      } else {
        m_writer.add(link);
      }
    }
  }
  void begin_stripe(std::uint64_t at) {
    m_stripe = at / m_stripe_size;
    m_collect = m_stripe_number < m_stripes->size() && (*m_stripes)[m_stripe_number];
    ++m_stripe_number;
  }
  void end_stripe() {
    end_writes();
    m_collect = false;
  }
  void end_writes() {
    order_by_pack(m_writes);
    for (const auto& write : m_writes) add_write(write);
    m_writes.clear();
  }
  void add_write(const Write& write) {
    m_wave_frames.insert(write.frame);
    m_task.writes.push_back(write);
    m_task.bytes += write.bytes;
    if (m_task.bytes >= k_task_bytes || m_wave_frames.size() >= k_wave_frames) end_task();
  }
  void end_task() {
    m_file->tasks_left.fetch_add(1);
    m_wave_bytes += m_task.bytes;
    m_task.file = m_file;
    push_task();
    end_wave_if_full();
  }
  void end_wave_if_full() {
    if (m_wave_bytes >= k_wave_bytes || m_wave_frames.size() >= k_wave_frames || m_wave.size() >= k_wave_tasks) {
      end_wave();
    }
  }
  void push_task() {
    m_wave.push_back(std::make_shared<Task>(std::move(m_task)));
    m_task = {};
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
    std::vector<std::shared_ptr<Task>> batch;
    std::uint64_t bytes = 0;
    for (auto& task : m_ready) {
      check_interrupted();
      // Wait here and not in the pool, which decodes the frames.
      for (const auto& frame : task->frames) frame.wait();
      bytes += task->bytes;
      batch.push_back(std::move(task));
      if (bytes < k_batch_bytes && batch.size() < k_batch_tasks) continue;
      run_batch(std::exchange(batch, {}));
      bytes = 0;
    }
    if (!batch.empty()) run_batch(std::move(batch));
    m_ready.clear();
    m_context.reporter.progress("restore", m_bytes_written.load(), m_plan.bytes);
  }

  // Neighbours in the tree are written by one thread: two that make files in one directory wait for each other.
  void run_batch(std::vector<std::shared_ptr<Task>> batch) {
    const std::uint64_t bytes = frame_bytes(batch);
    m_running.push(bytes, [this, batch = std::move(batch)] {
      for (const auto& task : batch) execute(*task);
      return 0;
    });
  }

  static std::uint64_t frame_bytes(const FrameFetcher::Future& frame) {
    try {
      return frame.get()->size();
    } catch (...) {
      return 0;  // told when it is to be written
    }
  }
  // Of the decoded frames that it holds; they are there. Neighbours are often of one frame.
  static std::uint64_t frame_bytes(const std::vector<std::shared_ptr<Task>>& batch) {
    std::uint64_t bytes = 0;
    const FrameId* last = nullptr;
    for (const auto& task : batch) {
      for (std::size_t i = 0; i < task->frames.size(); ++i) {
        const FrameId& frame = task->writes[i].frame;
        if (last == nullptr || *last != frame) bytes += frame_bytes(task->frames[i]);
        last = &frame;
      }
    }
    return bytes;
  }

  void execute(Task& task) {
    FileState& state = *task.file;
    try {
      std::call_once(state.begun, [&] { state.file = m_writer.begin_file(state.entry); });
      for (std::size_t i = 0; i < task.writes.size(); ++i) {
        const Write& write = task.writes[i];
        const ByteView bytes = task.frames[i].get()->chunks(write.first, write.count);
        state.file->write_at(write.offset, bytes);
        m_bytes_written += bytes.size();
      }
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::damaged) throw;
      fail(state, e);
    }
    task.frames.clear();
    if (state.tasks_left.fetch_sub(1) == 1) finish_file(state);
  }

  void fail(FileState& state, const Error& e) {
    const std::scoped_lock lock{state.mutex};
    if (!state.failure) state.failure = e;
  }

  void finish_file(FileState& state) {
    if (state.failure) {
      if (state.file) m_writer.drop_file(std::move(state.file));
      const std::scoped_lock lock{m_mutex};
      m_result.problems.push_back({state.entry.path, state.failure->message()});
      return;
    }
    m_writer.finish_file(std::move(state.file));
    const std::scoped_lock lock{m_mutex};
    ++m_result.files;
    m_result.bytes_written = saturating_add(m_result.bytes_written, state.entry.size);
  }

  Context& m_context;
  FrameFetcher& m_fetcher;
  const PathSelection& m_selection;
  TreeWriter& m_writer;
  OwnerNumbers m_owners;
  const RestorePlan& m_plan;
  const ScatteredStripes& m_scattered;
  const std::uint64_t m_stripe_size;
  RestoreResult& m_result;
  std::mutex m_mutex;  // guards m_result while tasks run
  std::atomic<std::uint64_t> m_bytes_written{0};

  std::shared_ptr<FileState> m_file;
  const std::vector<bool>* m_stripes = nullptr;  // of the file, whether they are scattered; null: none is
  std::uint64_t m_stripe = 0;                    // the present one's place in the file
  std::size_t m_stripe_number = 0;               // begun so far
  bool m_collect = false;                        // it is scattered: its writes are brought into order first
  std::vector<Write> m_writes;
  Task m_task;
  std::vector<std::shared_ptr<Task>> m_wave;   // being filled
  std::vector<std::shared_ptr<Task>> m_ready;  // its frames are on their way
  std::uint64_t m_wave_bytes = 0;
  std::set<FrameId> m_wave_frames;
  std::vector<Entry> m_links;
  OrderedWindow<int> m_running;  // last: its jobs use all of the above
};

// The packs with the entry list, in the order in which it is read as far as the manifest tells.
FetchPlan lists_of(const Manifest& manifest, const PackTable& packs) {
  FetchPlan plan;
  const auto want = [&](const PackRef& pack) {
    if (pack.content == PackContent::list && worth_whole(pack)) plan.want_whole(pack, 0, 0);
  };
  for (const auto& extent : manifest.root.extents) {
    if (const PackRef* pack = packs.find_if_there(extent.pack)) want(*pack);
  }
  for (const auto& pack : packs.all()) want(pack);
  return plan;
}

// Before anything is asked for: what the plan itself will need, over a network in few requests side by side.
void read_ahead_for_plan(Repository& repository, const Manifest& manifest, const PackTable& packs, const Access& access,
                         FrameFetcher& fetcher) {
  if (!access.far) return;
  fetcher.expect(lists_of(manifest, packs), k_list_read_ahead);
  if (!access.whole) return;
  std::vector<PackRef> others;
  std::copy_if(packs.all().begin(), packs.all().end(), std::back_inserter(others),
               [](const PackRef& pack) { return !worth_whole(pack); });
  repository.packs().fetch_directories(others);
}

void take_apart_long_held(Repository& repository, const PackTable& packs, FrameFetcher& content, FetchPlan& fetch,
                          RestorePlan& plan) {
  const auto held = fetch.held_long(held_ahead(k_read_ahead));
  std::vector<PackRef> refs;
  refs.reserve(held.size());
  for (const std::uint64_t pack : held) refs.push_back(packs.find(pack));
  std::size_t ahead = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    check_interrupted();
    if (i >= ahead) ahead = i + repository.packs().fetch_directories(std::span{refs}.subspan(i));
    try {
      fetch.take_apart(held[i], *content.directory(held[i]));
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      // The second pass tells whose content it is.
      if (e.kind() != ErrorKind::damaged) throw;
      plan.unreadable.push_back({e.message(), 0});
    }
  }
}

RestorePlan make_plan(Context& context, const Manifest& manifest, const PackTable& packs, const PackSizes* there,
                      const RestoreRequest& request, const Access& access, const RestoreTarget& target,
                      FrameFetcher& lists, FrameFetcher& content, PathSelection& selection, FetchPlan& fetch,
                      ScatteredStripes& scattered) {
  RestorePlan plan;
  const auto survey = [&] {
    plan = {};
    fetch = {};
    scattered = {};
    Planner planner{content, packs, there, access, selection, target, request.stripe, plan, fetch, scattered};
    survey_tree(manifest, lists, planner);
    planner.finish();
  };
  const auto began = std::chrono::steady_clock::now();
  read_ahead_for_plan(context.repository, manifest, packs, access, lists);
  survey();
  const auto surveyed = std::chrono::steady_clock::now() - began;
  // That a file was needed for the sake of a link has turned out only after it had gone by.
  if (selection.has_stand_ins()) survey();
  plan.single_file = target.shape() == RestoreTarget::Shape::single_file;
  take_apart_long_held(context.repository, packs, content, fetch, plan);
  plan.packs = fetch.packs();
  plan.bytes_to_fetch = fetch.bytes();
  plan.requests = fetch.runs(held_ahead(k_read_ahead)).size();
  plan.estimate = estimate_restore(plan.bytes_to_fetch, lists.statistics().bytes, surveyed);
  if (const auto warning = warning_of_grace(plan.estimate, request.grace)) context.reporter.warning(*warning);
  selection.check_found();
  target.check_space(plan.space);
  return plan;
}

}  // namespace

RestorePlan plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const RestoreTarget target = look_at_target(manifest, request);
  PathSelection selection{request.paths};
  const PackTable packs{manifest};
  FrameFetcher fetcher{context.repository.packs(), context.io, context.pool, packs, k_kept_list_frames};
  FetchPlan fetch;
  ScatteredStripes scattered;
  const Access access = access_of(context.repository, request);
  const PackSizes there = pack_sizes(context.repository.store());
  return make_plan(context, manifest, packs, &there, request, access, target, fetcher, fetcher, selection, fetch,
                   scattered);
}

RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request) {
  const Time began = context.clock();
  const std::uint64_t requests_before = context.repository.store().requests();
  PathSelection selection{request.paths};
  const PackTable packs{manifest};
  FrameFetcher lists{context.repository.packs(), context.io, context.pool, packs, k_kept_list_frames};
  FrameFetcher content{context.repository.packs(), context.io, context.pool, packs, k_kept_frames};
  RestoreTarget target = look_at_target(manifest, request);
  FetchPlan fetch;
  ScatteredStripes scattered;
  const Access access = access_of(context.repository, request);
  const RestorePlan plan = make_plan(context, manifest, packs, nullptr, request, access, target, lists, content,
                                     selection, fetch, scattered);
  TreeWriter writer{std::move(target), context.reporter};
  RestoreResult result;
  {
    if (access.far) content.expect(std::move(fetch), k_read_ahead);
    RestoreRun run{context, content, selection, writer, plan, scattered, request.stripe, result};
    walk_tree(manifest, lists, content, run);
    run.finish();
  }
  if (plan.single_file && !result.problems.empty()) {
    throw Error(ErrorKind::damaged, result.problems.front().message, "nothing was restored");
  }
  writer.publish();
  result.entries -= writer.skipped_devices();
  result.bytes_fetched = lists.statistics().bytes + content.statistics().bytes;
  result.requests = context.repository.store().requests() - requests_before;
  result.duration = context.clock() - began;
  return result;
}

}  // namespace cairn
