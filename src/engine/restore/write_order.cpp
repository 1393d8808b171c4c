#include "engine/restore/write_order.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace cairn {

void order_by_pack(std::vector<Write>& writes) {
  std::unordered_map<std::uint64_t, std::uint32_t> orders;
  const Write* before = nullptr;
  for (auto& write : writes) {
    if (before != nullptr && before->frame.pack == write.frame.pack) {
      write.order = before->order;
    } else {
      write.order = orders.emplace(write.frame.pack, static_cast<std::uint32_t>(orders.size())).first->second;
    }
    before = &write;
  }
  const auto earlier = [](const Write& a, const Write& b) {
    return std::tie(a.order, a.frame.frame, a.offset) < std::tie(b.order, b.frame.frame, b.offset);
  };
  if (!std::is_sorted(writes.begin(), writes.end(), earlier)) std::sort(writes.begin(), writes.end(), earlier);
}

}  // namespace cairn
