#include "store/broken_store.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

void BrokenStore::refuse(const std::string& key) {
  throw StoreError(ErrorKind::failed, StoreError::Transient::no,
                   fmt::format("unable to change {}: damage is only rehearsed here", quote(key)));
}

PutOutcome BrokenStore::put(const std::string& key, const ObjectBody&, PutMode) {
  refuse(key);
}

std::vector<RemoveFailure> BrokenStore::remove(std::span<const std::string> keys) {
  refuse(keys.empty() ? std::string{} : keys.front());
}

std::optional<Bytes> BrokenStore::get(const std::string& key, std::optional<ByteRange> range) {
  if (is_lost(key)) return std::nullopt;
  auto bytes = inner().get(key, range);
  if (bytes && !bytes->empty() && m_damage->of(key)) (*bytes)[bytes->size() / 2] ^= 1;
  return bytes;
}

std::optional<ObjectInfo> BrokenStore::head(const std::string& key) {
  if (is_lost(key)) return std::nullopt;
  return inner().head(key);
}

void BrokenStore::list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) {
  inner().list(prefix, [&](const ObjectInfo& info) {
    if (!is_lost(info.key)) visit(info);
  });
}

void BrokenStore::list_after(const std::string& prefix, const std::string& after,
                             const std::function<void(const ObjectInfo&)>& visit) {
  inner().list_after(prefix, after, [&](const ObjectInfo& info) {
    if (!is_lost(info.key)) visit(info);
  });
}

}  // namespace cairn
