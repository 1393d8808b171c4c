// The file that CAIRN_TRACE names: one line for each request to a store.
#pragma once

#include "util/file.hpp"
#include "util/log.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

namespace cairn {

// Thread-safe, and fit for several processes at a time: a line is one write to the end of the file.
class Trace {
 public:
  // Made with permissions 0600 where it is not there. Error(usage) where it cannot be opened.
  Trace(fs::path file, Reporter& reporter);

  // make_line gives it without its end. A line that cannot be made or written is warned of once; the work goes on.
  void add(const std::function<std::string()>& make_line) noexcept;

 private:
  void warn(std::string_view cause);

  fs::path m_file;
  Reporter& m_reporter;
  UniqueFd m_fd;
  std::atomic<bool> m_warned{false};
};

}  // namespace cairn
