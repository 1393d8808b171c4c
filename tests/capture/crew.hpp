// The processes that a database suffers while it is captured: writers, a checkpointer, and sudden deaths among them.
#pragma once

#include "ledger.hpp"
#include "writer.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <string>

#include <sys/types.h>

namespace cairn::hammer {

inline constexpr std::size_t k_writers = 4;

enum class Order : int {
  work,
  pause,     // everybody keeps the database open and does nothing
  backfill,  // likewise, and the checkpointer copies the whole log into the database
  kill,      // all die in the middle of a transaction, and nobody comes back
  rest,      // all close the database
};

// The state that the processes share.
struct Floor {
  std::atomic<Order> order{Order::rest};
  std::atomic<bool> backfilled{false};
  struct Place {
    std::atomic<bool> at_work{false};
    std::atomic<bool> deep{false};  // in a transaction that is half done
  };
  std::array<Place, k_writers + 1> places;  // the last is the checkpointer's
  CommitLog log;
  std::atomic<std::uint64_t> log_salt{0};  // of the write-ahead log, as the last commit or checkpoint saw it
  std::atomic<std::uint64_t> checkpoints{0};
  std::atomic<std::uint64_t> busy{0};
};

struct Workplace {
  fs::path database;
  Habits habits;
  std::string checkpoint;  // the checkpointer's mode; empty: it runs none unless ordered to
  bool deaths = true;      // SIGKILL now and then, and a new process in the place
  uid_t user = 0;
  std::uint64_t seed = 0;
};

// Used by the process that made it, which must not have SQLite open when it gives orders.
class Crew {
 public:
  Crew(Workplace workplace, Floor& floor);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  // Kills everybody.
  ~Crew();

  // Starts, reaps and kills, as the order has it, and sleeps for a millisecond. A Floor's order may be changed by
  // anyone meanwhile.
  void tick();
  // Gives the order and returns when it is carried out. Throws where that takes longer than half a minute.
  void command(Order order);
  // Until the writers have made that many more commits. Throws where that takes longer than half a minute.
  void expect_commits(int count);
  // Processes that failed by themselves: each is a fault, and said so on standard error.
  int failures() const { return m_failures; }
  int deaths() const { return m_deaths; }

 private:
  void start_worker(std::size_t place);
  void kill_worker(std::size_t place);
  void reap();
  bool anybody() const;
  bool carried_out(Order order) const;

  const Workplace m_workplace;
  Floor& m_floor;
  std::mt19937_64 m_random;
  std::array<pid_t, k_writers + 1> m_workers{};      // 0: nobody
  std::chrono::steady_clock::time_point m_patience;  // for a transaction to be half done
  int m_failures = 0;
  int m_deaths = 0;
};

}  // namespace cairn::hammer
