#include "util/early_sync.hpp"

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace cairn {

EarlySync::EarlySync(int descriptor, std::uint64_t step, Call call)
    : m_descriptor(descriptor), m_step(step), m_call(call ? std::move(call) : ::syncfs) {}

void EarlySync::wrote(std::uint64_t bytes) {
  const std::uint64_t before = m_written.fetch_add(bytes);
  if (before / m_step == (before + bytes) / m_step) return;
  {
    const std::scoped_lock lock{m_mutex};
    m_wanted = true;
    if (!m_thread.joinable()) m_thread = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
  }
  m_changed.notify_one();
}

void EarlySync::run(const std::stop_token& stop) {
  std::unique_lock lock{m_mutex};
  while (m_changed.wait(lock, stop, [this] { return m_wanted; }) && !stop.stop_requested()) {
    m_wanted = false;
    lock.unlock();
    sync();
    lock.lock();
  }
}

void EarlySync::sync() {
  if (m_call(m_descriptor) != 0) m_error = errno;
}

int EarlySync::finish() {
  if (m_thread.joinable()) {
    m_thread.request_stop();
    m_thread.join();
  }
  sync();
  return m_error;
}

}  // namespace cairn
