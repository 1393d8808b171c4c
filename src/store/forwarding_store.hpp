// A store that hands everything to another one: what decorators begin with, so that they say only what they change.
#pragma once

#include "store/object_store.hpp"

#include <memory>
#include <utility>

namespace cairn {

class ForwardingStore : public ObjectStore {
 public:
  std::string describe() const override { return m_store->describe(); }
  Capabilities capabilities() override { return m_store->capabilities(); }
  bool probe_create_only() override { return m_store->probe_create_only(); }
  void set_create_only(bool probed) override { m_store->set_create_only(probed); }
  void set_permissions(Permissions permissions) override { m_store->set_permissions(permissions); }
  bool readable_by_others(const std::string& key) override { return m_store->readable_by_others(key); }
  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override {
    return m_store->put(key, body, mode);
  }
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override {
    return m_store->get(key, range);
  }
  std::optional<ObjectInfo> head(const std::string& key) override { return m_store->head(key); }
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    m_store->list(prefix, visit);
  }
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override {
    m_store->list_after(prefix, after, visit);
  }
  void make_durable(std::span<const std::string> keys) override { m_store->make_durable(keys); }
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override { return m_store->remove(keys); }
  Time now() override { return m_store->now(); }
  std::optional<fs::path> root() const override { return m_store->root(); }
  Distance distance() const override { return m_store->distance(); }
  std::optional<fs::path> make_staging() override { return m_store->make_staging(); }
  std::size_t sweep_temporaries(std::span<const std::string_view> directories,
                                std::chrono::nanoseconds age = std::chrono::hours{24}) override {
    return m_store->sweep_temporaries(directories, age);
  }
  std::uint64_t requests() const override { return m_store->requests(); }

 protected:
  explicit ForwardingStore(std::unique_ptr<ObjectStore> store) : m_store(std::move(store)) {}
  ObjectStore& inner() const noexcept { return *m_store; }

 private:
  std::unique_ptr<ObjectStore> m_store;
};

}  // namespace cairn
