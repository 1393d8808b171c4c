// The basis of a repository's parts: an open store, what is known of it, and this host's part in it.
#pragma once

#include "repo/cache.hpp"
#include "repo/descriptor.hpp"
#include "repo/keyring.hpp"
#include "repo/object_writer.hpp"
#include "repo/trust.hpp"
#include "store/object_store.hpp"
#include "util/log.hpp"
#include "util/thread_pool.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace cairn {

// Whether what this host has kept of an object will do. no: what is in the store is what is asked about (verify).
enum class Cached { no, yes };

// The key that this host signs with in one store, loaded when it is first asked for. Thread-safe.
class HostSigningKey {
 public:
  using Load = std::function<std::shared_ptr<const minisign::SecretKey>()>;
  // load: called at most once; empty: there is no key. Its failure is a warning.
  HostSigningKey(Load load, Reporter& reporter) : m_load(std::move(load)), m_reporter(reporter) {}
  HostSigningKey(const HostSigningKey&) = delete;
  HostSigningKey& operator=(const HostSigningKey&) = delete;

  // Null: nothing is signed.
  const minisign::SecretKey* get() const;
  // Without loading it.
  bool is_configured() const noexcept { return static_cast<bool>(m_load); }

 private:
  Load m_load;
  Reporter& m_reporter;
  mutable std::once_flag m_asked;
  mutable std::shared_ptr<const minisign::SecretKey> m_key;
};

// Outlives the parts. Thread-safe, for nothing of it changes.
struct RepositoryBasis {
  ObjectStore& store;
  Reporter& reporter;
  Descriptor descriptor;
  Cache cache;
  ThreadPool& io;
  bool has_threads;  // else io runs what it is given at once
  std::shared_ptr<const Keyring> keys;
  TrustPolicy trust;
  HostSigningKey signing_key;
  ObjectWriter writer;

  // The signer of objects of this store; nothing: they are not signed.
  std::optional<StoreSigner> signer() const;
  // The key whose signatures count where no key is trusted. Where keys are, this host's own is one of them or counts
  // for nothing.
  std::optional<std::string> own_public_key() const;
};

}  // namespace cairn
