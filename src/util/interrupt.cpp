#include "util/interrupt.hpp"

#include "util/error.hpp"
#include "util/service_manager.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>

namespace cairn {

namespace {
std::atomic<int> g_signal{0};
std::atomic<bool> g_asked_to_stop{false};
thread_local std::optional<std::chrono::steady_clock::time_point> t_way_out_ends;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_signal(int number) {
  g_signal.store(number, std::memory_order_relaxed);
  g_asked_to_stop.store(true, std::memory_order_relaxed);
}
}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocking read of a pipe returns, and the loop around it sees the flag. SA_RESETHAND: the second
  // signal ends the program at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // The parent's signal settings are inherited. With SIGCHLD ignored the system forgets how a child ended, and a
  // producer that failed could not be told from one that did not; a blocked SIGTERM would stop nothing.
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t needed;
  sigemptyset(&needed);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&needed, number);
  sigprocmask(SIG_UNBLOCK, &needed, nullptr);
}

int interrupted_by() noexcept {
  return g_signal.load(std::memory_order_relaxed);
}

bool asked_to_stop() noexcept {
  return g_asked_to_stop.load(std::memory_order_relaxed);
}

void set_interrupted(int signal_number) noexcept {
  g_signal.store(signal_number, std::memory_order_relaxed);
}

void check_interrupted() {
  heartbeat();
  const int number = interrupted_by();
  if (number != 0) {
    throw Error(ErrorKind::interrupted, number == SIGTERM ? "terminated by SIGTERM" : "interrupted by SIGINT");
  }
}

InterruptPause::InterruptPause(std::chrono::nanoseconds limit) noexcept
    : m_signal(interrupted_by()), m_outer(t_way_out_ends) {
  set_interrupted(0);
  const auto end = std::chrono::steady_clock::now() + limit;
  t_way_out_ends = std::min(m_outer.value_or(end), end);
}

InterruptPause::~InterruptPause() {
  t_way_out_ends = m_outer;
  if (interrupted_by() == 0) set_interrupted(m_signal);
}

std::optional<std::chrono::nanoseconds> InterruptPause::left() noexcept {
  if (!t_way_out_ends) return std::nullopt;
  return std::max<std::chrono::nanoseconds>(*t_way_out_ends - std::chrono::steady_clock::now(),
                                            std::chrono::nanoseconds{0});
}

}  // namespace cairn
