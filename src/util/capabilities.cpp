#include "util/capabilities.hpp"

#include <array>
#include <linux/capability.h>
#include <unistd.h>

#include <sys/syscall.h>

namespace cairn {

bool has_capability(int capability) noexcept {
  constexpr int k_bits = 32;
  struct __user_cap_header_struct header {
    _LINUX_CAPABILITY_VERSION_3, 0
  };
  std::array<struct __user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return ::geteuid() == 0;
  const auto word = static_cast<std::size_t>(capability / k_bits);
  return word < data.size() && ((data.at(word).effective >> (capability % k_bits)) & 1U) != 0;
}

}  // namespace cairn
