// Simulated time, and actors of whom exactly one runs at any moment.
//
// Each actor has a thread, because the engine is plain blocking code; a baton passes between them. Whoever waits for
// something (the store, a sleep) says how long it takes, and the actor whose time comes first goes on: a discrete
// event simulation. So a schedule is a function of its seed, whatever the machine does.
#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace cairn::sim {

// Unwinds a program that was killed, and everything once a schedule is over. Derived from std::exception, as
// destructors and noexcept functions of the engine expect of whatever a store throws; never from Error.
struct Killed : std::exception {
  const char* what() const noexcept override { return "killed"; }
};

// Threads that outlive the schedules: some of what the engine keeps for each thread is expensive to make.
class Crew {
 public:
  explicit Crew(std::size_t size);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();
  std::size_t size() const noexcept { return m_members.size(); }

 private:
  friend class Scheduler;
  struct Member {
    std::binary_semaphore baton{0};
    std::function<void()> work;  // nothing: the end
    std::thread thread;
  };
  std::binary_semaphore m_done{0};
  std::vector<std::unique_ptr<Member>> m_members;
};

class Scheduler {
 public:
  Scheduler(Crew& crew, Time begin) : m_crew(crew), m_now(begin) {}

  Time now() const noexcept { return m_now; }

  // Before run(). body must let Killed pass, and throw nothing else. At most as many as the crew has members.
  void add(std::function<void()> body);
  // Until all actors have ended.
  void run();

  // By the actor that runs: time goes by, in which others may run. Outside run() time goes by, that is all. Throws
  // Killed once the schedule is stopped.
  void pass(Nanoseconds time);
  // Everybody's next pass() throws.
  void stop() noexcept { m_stopped = true; }
  bool stopped() const noexcept { return m_stopped; }

 private:
  struct Actor {
    std::function<void()> body;
    Time wake;
    bool ended = false;
  };
  static constexpr std::size_t k_nobody = SIZE_MAX;
  std::size_t next() const noexcept;
  void hand_over(std::size_t to);

  Crew& m_crew;
  Time m_now;
  bool m_stopped = false;
  std::size_t m_running = k_nobody;
  std::vector<Actor> m_actors;
};

}  // namespace cairn::sim
