// SIGINT and SIGTERM as an Error. A handler only sets a flag; long loops call check_interrupted() between units of
// work, so everything is unwound and what was stored is recorded.
#pragma once

#include <chrono>
#include <optional>

namespace cairn {

// Installs handlers for SIGINT and SIGTERM, ignores SIGPIPE, and takes back what the parent may have left: SIGCHLD
// ignored, or any of these blocked. Once per process, from main(), before there is a second thread.
void install_signal_handlers();
// The signal that arrived, or 0.
int interrupted_by() noexcept;
// Throws Error(interrupted) if a signal arrived. Tells the service manager that the work goes on, where it wants to
// know (util/service_manager).
void check_interrupted();
// Whether one ever did; an InterruptPause does not hide it.
bool asked_to_stop() noexcept;
// For tests: pretend that a signal arrived (0: none).
void set_interrupted(int signal_number) noexcept;

// While one lives, the signal that arrived counts as not arrived: for writing down, on the way out, what is done. The
// sender soon sends SIGKILL, so what this thread asks of a store meanwhile is given up after the limit: neither a
// request nor the pauses between attempts take longer (store/retrying_store, store/s3/http).
class InterruptPause {
 public:
  explicit InterruptPause(std::chrono::nanoseconds limit = std::chrono::seconds{10}) noexcept;
  InterruptPause(const InterruptPause&) = delete;
  InterruptPause& operator=(const InterruptPause&) = delete;
  ~InterruptPause();

  // The time that is left to this thread, 0 at least; nothing where it is not on its way out.
  static std::optional<std::chrono::nanoseconds> left() noexcept;

 private:
  int m_signal;
  std::optional<std::chrono::steady_clock::time_point> m_outer;
};

}  // namespace cairn
