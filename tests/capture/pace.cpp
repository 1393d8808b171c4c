#include "pace.hpp"

#include "capture/sqlite/database.hpp"
#include "ledger.hpp"
#include "processes.hpp"
#include "util/json.hpp"
#include "writer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn::hammer {

namespace {

using Clock = std::chrono::steady_clock;

enum class Phase : int { idle, running, over };

// The state that the processes share. One phase is counted at a time.
struct Shared {
  std::atomic<Phase> phase{Phase::idle};
  std::atomic<int> at_work{0};
  std::atomic<int> checkpoint_mode{0};  // index into k_modes
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> busy{0};
  std::atomic<std::uint64_t> checkpoints{0};
  std::atomic<std::int64_t> last_commit{0};
  std::atomic<std::int64_t> longest_gap{0};     // of all writers together
  std::atomic<std::int64_t> longest_commit{0};  // one transaction, waiting for its turn included
  CommitLog log;
};

constexpr const char* k_modes[] = {"auto", "full", "restart", "truncate"};

std::int64_t now_ns() {
  return std::chrono::nanoseconds{Clock::now().time_since_epoch()}.count();
}

void create_database(const fs::path& path, std::uint64_t size_mb) {
  Database db{path};
  db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  create_tables(db, static_cast<std::int64_t>(size_mb * 1024 * 1024 / 4096), {});
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

void write_until_over(const fs::path& path, unsigned seed, std::chrono::milliseconds pause, Shared& shared) {
  std::atomic<bool> deep{false};
  Writer writer{path, {.busy_timeout = std::chrono::seconds{5}}, seed, shared.log, deep};
  while (true) {
    // Announce first, then look: whoever ends a phase waits until nobody is at work.
    shared.at_work.fetch_add(1);
    const Phase phase = shared.phase.load();
    if (phase == Phase::running) {
      const std::int64_t begun = now_ns();
      const int result = writer.act(Deed::change);
      const std::int64_t ended = now_ns();
      raise_to(shared.longest_commit, ended - begun);
      if (result == SQLITE_OK) {
        shared.commits.fetch_add(1);
        raise_to(shared.longest_gap, ended - shared.last_commit.exchange(ended));
      } else {
        shared.busy.fetch_add(1);
      }
    }
    shared.at_work.fetch_sub(1);
    if (phase == Phase::over) return;
    std::this_thread::sleep_for(phase == Phase::idle ? std::chrono::milliseconds{1} : pause);
  }
}

void checkpoint_until_over(const fs::path& path, Shared& shared) {
  Database db{path, std::chrono::seconds{1}};
  while (shared.phase.load() != Phase::over) {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    const int mode = shared.checkpoint_mode.load();
    if (mode == 0 || shared.phase.load() != Phase::running) continue;
    db.attempt(fmt::format("PRAGMA wal_checkpoint({})", k_modes[mode]));
    shared.checkpoints.fetch_add(1);
  }
}

struct PhaseResult {
  double seconds = 0;
  std::vector<Bytes> images;
  std::int64_t pinned_ms = 0;  // longest
  double capture_seconds = 0;  // all
};

// Into memory: a copy on disk would slow the writers down by itself, as the spool and its compressed packs do not.
Bytes capture(const fs::path& database, std::int64_t& pinned_ms) {
  SqliteOptions options;
  options.busy_timeout = std::chrono::seconds{30};
  SqliteOpener opener{database, options};
  Entry entry;
  const auto content = opener.open(entry);
  Bytes image(static_cast<std::size_t>(content->expected_size()));
  std::size_t done = 0;
  while (done < image.size()) {
    const auto room = ByteSpan{image}.subspan(done, std::min<std::size_t>(image.size() - done, 1 << 20));
    const Content::Piece piece = content->read(room);
    if (piece.kind == Content::Piece::Kind::end) throw std::runtime_error{"the image ended early"};
    done += static_cast<std::size_t>(piece.length);
  }
  if (content->finish() != Content::Outcome::consistent) throw std::runtime_error{"the database did not stand still"};
  const Json facts = Json::parse("{" + content->facts() + "}");
  if (facts.at("mode").string() != "wal") throw std::runtime_error{"not read in its place"};
  pinned_ms = std::max(pinned_ms, static_cast<std::int64_t>(facts.at("wal_pinned_ms").u64()));
  return image;
}

PhaseResult run_phase(const PaceSettings& settings, const fs::path& database, int captures, Shared& shared) {
  shared.commits = shared.busy = shared.checkpoints = 0;
  shared.longest_gap = shared.longest_commit = 0;
  shared.last_commit = now_ns();
  PhaseResult phase;
  const auto begun = Clock::now();
  const auto length = std::chrono::seconds{settings.seconds};
  shared.phase = Phase::running;
  for (int i = 0; i < captures; ++i) {
    std::this_thread::sleep_until(begun + length * i / captures);
    const auto started = Clock::now();
    phase.images.push_back(capture(database, phase.pinned_ms));
    phase.capture_seconds += std::chrono::duration<double>{Clock::now() - started}.count();
  }
  std::this_thread::sleep_until(begun + length);
  phase.seconds = std::chrono::duration<double>{Clock::now() - begun}.count();
  shared.phase = Phase::idle;
  while (shared.at_work.load() != 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  return phase;
}

int count_wrong(std::vector<Bytes>& images, const fs::path& directory) {
  int wrong = 0;
  for (Bytes& image : images) {
    const TemporaryDirectory place{directory};
    write_file_atomic(place.path() / "image.db", image);
    const std::string what = check_state(place.path() / "image.db").wrong;
    image = Bytes{};
    if (what.empty()) continue;
    fmt::print("an image is wrong: {}\n", what);
    ++wrong;
  }
  return wrong;
}

}  // namespace

int run_pace(const fs::path& parent, const PaceSettings& settings) {
  const TemporaryDirectory directory{parent, "hammer-"};
  const fs::path database = directory.path() / "app.db";
  const auto memory = make_shared_memory<Shared>();
  Shared& shared = *memory;
  const uid_t user = ::geteuid();

  // SQLite's state does not survive a fork: all processes begin before this one opens the database.
  if (!run_as(user, [&] { create_database(database, settings.size_mb); })) return 1;
  std::vector<pid_t> children;
  for (int i = 0; i < settings.writers; ++i) {
    const auto seed = static_cast<unsigned>(i + 1);
    children.push_back(
        start(user, [&] { write_until_over(database, seed, std::chrono::milliseconds{settings.pause_ms}, shared); }));
  }
  children.push_back(start(user, [&] { checkpoint_until_over(database, shared); }));

  fmt::print("{} MB, {} writers pausing {} ms, {} s a phase\n", settings.size_mb, settings.writers, settings.pause_ms,
             settings.seconds);
  fmt::print("{:9} {:8} {:>10} {:>10} {:>12} {:>6} {:>7} {:>10} {:>10} {:>8}\n", "mode", "captures", "commits/s",
             "gap ms", "slowest ms", "BUSY", "ckpts", "pinned ms", "MB/s", "good");
  int bad = 0;
  int captured = 0;
  for (const std::string& mode : settings.modes) {
    const auto* const known = std::find(std::begin(k_modes), std::end(k_modes), mode);
    if (known == std::end(k_modes)) throw std::runtime_error{"unknown mode " + mode};
    shared.checkpoint_mode = static_cast<int>(known - std::begin(k_modes));
    for (int round = 0; round < settings.rounds; ++round) {
      for (const int captures : {0, settings.captures}) {
        PhaseResult phase = run_phase(settings, database, captures, shared);
        std::uint64_t bytes = 0;
        for (const Bytes& image : phase.images) bytes += image.size();
        const int wrong = count_wrong(phase.images, directory.path());
        bad += wrong;
        captured += captures;
        fmt::print("{:9} {:8} {:10.1f} {:10.1f} {:12.1f} {:6} {:7} {:10} {:10.0f} {:>8}\n", mode, captures,
                   static_cast<double>(shared.commits.load()) / phase.seconds,
                   static_cast<double>(shared.longest_gap.load()) / 1e6,
                   static_cast<double>(shared.longest_commit.load()) / 1e6, shared.busy.load(),
                   shared.checkpoints.load(), phase.pinned_ms,
                   captures == 0 ? 0 : static_cast<double>(bytes) / 1e6 / phase.capture_seconds,
                   fmt::format("{}/{}", captures - wrong, captures));
        std::fflush(stdout);
      }
    }
  }
  shared.phase = Phase::over;
  for (const pid_t child : children) {
    if (!ended_well(child)) ++bad;
  }
  const std::string live = check_state(database).wrong;
  if (!live.empty()) fmt::print("the live database: {}\n", live);
  fmt::print("{} captured, {} wrong\n", captured, bad);
  return bad == 0 && live.empty() ? 0 : 1;
}

}  // namespace cairn::hammer
