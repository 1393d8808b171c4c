#include "crew.hpp"

#include "processes.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>

namespace cairn::hammer {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t k_checkpointer = k_writers;
constexpr auto k_patience = 30s;
constexpr int k_ticks_a_death = 150;

// Through a descriptor of our own: SQLite takes no locks on the log, so that closing it loses none.
void note_salt(const fs::path& database, Floor& floor) {
  const fs::path log = database.native() + "-wal";
  const auto fd = open_file_if_exists(log, O_RDONLY);
  std::array<std::uint8_t, 8> salt{};
  if (!fd || read_at(fd->get(), salt, 16, log) != salt.size()) return;
  std::uint64_t value = 0;
  for (const std::uint8_t byte : salt) value = value << 8 | byte;
  floor.log_salt = value;
}

void write_until_rest(const Workplace& workplace, std::uint64_t seed, Floor& floor, Floor::Place& place) {
  Writer writer{workplace.database, workplace.habits, seed, floor.log, place.deep};
  std::mt19937_64 random{seed};
  while (true) {
    // Announce first, then look: whoever gives an order waits until nobody is at work.
    place.at_work = true;
    const Order order = floor.order;
    if (order == Order::rest) return;
    if (order == Order::work || order == Order::kill) {
      const int result = writer.act(order == Order::kill ? Deed::rewrite : writer.choose());
      if (result != SQLITE_OK) floor.busy.fetch_add(1);
      if (workplace.habits.journal_mode == "wal") note_salt(workplace.database, floor);
    }
    place.at_work = false;
    std::this_thread::sleep_for(std::chrono::microseconds{std::uniform_int_distribution<int>{0, 3000}(random)});
  }
}

void checkpoint_until_rest(const Workplace& workplace, std::uint64_t seed, Floor& floor, Floor::Place& place) {
  Database db{workplace.database, 100ms};  // shorter than the writers' patience, whom it holds up
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, workplace.habits.checkpoint_on_close ? 0 : 1,
                    nullptr);
  std::mt19937_64 random{seed};
  const auto checkpoint = [&](const std::string& mode) {
    const int result = db.attempt(fmt::format("PRAGMA wal_checkpoint({})", mode));
    if (result != SQLITE_OK && !is_busy(result)) throw Failure{"checkpoint " + mode, db.handle()};
    note_salt(workplace.database, floor);
    floor.checkpoints.fetch_add(1);
  };
  while (true) {
    place.at_work = true;
    const Order order = floor.order;
    if (order == Order::rest) return;
    if ((order == Order::work || order == Order::kill) && !workplace.checkpoint.empty()) {
      checkpoint(workplace.checkpoint);
    } else if (order == Order::backfill && !floor.backfilled) {
      Statement full{db, "PRAGMA wal_checkpoint(FULL)"};
      floor.backfilled = full.step() && full.integer(0) == 0 && full.integer(1) == full.integer(2);
      full.reset();
      note_salt(workplace.database, floor);
    }
    place.at_work = false;
    std::this_thread::sleep_for(std::chrono::milliseconds{std::uniform_int_distribution<int>{1, 20}(random)});
  }
}

}  // namespace

Crew::Crew(Workplace workplace, Floor& floor)
    : m_workplace(std::move(workplace)), m_floor(floor), m_random(m_workplace.seed) {}

Crew::~Crew() {
  for (std::size_t place = 0; place < m_workers.size(); ++place) kill_worker(place);
}

void Crew::start_worker(std::size_t place) {
  if (place == k_checkpointer && m_workplace.habits.journal_mode != "wal") return;
  const std::uint64_t seed = m_random();
  Floor::Place& mine = m_floor.places.at(place);
  mine.at_work = true;  // it opens the database first, which may recover it
  const auto body = [&, seed] {
    if (place == k_checkpointer) {
      checkpoint_until_rest(m_workplace, seed, m_floor, mine);
    } else {
      write_until_rest(m_workplace, seed, m_floor, mine);
    }
  };
  m_workers.at(place) = start(m_workplace.user, body);
}

void Crew::kill_worker(std::size_t place) {
  pid_t& worker = m_workers.at(place);
  if (worker == 0) return;
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  worker = 0;
  ++m_deaths;
}

void Crew::reap() {
  for (std::size_t place = 0; place < m_workers.size(); ++place) {
    pid_t& worker = m_workers.at(place);
    int status = 0;
    if (worker != 0 && ::waitpid(worker, &status, WNOHANG) == worker) {
      worker = 0;
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        ++m_failures;
        fmt::print(stderr, "process {} failed with status {:#x}\n", place, status);
      }
    }
    if (worker == 0) {
      m_floor.places.at(place).at_work = false;
      m_floor.places.at(place).deep = false;
    }
  }
}

bool Crew::anybody() const {
  return std::ranges::any_of(m_workers, [](pid_t worker) { return worker != 0; });
}

void Crew::tick() {
  reap();
  const Order order = m_floor.order;
  if (order == Order::kill && anybody()) {
    const bool deep = std::ranges::any_of(m_floor.places, [](const auto& place) { return place.deep.load(); });
    if (deep || Clock::now() > m_patience) {
      // All at once: whoever outlives another would roll its transaction back.
      for (const pid_t worker : m_workers) {
        if (worker != 0) ::kill(worker, SIGKILL);
      }
      for (std::size_t place = 0; place < m_workers.size(); ++place) kill_worker(place);
      reap();
    }
  }
  if (order == Order::work || order == Order::pause || order == Order::backfill) {
    for (std::size_t place = 0; place < m_workers.size(); ++place) {
      if (m_workers.at(place) == 0) start_worker(place);
    }
  }
  if (order == Order::work && m_workplace.deaths &&
      std::uniform_int_distribution<int>{1, k_ticks_a_death}(m_random) == 1) {
    kill_worker(std::uniform_int_distribution<std::size_t>{0, k_checkpointer}(m_random));
  }
  std::this_thread::sleep_for(1ms);
}

bool Crew::carried_out(Order order) const {
  switch (order) {
    case Order::work:
      return anybody();
    case Order::pause:
      return std::ranges::none_of(m_floor.places, [](const auto& place) { return place.at_work.load(); });
    case Order::backfill:
      return m_floor.backfilled;
    case Order::kill:
    case Order::rest:
      return !anybody();
  }
  return false;
}

void Crew::command(Order order) {
  m_floor.backfilled = false;
  m_patience = Clock::now() + 500ms;
  m_floor.order = order;
  const auto deadline = Clock::now() + k_patience;
  do {
    if (Clock::now() > deadline) {
      throw std::runtime_error{fmt::format("order {} was not carried out", static_cast<int>(order))};
    }
    tick();
  } while (!carried_out(order));
}

void Crew::expect_commits(int count) {
  const std::int64_t goal = m_floor.log.newest_commit() + count;
  const auto deadline = Clock::now() + k_patience;
  while (m_floor.log.newest_commit() < goal) {
    if (Clock::now() > deadline) throw std::runtime_error{"the application can write no more"};
    tick();
  }
}

}  // namespace cairn::hammer
