// A decorator that measures for how long a store was being read from.
#pragma once

#include "store/forwarding_store.hpp"
#include "util/busy_clock.hpp"

#include <memory>
#include <utility>

namespace cairn {

class MeteredStore : public ForwardingStore {
 public:
  // reading: counts while get(), head() or a listing is under way.
  MeteredStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<BusyClock> reading)
      : ForwardingStore(std::move(store)), m_reading(std::move(reading)) {}

  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override {
    const BusyClock::Running running{m_reading.get()};
    return inner().get(key, range);
  }
  std::optional<ObjectInfo> head(const std::string& key) override {
    const BusyClock::Running running{m_reading.get()};
    return inner().head(key);
  }
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    const BusyClock::Running running{m_reading.get()};
    inner().list(prefix, visit);
  }

 private:
  std::shared_ptr<BusyClock> m_reading;
};

}  // namespace cairn
