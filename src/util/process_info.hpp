// Facts about this process and host.
#pragma once

#include <string>

namespace cairn {

// The node name of uname(2).
std::string host_name();

}  // namespace cairn
