// A decorator for rehearsing damage: one object looks lost, or comes back with a bit flipped. Nothing that is stored is
// touched, and nothing can be stored or removed through it.
#pragma once

#include "store/forwarding_store.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace cairn {

// The damage; none until an object is named. Thread-safe.
class RehearsedDamage {
 public:
  enum class Fault {
    lost,     // it is not there
    flipped,  // each part of it that is read has one bit changed
  };
  void plant(std::string key, Fault fault) {
    const std::scoped_lock lock{m_mutex};
    m_key = std::move(key);
    m_fault = fault;
  }
  std::optional<Fault> of(const std::string& key) const {
    const std::scoped_lock lock{m_mutex};
    return !m_key.empty() && m_key == key ? std::optional{m_fault} : std::nullopt;
  }

 private:
  mutable std::mutex m_mutex;
  std::string m_key;
  Fault m_fault = Fault::lost;
};

class BrokenStore : public ForwardingStore {
 public:
  BrokenStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<const RehearsedDamage> damage)
      : ForwardingStore(std::move(store)), m_damage(std::move(damage)) {}

  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override;
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  // A directory here could be read past this.
  std::optional<fs::path> root() const override { return std::nullopt; }
  std::optional<fs::path> make_staging() override { return std::nullopt; }
  std::size_t sweep_temporaries(std::span<const std::string_view>, std::chrono::nanoseconds) override { return 0; }

 private:
  [[noreturn]] static void refuse(const std::string& key);
  bool is_lost(const std::string& key) const { return m_damage->of(key) == RehearsedDamage::Fault::lost; }

  std::shared_ptr<const RehearsedDamage> m_damage;
};

}  // namespace cairn
