#include "scheduler.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace cairn::sim {

Crew::Crew(std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    auto& member = *m_members.emplace_back(std::make_unique<Member>());
    member.thread = std::thread{[&member] {
      for (;;) {
        member.baton.acquire();
        // Taken out: once the baton is passed on, the place may be filled anew.
        const auto work = std::exchange(member.work, nullptr);
        if (!work) return;
        work();
      }
    }};
  }
}

Crew::~Crew() {
  for (auto& member : m_members) {
    member->work = nullptr;
    member->baton.release();
    member->thread.join();
  }
}

void Scheduler::add(std::function<void()> body) {
  if (m_actors.size() == m_crew.size()) throw std::logic_error("more actors than threads");
  const std::size_t self = m_actors.size();
  m_actors.push_back({std::move(body), m_now});
  m_crew.m_members[self]->work = [this, self] {
    try {
      m_actors[self].body();
    } catch (const Killed&) {
      // Ended as well.
    }
    m_actors[self].ended = true;
    const std::size_t to = next();
    if (to == k_nobody) {
      m_running = k_nobody;
      m_crew.m_done.release();  // the scheduler may be gone after this
    } else {
      hand_over(to);
    }
  };
}

std::size_t Scheduler::next() const noexcept {
  std::size_t first = k_nobody;
  for (std::size_t i = 0; i < m_actors.size(); ++i) {
    if (!m_actors[i].ended && (first == k_nobody || m_actors[i].wake < m_actors[first].wake)) first = i;
  }
  return first;
}

void Scheduler::hand_over(std::size_t to) {
  m_running = to;
  m_now = std::max(m_now, m_actors[to].wake);
  m_crew.m_members[to]->baton.release();
}

void Scheduler::run() {
  const std::size_t first = next();
  if (first == k_nobody) return;
  hand_over(first);
  m_crew.m_done.acquire();
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
  m_crew.m_members[self]->baton.acquire();
  if (m_stopped) throw Killed{};
}

}  // namespace cairn::sim
