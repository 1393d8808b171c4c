// Tells the service manager that started this process how it goes: sd_notify(3), by datagrams of our own, without its
// library.
#pragma once

#include "util/environment.hpp"
#include "util/file.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace cairn {

// Thread-safe. A message that cannot be sent is lost, and nothing else.
class ServiceManager {
 public:
  // As NOTIFY_SOCKET names it (a path, or "@NAME" of the abstract namespace), with the watchdog of WATCHDOG_USEC where
  // WATCHDOG_PID is this process or absent. Null where there is none, or none that can be reached.
  static std::unique_ptr<ServiceManager> find(const EnvironmentLookup& environment);
  // Takes these variables out of this process's environment, so that no child speaks in its name. Before there is a
  // second thread.
  static void forget_environment();

  void ready() noexcept;  // of Type=notify; others take no notice
  // A line that the manager shows; made one where it has several.
  void set_status(std::string_view text) noexcept;
  // The work goes on. Called often; sends no more than a message every so many seconds: WATCHDOG=1 where the manager
  // wants it, and EXTEND_TIMEOUT_USEC, so that a limit of its own (TimeoutStartSec= of Type=oneshot) ends what hangs
  // and nothing else. After a signal that asks this process to stop STOPPING=1, once, and no time is asked for any
  // more.
  void beat() noexcept;

 private:
  explicit ServiceManager(UniqueFd socket) : m_socket(std::move(socket)) {}
  void send(std::string_view state) const noexcept;

  using Clock = std::chrono::steady_clock;
  UniqueFd m_socket;
  bool m_watchdog = false;
  Clock::duration m_interval{};
  std::atomic<Clock::rep> m_next{0};
  std::atomic<bool> m_stopping{false};
};

// Whose beat() heartbeat() is, which check_interrupted() calls: whatever looks whether it is to stop is alive. Null: of
// nobody. It must outlive that.
void set_heartbeat(ServiceManager* manager) noexcept;
void heartbeat() noexcept;

}  // namespace cairn
