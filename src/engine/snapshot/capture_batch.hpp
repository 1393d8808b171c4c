// How many items one job of the pool takes.
#pragma once

#include "engine/snapshot/captured_item.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace cairn {

// Files up to this size are read whole by one job, several a job; larger ones in segments, many jobs a file.
inline constexpr std::uint64_t k_small_file = 4ULL << 20;

// Items in the order of the source. Used by one thread.
class CaptureBatch {
 public:
  static constexpr std::uint64_t k_bytes = 2ULL << 20;
  static constexpr std::size_t k_files = 64;
  static constexpr std::size_t k_items = 1024;
  static constexpr std::size_t k_extents = 64 * 1024;
  using Items = std::deque<CapturedItem>;

  void add(CapturedItem&& item) {
    for (const auto& part : item.reuse) m_extents += part.extents.size();
    if (item.read) {
      m_bytes += item.source.entry.size;
      ++m_files;
    }
    m_items->push_back(std::move(item));
  }
  bool empty() const noexcept { return m_items->empty(); }
  // No more should be added: it is enough for one job, or for the memory.
  bool full() const noexcept {
    return m_bytes >= k_bytes || m_files >= k_files || m_items->size() >= k_items || m_extents >= k_extents;
  }
  // Whether a file of it is to be read.
  bool has_work() const noexcept { return m_files != 0; }
  // Leaves an empty batch.
  std::shared_ptr<Items> take() { return std::exchange(*this, CaptureBatch{}).m_items; }

 private:
  std::shared_ptr<Items> m_items = std::make_shared<Items>();
  std::uint64_t m_bytes = 0;
  std::size_t m_files = 0;
  std::size_t m_extents = 0;
};

// Reads the files of a batch that are to be read, whole. The failure of one of them is noted there. Thread-safe for
// batches that differ.
void read_batch(CaptureBatch::Items& items);

}  // namespace cairn
