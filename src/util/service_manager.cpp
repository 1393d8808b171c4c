#include "util/service_manager.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace cairn {

namespace {

using namespace std::chrono_literals;

// Whatever does not look for a signal in an hour hangs: hooks, producers, requests and locks are waited for in steps.
constexpr std::chrono::microseconds k_extension = 1h;
constexpr std::chrono::steady_clock::duration k_longest_interval = 30s;
// A manager that takes no messages must not hold anything up.
constexpr timeval k_patience{1, 0};

std::atomic<ServiceManager*> g_heartbeat{nullptr};

std::optional<std::uint64_t> number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

UniqueFd connected(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@')) return {};
  std::memcpy(address.sun_path, name.data(), name.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (name[0] == '@') {
    address.sun_path[0] = '\0';
  } else {
    ++size;  // the path's end
  }
  UniqueFd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!fd) return fd;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &k_patience, sizeof(k_patience));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) fd.reset();
  return fd;
}

}  // namespace

std::unique_ptr<ServiceManager> ServiceManager::find(const EnvironmentLookup& environment) {
  const auto name = nonempty(environment, "NOTIFY_SOCKET");
  if (!name) return nullptr;
  UniqueFd fd = connected(*name);
  if (!fd) return nullptr;
  std::unique_ptr<ServiceManager> manager{new ServiceManager{std::move(fd)}};
  manager->m_interval = k_longest_interval;
  const auto pid = nonempty(environment, "WATCHDOG_PID");
  const auto limit = number(nonempty(environment, "WATCHDOG_USEC"));
  if (limit.value_or(0) > 0 && (!pid || number(pid) == static_cast<std::uint64_t>(::getpid()))) {
    manager->m_watchdog = true;
    // Beats come in steps themselves: a third leaves room.
    const std::chrono::microseconds third{
        static_cast<std::int64_t>(std::min<std::uint64_t>(*limit, INT64_MAX / 2000) / 3)};
    manager->m_interval = std::min<Clock::duration>(k_longest_interval, third);
  }
  return manager;
}

void ServiceManager::forget_environment() {
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
}

void ServiceManager::send(std::string_view state) const noexcept {
  static_cast<void>(::send(m_socket.get(), state.data(), state.size(), MSG_NOSIGNAL));
}

void ServiceManager::ready() noexcept {
  send("READY=1");
}

void ServiceManager::set_status(std::string_view text) noexcept {
  try {
    send("STATUS=" + terminal_safe(text));
  } catch (const std::exception&) {
    return;  // no memory: the work itself meets that next
  }
}

void ServiceManager::beat() noexcept {
  if (asked_to_stop() && !m_stopping.exchange(true)) send("STOPPING=1");
  const auto now = Clock::now().time_since_epoch().count();
  auto next = m_next.load(std::memory_order_relaxed);
  if (now < next || !m_next.compare_exchange_strong(next, now + m_interval.count())) return;
  if (m_watchdog) send("WATCHDOG=1");
  if (asked_to_stop()) return;
  try {
    send(fmt::format("EXTEND_TIMEOUT_USEC={}", k_extension.count()));
  } catch (const std::exception&) {
    return;
  }
}

void set_heartbeat(ServiceManager* manager) noexcept {
  g_heartbeat.store(manager, std::memory_order_release);
}

void heartbeat() noexcept {
  ServiceManager* const manager = g_heartbeat.load(std::memory_order_acquire);
  if (manager != nullptr) manager->beat();
}

}  // namespace cairn
