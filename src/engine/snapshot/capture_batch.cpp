#include "engine/snapshot/capture_batch.hpp"

#include "util/error.hpp"

namespace cairn {

void read_batch(CaptureBatch::Items& items) {
  for (auto& item : items) {
    if (!item.read) continue;
    try {
      item.content = read_whole_file(*item.source.content, item.source.entry, k_small_file);
    } catch (const SourceError& e) {
      item.fail(e);
    }
  }
}

}  // namespace cairn
