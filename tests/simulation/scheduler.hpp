// Simulated time, and actors of whom exactly one runs at any moment.
//
// Each actor has a stack of its own, because the engine is plain blocking code; all of them run in one thread. An actor
// that waits for something (the store, a sleep) says how long it takes, and the actor whose time comes first goes on: a
// discrete event simulation. So a schedule is a function of its seed, whatever the machine does. Stacks rather than
// threads: to wake another thread, many thousands of times a second, takes longer than all that a schedule does
// between.
#pragma once

#include "util/time.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <ucontext.h>
#include <vector>

namespace cairn::sim {

// Unwinds a program that was killed, and everything once a schedule is over. Derived from std::exception, as
// destructors and noexcept functions of the engine expect of whatever a store throws; never from Error.
struct Killed : std::exception {
  const char* what() const noexcept override { return "killed"; }
};

// The stacks. They outlive the schedules: to make one is expensive.
class Crew {
 public:
  explicit Crew(std::size_t size);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();
  std::size_t size() const noexcept { return m_stacks.size(); }

 private:
  friend class Scheduler;
  std::vector<void*> m_stacks;
};

// One at a time in a thread. The engine's thread-local state is shared by the actors, so it must not be in use across a
// call to a store.
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
  // The C++ runtime's state of the exceptions under way in a thread (Itanium C++ ABI, Exception Handling, 2.2.2). An
  // actor may be in the middle of one: what cleans up after a failure asks the store, too.
  struct Exceptions {
    void* caught;
    unsigned uncaught;
  };
  // Where somebody who does not run goes on.
  struct Place {
    ucontext_t context{};
    Exceptions exceptions{};
  };
  struct Actor {
    std::function<void()> body;
    Time wake;
    Place place{};
    bool ended = false;
  };
  static constexpr std::size_t k_nobody = SIZE_MAX;
  static void enter();
  static void prepare(ucontext_t& context, void* stack);
  void act() noexcept;
  std::size_t next() const noexcept;
  Place& place_of(std::size_t who) noexcept { return who == k_nobody ? m_home : m_actors[who].place; }
  void hand_over(std::size_t to) noexcept;

  Crew& m_crew;
  Time m_now;
  bool m_stopped = false;
  std::size_t m_running = k_nobody;
  std::vector<Actor> m_actors;
  Place m_home;
};

}  // namespace cairn::sim
