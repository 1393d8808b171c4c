#include "trial.hpp"

#include "processes.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace cairn::hammer {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uid_t k_application = 12345;
constexpr uid_t k_stranger = 65534;
constexpr auto k_capture_timeout = std::chrono::minutes{2};
constexpr int k_turns = 5;
constexpr std::int64_t k_lock_byte = 0x40000000;
constexpr std::int64_t k_filler_row = 16 << 20;
constexpr std::array<const char*, 4> k_suffixes{"", "-wal", "-shm", "-journal"};

bool by_stranger(Kind kind) {
  return kind == Kind::live_stranger || kind == Kind::killed_stranger || kind == Kind::rested_stranger;
}

// Rows of about a page: less than one, or more, with overflow pages.
RowSizes sizes_of_rows(int page_size) {
  return {.least = page_size / 8, .most = page_size * 2};
}

std::int64_t number_of_rows(int page_size) {
  return std::clamp<std::int64_t>((1 << 20) / page_size, 48, 1024);
}

// Zeros in a table of their own, so that the database ends just before the page of the lock bytes.
void fill(Database& db, int page_size, int pages_before) {
  db.run("CREATE TABLE filler(id INTEGER PRIMARY KEY, v BLOB NOT NULL)");
  const auto goal = k_lock_byte / page_size - pages_before;
  db.run("BEGIN");
  Statement insert{db, "INSERT INTO filler(v) VALUES(zeroblob(?1))"};
  while (true) {
    const std::int64_t missing = (goal - db.integer("PRAGMA page_count")) * (page_size - 4);
    if (missing < page_size) break;
    // Not all at once: auto_vacuum adds pages of its own.
    insert.bind(1, std::min(missing - missing / 20, k_filler_row)).run();
  }
  db.run("COMMIT");
}

void create(const fs::path& path, const Settings& settings, CommitLog& log) {
  Database db{path};
  db.run(fmt::format("PRAGMA page_size = {}; PRAGMA auto_vacuum = {}; PRAGMA synchronous = OFF", settings.page_size,
                     static_cast<int>(settings.auto_vacuum)));
  db.run("PRAGMA journal_mode = OFF");
  const Ledger ledger = create_tables(db, number_of_rows(settings.page_size), sizes_of_rows(settings.page_size));
  if (settings.pages_before_lock_page > 0) fill(db, settings.page_size, settings.pages_before_lock_page);
  log.attempt(0, ledger.sum);
  db.run("PRAGMA journal_mode = " + settings.journal_mode);
}

}  // namespace

std::string Settings::name() const {
  constexpr std::array<const char*, 3> k_names{"none", "full", "incremental"};
  return fmt::format("page size {}, auto_vacuum {}, {}{}, checkpoints {}, seed {}", page_size,
                     k_names.at(static_cast<std::size_t>(auto_vacuum)), journal_mode,
                     rollback_header ? " with a header of rollback mode" : "", checkpoints, seed);
}

Tally& Tally::operator+=(const Tally& other) {
  captures += other.captures;
  wrong += other.wrong;
  refused += other.refused;
  busy += other.busy;
  restarted += other.restarted;
  commits += other.commits;
  bytes += other.bytes;
  slowest = std::max(slowest, other.slowest);
  for (const auto& [mode, count] : other.modes) modes[mode] += count;
  return *this;
}

bool can_change_user() {
  return ::geteuid() == 0;
}

Trial::Trial(const fs::path& parent, Settings settings)
    : m_settings(std::move(settings)),
      m_application(can_change_user() ? k_application : ::geteuid()),
      m_directory(parent, "hammer-"),
      m_floor(make_shared_memory<Floor>()),
      m_database(make_database()),
      m_crew(workplace(), *m_floor) {
  m_crew.command(Order::work);
}

Workplace Trial::workplace() const {
  const bool wal = m_settings.journal_mode == "wal";
  const bool automatic = m_settings.checkpoints == "auto";
  const std::int64_t rows = number_of_rows(m_settings.page_size);
  const bool large = m_settings.pages_before_lock_page > 0;
  Workplace place;
  place.database = m_database;
  place.habits = {.journal_mode = m_settings.journal_mode,
                  .synchronous = m_settings.synchronous,
                  .cache_pages = 10,
                  .autocheckpoint = wal && automatic ? 50 : 0,
                  .checkpoint_on_close = m_settings.checkpoints != "none",
                  .least_rows = large ? rows * 3 / 2 : rows / 3,
                  .most_rows = large ? rows * 3 : rows * 2,
                  .vacuum = m_settings.vacuum};
  if (wal && !automatic && m_settings.checkpoints != "none") place.checkpoint = m_settings.checkpoints;
  place.deaths = m_settings.deaths;
  place.user = m_application;
  place.seed = m_settings.seed;
  return place;
}

// The application's own directory, where others may read and nothing more.
fs::path Trial::make_database() {
  const fs::path home = m_directory.path() / "application";
  fs::create_directory(home);
  ::chmod(m_directory.path().c_str(), 0711);
  ::chmod(home.c_str(), 0755);
  if (::chown(home.c_str(), m_application, m_application) != 0)
    throw std::runtime_error{"unable to give " + home.native()};
  const fs::path database = home / "app.db";
  if (!run_as(m_application, [&] { create(database, m_settings, m_floor->log); })) {
    throw std::runtime_error{"unable to make the database"};
  }
  return database;
}

void Trial::set_scene(Kind kind) {
  switch (kind) {
    case Kind::live:
    case Kind::slow:
    case Kind::connections:
    case Kind::live_stranger:
      return m_crew.command(Order::work);
    case Kind::backfilled:
      m_crew.command(Order::pause);
      return m_crew.command(Order::backfill);
    case Kind::killed:
    case Kind::killed_stranger:
      return m_crew.command(Order::kill);
    case Kind::rested:
    case Kind::rested_stranger:
      return m_crew.command(Order::rest);
  }
}

// Only where there is a log: without one the header is what counts.
void Trial::change_header() const {
  if (!m_settings.rollback_header) return;
  struct stat status {};
  if (::stat((m_database.native() + "-wal").c_str(), &status) != 0 || status.st_size == 0) return;
  const UniqueFd fd = open_file(m_database, O_WRONLY);
  const std::array<std::uint8_t, 2> versions{1, 1};
  write_at(fd.get(), versions, 18, m_database);
}

Tally Trial::capture(Kind kind, Plant plant) {
  Tally tally;
  const TemporaryDirectory place{m_directory.path(), "image-"};
  const fs::path image_path = place.path() / "image.db";
  std::string wrong = "it never got a turn";
  for (int turn = 0; turn < k_turns; ++turn) {
    const auto account = make_shared_memory<Account>();
    set_scene(kind);
    change_header();
    const UniqueFd image = open_file(image_path, O_RDWR | O_CREAT | O_TRUNC);
    const pid_t child = start(by_stranger(kind) ? k_stranger : ::geteuid(),
                              [&] { capture_into(image.get(), m_database, kind, plant, *m_floor, *account); });
    const auto deadline = Clock::now() + k_capture_timeout;
    while (::waitpid(child, nullptr, WNOHANG) == 0) {
      m_crew.tick();
      change_header();
      if (Clock::now() > deadline) ::kill(child, SIGKILL);
    }
    if (account->end == Account::End::busy) {
      ++tally.busy;
      wrong = account->error.data();
      continue;
    }
    wrong = judge(*account, image_path);
    if (account->end == Account::End::image) {
      tally.modes[account->mode.data()] = 1;
    } else {
      tally.refused = 1;
    }
    tally.restarted = account->restarted ? 1 : 0;
    tally.commits = account->commits;
    tally.bytes = m_image_size;
    tally.slowest = account->seconds;
    break;
  }
  tally.captures = 1;
  m_crew.command(Order::work);
  m_crew.expect_commits(2);
  if (!wrong.empty()) {
    tally.wrong = 1;
    fmt::print("wrong: {}; {}: {}\n", m_settings.name(), k_kind_names.at(static_cast<std::size_t>(kind)), wrong);
  }
  return tally;
}

std::string Trial::judge(const Account& account, const fs::path& image) {
  if (account.end == Account::End::none) return "the capture died, or took too long";
  if (account.end == Account::End::failed) return account.error.data();
  if (std::string others = files_of_others(); !others.empty()) return others;
  m_image_size = fs::file_size(image);
  const Verdict verdict = check_state(image);
  if (!verdict.wrong.empty()) return verdict.wrong;
  const std::int64_t commits = verdict.ledger.commits;
  if (commits < account.floor || commits > account.ceiling) {
    return fmt::format("it holds {} commits, not {} to {}", commits, account.floor, account.ceiling);
  }
  if (!m_floor->log.holds(verdict.ledger)) return fmt::format("state {} was never committed", commits);
  return {};
}

std::string Trial::files_of_others() const {
  for (const char* suffix : k_suffixes) {
    struct stat status {};
    const std::string path = m_database.native() + suffix;
    if (::stat(path.c_str(), &status) == 0 && status.st_uid != m_application) {
      return fmt::format("{} belongs to user {}", path, status.st_uid);
    }
  }
  return {};
}

int Trial::finish() {
  m_crew.command(Order::rest);
  int faults = m_crew.failures();
  const bool good = run_as(m_application, [&] {
    const Verdict verdict = check_state(m_database);
    if (!verdict.wrong.empty()) throw std::runtime_error{"the live database: " + verdict.wrong};
    if (!m_floor->log.holds(verdict.ledger)) throw std::runtime_error{"the live database: never committed"};
  });
  if (!good) ++faults;
  if (faults > 0) fmt::print("wrong: {}: {} faults of the application\n", m_settings.name(), faults);
  return faults;
}

}  // namespace cairn::hammer
