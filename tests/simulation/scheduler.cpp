#include "scheduler.hpp"

#include <algorithm>
#include <cstring>
#include <cxxabi.h>
#include <stdexcept>
#include <utility>

#include <sys/mman.h>

namespace cairn::sim {

namespace {

// As much as a thread has; pages that are not touched cost nothing. The lowest one is a guard.
constexpr std::size_t k_stack = 8UL << 20;
constexpr std::size_t k_guard = 4096;

// The scheduler of this thread, for the actor that is entered.
thread_local Scheduler* current = nullptr;

}  // namespace

Crew::Crew(std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    void* const stack = ::mmap(nullptr, k_stack, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || ::mprotect(stack, k_guard, PROT_NONE) != 0) throw std::bad_alloc{};
    m_stacks.push_back(stack);
  }
}

Crew::~Crew() {
  for (auto* const stack : m_stacks) ::munmap(stack, k_stack);
}

void Scheduler::add(std::function<void()> body) {
  if (m_actors.size() == m_crew.size()) throw std::logic_error("more actors than stacks");
  m_actors.push_back({std::move(body), m_now});
}

void Scheduler::enter() {
  current->act();
}

void Scheduler::act() noexcept {
  const std::size_t self = m_running;
  try {
    m_actors[self].body();
  } catch (const Killed&) {
    // Ended as well.
  }
  m_actors[self].ended = true;
  hand_over(next());
}

std::size_t Scheduler::next() const noexcept {
  std::size_t first = k_nobody;
  for (std::size_t i = 0; i < m_actors.size(); ++i) {
    if (!m_actors[i].ended && (first == k_nobody || m_actors[i].wake < m_actors[first].wake)) first = i;
  }
  return first;
}

void Scheduler::hand_over(std::size_t to) noexcept {
  Place& here = place_of(m_running);
  Place& there = place_of(to);
  m_running = to;
  if (to != k_nobody) m_now = std::max(m_now, m_actors[to].wake);
  auto* const exceptions = abi::__cxa_get_globals();
  std::memcpy(&here.exceptions, exceptions, sizeof(Exceptions));
  std::memcpy(exceptions, &there.exceptions, sizeof(Exceptions));
  ::swapcontext(&here.context, &there.context);
}

void Scheduler::prepare(ucontext_t& context, void* stack) {
  ::getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = k_stack;
  context.uc_link = nullptr;  // whoever ends hands over
  ::makecontext(&context, &Scheduler::enter, 0);
}

void Scheduler::run() {
  for (std::size_t i = 0; i < m_actors.size(); ++i) prepare(m_actors[i].place.context, m_crew.m_stacks[i]);
  const std::size_t first = next();
  if (first == k_nobody) return;
  current = this;
  hand_over(first);
}

void Scheduler::pass(Nanoseconds time) {
  if (m_running == k_nobody) {
    m_now += time;
    return;
  }
  if (m_stopped) throw Killed{};
  const std::size_t self = m_running;
  m_actors[self].wake = m_now + time;
  const std::size_t to = next();
  if (to == self) {
    m_now = m_actors[self].wake;
    return;
  }
  hand_over(to);
  if (m_stopped) throw Killed{};
}

}  // namespace cairn::sim
