#include "repo/repository_basis.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

const minisign::SecretKey* HostSigningKey::get() const {
  std::call_once(m_asked, [this] {
    if (!m_load) return;
    try {
      m_key = m_load();
    } catch (const Error& e) {
      m_reporter.warning(fmt::format("{}; what is stored is not signed", e.message()));
    }
  });
  return m_key.get();
}

std::optional<std::string> RepositoryBasis::own_public_key() const {
  if (trust.demands_signature() || !signing_key.is_configured()) return std::nullopt;
  const auto* key = signing_key.get();
  if (key == nullptr) return std::nullopt;
  return key->public_key().text();
}

std::optional<StoreSigner> RepositoryBasis::signer() const {
  const auto* key = signing_key.get();
  if (key == nullptr) return std::nullopt;
  return StoreSigner{*key, descriptor.store_id};
}

}  // namespace cairn
