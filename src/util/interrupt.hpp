// SIGINT and SIGTERM as an Error. A handler only sets a flag; long loops call check_interrupted() between units of
// work, so everything is unwound and what was stored is recorded.
#pragma once

namespace cairn {

// Installs handlers for SIGINT and SIGTERM, ignores SIGPIPE, and takes back what the parent may have left: SIGCHLD
// ignored, or any of these blocked. Once per process, from main(), before there is a second thread.
void install_signal_handlers();
// The signal that arrived, or 0.
int interrupted_by() noexcept;
// Throws Error(interrupted) if a signal arrived.
void check_interrupted();
// For tests: pretend that a signal arrived (0: none).
void set_interrupted(int signal_number) noexcept;

// While one lives, the signal that arrived counts as not arrived: for writing down, on the way out, what is done.
class InterruptPause {
 public:
  InterruptPause() noexcept : m_signal(interrupted_by()) { set_interrupted(0); }
  InterruptPause(const InterruptPause&) = delete;
  InterruptPause& operator=(const InterruptPause&) = delete;
  ~InterruptPause() {
    if (interrupted_by() == 0) set_interrupted(m_signal);
  }

 private:
  int m_signal;
};

}  // namespace cairn
