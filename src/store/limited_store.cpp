#include "store/limited_store.hpp"

#include "util/units.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {
constexpr std::uint64_t k_piece = k_mib;
}

LimitedStore::LimitedStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<RateLimiter> downloads)
    : ForwardingStore(std::move(store)), m_downloads(std::move(downloads)) {}

std::optional<Bytes> LimitedStore::get(const std::string& key, std::optional<ByteRange> range) {
  if (range && range->length > k_piece) return get_pieces(key, *range);
  auto bytes = inner().get(key, range);
  if (bytes) m_downloads->take(bytes->size());
  return bytes;
}

// Objects are immutable: what is gone in the middle was there before, and is gone as a whole.
std::optional<Bytes> LimitedStore::get_pieces(const std::string& key, ByteRange range) {
  Bytes all;
  while (all.size() < range.length) {
    const std::uint64_t want = std::min(k_piece, range.length - all.size());
    const auto piece = inner().get(key, ByteRange{range.offset + all.size(), want});
    if (!piece) return std::nullopt;
    m_downloads->take(piece->size());
    append(all, *piece);
    if (piece->size() < want) break;
  }
  return all;
}

}  // namespace cairn
