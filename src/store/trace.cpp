#include "store/trace.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <new>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

UniqueFd open_trace(const fs::path& file) {
  try {
    return open_file(file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0600);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, error.message(), "CAIRN_TRACE names it");
  }
}

}  // namespace

Trace::Trace(fs::path file, Reporter& reporter)
    : m_file(std::move(file)), m_reporter(reporter), m_fd(open_trace(m_file)) {}

void Trace::warn(std::string_view cause) {
  if (m_warned.exchange(true)) return;
  m_reporter.warning(
      fmt::format("unable to write the trace {}: {}; it is not complete", quote(m_file.native()), cause));
}

void Trace::add(const std::function<std::string()>& make_line) noexcept {
  try {
    const std::string line = make_line() + '\n';
    const ssize_t written = retry_interrupted([&] { return ::write(m_fd.get(), line.data(), line.size()); });
    if (written == static_cast<ssize_t>(line.size())) return;
    warn(written < 0 ? errno_text(errno) : "a line was cut short");
  } catch (const std::bad_alloc&) {
    m_warned = true;  // the work itself meets that next, and says so
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

}  // namespace cairn
