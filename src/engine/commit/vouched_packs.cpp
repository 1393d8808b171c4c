#include "engine/commit/vouched_packs.hpp"

#include <algorithm>

namespace cairn {

namespace {

bool is_same(const PackRef& a, const PackRef& b) {
  return a.size == b.size && a.directory_offset == b.directory_offset && a.directory_size == b.directory_size &&
         a.seal == b.seal && a.logical_id == b.logical_id;
}

}  // namespace

VouchedPacks::VouchedPacks(Repository& repository) : m_repository(repository), m_matters(repository.vouches()) {
  if (!m_matters) return;
  for (const auto& ref : repository.own_packs().all()) m_own.emplace(ref.name, ref);
}

void VouchedPacks::add(const Manifest& manifest) {
  if (!manifest.closed) add(manifest.packs_signers, manifest.packs);
}

void VouchedPacks::add(const std::vector<std::string>& signers, const std::vector<PackRef>& packs) {
  if (!m_matters) return;
  const std::scoped_lock lock{m_mutex};
  for (const auto& key : signers) {
    for (const auto& ref : packs) m_signed[key].emplace(ref.name, ref);
  }
}

void VouchedPacks::add_own(const PackRef& ref) {
  if (!m_matters) return;
  m_repository.own_packs().add(ref);
  add_known(ref);
}

void VouchedPacks::add_known(const PackRef& ref) {
  if (!m_matters) return;
  const std::scoped_lock lock{m_mutex};
  m_own.insert_or_assign(ref.name, ref);
}

bool VouchedPacks::is_own(const PackRef& ref) const {
  const std::scoped_lock lock{m_mutex};
  const auto found = m_own.find(ref.name);
  return found != m_own.end() && is_same(found->second, ref);
}

bool VouchedPacks::has(const PackRef& ref, const std::string& series) const {
  const std::scoped_lock lock{m_mutex};
  const auto names = [&](const Packs& packs) {
    const auto found = packs.find(ref.name);
    return found != packs.end() && is_same(found->second, ref);
  };
  return names(m_own) || std::any_of(m_signed.begin(), m_signed.end(), [&](const auto& of_key) {
           return m_repository.trust().trusts(of_key.first, series) && names(of_key.second);
         });
}

bool VouchedPacks::allows(const PackRef& ref, const std::string& series) const {
  return !m_repository.trust().demands_signature() || has(ref, series);
}

}  // namespace cairn
