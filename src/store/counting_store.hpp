// A decorator that counts what is fetched.
#pragma once

#include "store/forwarding_store.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace cairn {

class CountingStore : public ForwardingStore {
 public:
  using Bytes64 = std::atomic<std::uint64_t>;

  // bytes: grows by those of each object, or part of one, that was got.
  CountingStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<Bytes64> bytes)
      : ForwardingStore(std::move(store)), m_bytes(std::move(bytes)) {}

  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override {
    auto got = inner().get(key, range);
    if (got) m_bytes->fetch_add(got->size(), std::memory_order_relaxed);
    return got;
  }

 private:
  std::shared_ptr<Bytes64> m_bytes;
};

}  // namespace cairn
