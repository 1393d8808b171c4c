#include "util/process_info.hpp"

#include <sys/utsname.h>

namespace cairn {

std::string host_name() {
  struct utsname names {};
  if (::uname(&names) != 0) return "unknown";
  return names.nodename;
}

}  // namespace cairn
