// Captures a database in WAL mode while other processes write and checkpoint it, checks that each image is exactly one
// committed state, and prints what the writers noticed of it.
//
//   sqlite_hammer [--size MB] [--writers N] [--pause MS] [--seconds N] [--captures N] [--rounds N]
//                 [--modes auto,full,...] [--directory PATH]
//
// For each mode of checkpoints, and so many rounds: a phase without captures and one with, of so many seconds each.
//
// The oracle: every row's blob is made from its id and its version alone, and the one row of `ledger` holds the sum of
// a hash over (id, version) of all rows and the number of commits. A transaction moves four rows and the ledger, so an
// image that mixes two states has a row, or a sum, that does not fit.
#include "capture/sqlite.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace {

using namespace cairn;
using Clock = std::chrono::steady_clock;

constexpr int k_blob_size = 3900;  // a row fills a page
constexpr int k_rows_per_commit = 4;
constexpr std::uint64_t k_sum_mask = (1ULL << 62) - 1;  // stays an SQLite integer

struct Settings {
  std::uint64_t size_mb = 400;
  int writers = 4;
  int pause_ms = 0;  // of a writer between two commits; 0 takes all the processors there are
  int seconds = 20;
  int captures = 5;
  int rounds = 2;
  std::vector<std::string> modes{"auto", "full", "restart", "truncate"};
  fs::path directory = fs::temp_directory_path();
};

std::uint64_t mix(std::uint64_t x) {  // splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators)
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t row_hash(std::int64_t id, std::int64_t version) {
  return mix(static_cast<std::uint64_t>(id) << 32 ^ static_cast<std::uint64_t>(version)) & k_sum_mask;
}

Bytes row_blob(std::int64_t id, std::int64_t version) {
  Bytes blob;
  blob.reserve(k_blob_size + 8);
  std::uint64_t x = row_hash(id, version);
  while (blob.size() < k_blob_size) put_u64(blob, x = mix(x));
  blob.resize(k_blob_size);
  return blob;
}

class Database {
 public:
  explicit Database(const fs::path& path, int busy_ms = 0) {
    sqlite3* db = nullptr;
    if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) throw std::runtime_error{"unable to open " + path.native()};
    m_db.reset(db);
    sqlite3_busy_timeout(db, busy_ms);
  }
  int attempt(const std::string& sql) { return sqlite3_exec(m_db.get(), sql.c_str(), nullptr, nullptr, nullptr); }
  void run(const std::string& sql) {
    if (attempt(sql) != SQLITE_OK) throw std::runtime_error{sql + ": " + sqlite3_errmsg(m_db.get())};
  }
  sqlite3* handle() const { return m_db.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  std::unique_ptr<sqlite3, Close> m_db;
};

class Statement {
 public:
  Statement(Database& db, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db.handle(), sql, -1, &statement, nullptr) != SQLITE_OK) {
      throw std::runtime_error{std::string{sql} + ": " + sqlite3_errmsg(db.handle())};
    }
    m_statement.reset(statement);
  }
  Statement& bind(int at, std::int64_t value) {
    sqlite3_bind_int64(m_statement.get(), at, value);
    return *this;
  }
  Statement& bind(int at, const Bytes& value) {
    sqlite3_bind_blob(m_statement.get(), at, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  int step() { return sqlite3_step(m_statement.get()); }
  void reset() { sqlite3_reset(m_statement.get()); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(m_statement.get(), column); }
  ByteView blob(int column) const {
    const void* bytes = sqlite3_column_blob(m_statement.get(), column);
    return {static_cast<const std::uint8_t*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(m_statement.get(), column))};
  }
  std::string text(int column) const {
    return reinterpret_cast<const char*>(sqlite3_column_text(m_statement.get(), column));
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

enum class Phase : int { idle, running, over };

// What the processes share. One phase is counted at a time.
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
};

constexpr const char* k_modes[] = {"auto", "full", "restart", "truncate"};

std::int64_t now_ns() {
  return std::chrono::nanoseconds{Clock::now().time_since_epoch()}.count();
}

void raise_to(std::atomic<std::int64_t>& maximum, std::int64_t value) {
  std::int64_t seen = maximum.load();
  while (seen < value && !maximum.compare_exchange_weak(seen, value)) {
  }
}

void create_database(const fs::path& path, std::uint64_t size_mb) {
  Database db{path};
  db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  db.run("CREATE TABLE data(id INTEGER PRIMARY KEY, version INTEGER NOT NULL, v BLOB NOT NULL)");
  db.run("CREATE TABLE ledger(sum INTEGER NOT NULL, commits INTEGER NOT NULL)");
  const auto rows = static_cast<std::int64_t>(size_mb * 1024 * 1024 / 4096);
  std::uint64_t sum = 0;
  Statement insert{db, "INSERT INTO data VALUES(?1, 0, ?2)"};
  db.run("BEGIN");
  for (std::int64_t id = 1; id <= rows; ++id) {
    insert.bind(1, id).bind(2, row_blob(id, 0)).step();
    insert.reset();
    sum = (sum + row_hash(id, 0)) & k_sum_mask;
  }
  db.run(fmt::format("INSERT INTO ledger VALUES({}, 0)", sum));
  db.run("COMMIT");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

// One transaction; SQLITE_BUSY where it got no turn.
class Writer {
 public:
  Writer(const fs::path& path, unsigned seed) : m_db(path, 5000), m_random(seed) {
    m_db.run("PRAGMA synchronous = NORMAL");
    m_rows = count();
  }
  int commit() {
    int result = m_db.attempt("BEGIN IMMEDIATE");
    if (result != SQLITE_OK) return result;
    std::uint64_t change = 0;
    for (int i = 0; i < k_rows_per_commit; ++i) {
      const std::int64_t id = std::uniform_int_distribution<std::int64_t>{1, m_rows}(m_random);
      m_select.bind(1, id).step();
      const std::int64_t version = m_select.integer(0);
      m_select.reset();
      m_update.bind(1, id).bind(2, version + 1).bind(3, row_blob(id, version + 1)).step();
      m_update.reset();
      change += row_hash(id, version + 1) - row_hash(id, version);
    }
    m_ledger.bind(1, static_cast<std::int64_t>(change & k_sum_mask)).step();
    m_ledger.reset();
    result = m_db.attempt("COMMIT");
    if (result != SQLITE_OK) m_db.attempt("ROLLBACK");
    return result;
  }

 private:
  std::int64_t count() {
    Statement statement{m_db, "SELECT max(id) FROM data"};
    statement.step();
    return statement.integer(0);
  }

  Database m_db;
  std::mt19937 m_random;
  std::int64_t m_rows;
  Statement m_select{m_db, "SELECT version FROM data WHERE id = ?1"};
  Statement m_update{m_db, "UPDATE data SET version = ?2, v = ?3 WHERE id = ?1"};
  Statement m_ledger{m_db, "UPDATE ledger SET sum = (sum + ?1) & 4611686018427387903, commits = commits + 1"};
};

void write_until_over(const fs::path& path, unsigned seed, std::chrono::milliseconds pause, Shared& shared) {
  Writer writer{path, seed};
  while (true) {
    // Announce first, then look: whoever ends a phase waits until nobody is at work.
    shared.at_work.fetch_add(1);
    const Phase phase = shared.phase.load();
    if (phase == Phase::running) {
      const std::int64_t begun = now_ns();
      const int result = writer.commit();
      const std::int64_t ended = now_ns();
      raise_to(shared.longest_commit, ended - begun);
      if (result == SQLITE_OK) {
        shared.commits.fetch_add(1);
        raise_to(shared.longest_gap, ended - shared.last_commit.exchange(ended));
      } else if (result == SQLITE_BUSY) {
        shared.busy.fetch_add(1);
      } else {
        throw std::runtime_error{fmt::format("commit: {}", sqlite3_errstr(result))};
      }
    }
    shared.at_work.fetch_sub(1);
    if (phase == Phase::over) return;
    std::this_thread::sleep_for(phase == Phase::idle ? std::chrono::milliseconds{1} : pause);
  }
}

void checkpoint_until_over(const fs::path& path, Shared& shared) {
  Database db{path, 1000};
  while (shared.phase.load() != Phase::over) {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    const int mode = shared.checkpoint_mode.load();
    if (mode == 0 || shared.phase.load() != Phase::running) continue;
    db.attempt(fmt::format("PRAGMA wal_checkpoint({})", k_modes[mode]));
    shared.checkpoints.fetch_add(1);
  }
}

// A child process that runs body; exits 1 where that throws.
pid_t start(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a failed run leaves nobody behind
  int status = 0;
  try {
    body();
  } catch (const std::exception& error) {
    fmt::print(stderr, "child: {}\n", error.what());
    status = 1;
  }
  ::_exit(status);
}

bool ended_well(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
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
  pinned_ms = std::max(pinned_ms, facts.at("wal_pinned_ms").i64());
  return image;
}

// Empty where the image is one committed state.
std::string check_image(const fs::path& image) {
  Database db{image};
  Statement integrity{db, "PRAGMA integrity_check"};
  integrity.step();
  if (integrity.text(0) != "ok") return integrity.text(0);
  Statement rows{db, "SELECT id, version, v FROM data"};
  std::uint64_t sum = 0;
  while (rows.step() == SQLITE_ROW) {
    const std::int64_t id = rows.integer(0);
    const std::int64_t version = rows.integer(1);
    const Bytes blob = row_blob(id, version);
    if (!std::ranges::equal(blob, rows.blob(2))) return fmt::format("row {} is not of version {}", id, version);
    sum = (sum + row_hash(id, version)) & k_sum_mask;
  }
  Statement ledger{db, "SELECT sum, commits FROM ledger"};
  ledger.step();
  if (static_cast<std::uint64_t>(ledger.integer(0)) != sum) {
    return fmt::format("the rows are not those of commit {}", ledger.integer(1));
  }
  return {};
}

PhaseResult run_phase(const Settings& settings, const fs::path& database, int captures, Shared& shared) {
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
    const std::string what = check_image(place.path() / "image.db");
    image = Bytes{};
    if (what.empty()) continue;
    fmt::print("an image is wrong: {}\n", what);
    ++wrong;
  }
  return wrong;
}

int hammer(const Settings& settings) {
  const TemporaryDirectory directory{settings.directory, "hammer-"};
  const fs::path database = directory.path() / "app.db";
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error{"mmap"};
  Shared& shared = *new (memory) Shared;

  // SQLite's state does not survive a fork: all processes begin before this one opens the database.
  if (!ended_well(start([&] { create_database(database, settings.size_mb); }))) return 1;
  std::vector<pid_t> children;
  for (int i = 0; i < settings.writers; ++i) {
    const auto seed = static_cast<unsigned>(i + 1);
    children.push_back(
        start([&] { write_until_over(database, seed, std::chrono::milliseconds{settings.pause_ms}, shared); }));
  }
  children.push_back(start([&] { checkpoint_until_over(database, shared); }));

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
  const std::string live = check_image(database);
  if (!live.empty()) fmt::print("the live database: {}\n", live);
  fmt::print("{} captured, {} wrong\n", captured, bad);
  return bad == 0 && live.empty() ? 0 : 1;
}

Settings parse(int argc, char** argv) {
  Settings settings;
  std::map<std::string, std::string> values;
  for (int i = 1; i + 1 < argc; i += 2) values[argv[i]] = argv[i + 1];
  const auto number = [&](const char* name, auto& to) {
    if (const auto at = values.find(name); at != values.end()) {
      to = static_cast<std::remove_reference_t<decltype(to)>>(std::stol(at->second));
      values.erase(at);
    }
  };
  number("--size", settings.size_mb);
  number("--writers", settings.writers);
  number("--pause", settings.pause_ms);
  number("--seconds", settings.seconds);
  number("--captures", settings.captures);
  number("--rounds", settings.rounds);
  if (const auto at = values.find("--directory"); at != values.end()) {
    settings.directory = at->second;
    values.erase(at);
  }
  if (const auto at = values.find("--modes"); at != values.end()) {
    settings.modes.clear();
    std::istringstream list{at->second};
    for (std::string mode; std::getline(list, mode, ',');) settings.modes.push_back(mode);
    values.erase(at);
  }
  if (!values.empty() || argc % 2 == 0) throw std::runtime_error{"unknown option"};
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return hammer(parse(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "sqlite_hammer: {}\n", error.what());
    return 1;
  }
}
