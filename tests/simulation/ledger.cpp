#include "ledger.hpp"

#include "repo/layout.hpp"
#include "repo/manifest.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::sim {

void Ledger::put(const std::string& key, const Bytes& bytes, bool vouched, std::size_t run) {
  if (key.starts_with(layout::k_packs)) {
    const auto [at, added] = m_ever_put.emplace(key, run);
    if (added) ++m_packs_put;
    if (at->second != run) m_world.violated(fmt::format("{}: two uploads share the name {}", m_bucket.name(), key));
    return;
  }
  if (!layout::parse_manifest_key(key)) return;
  if (m_manifests.contains(key)) return;  // a retry
  ++m_manifests_put;
  const auto parsed = cairn::Manifest::parse(as_text(bytes), key);
  Manifest manifest;
  manifest.id = parsed.id;
  for (const auto& ref : parsed.packs) {
    const std::string pack = layout::pack_key(ref.name);
    const auto* object = m_bucket.find(pack);
    if (object == nullptr || object->bytes->size() != ref.size) ++manifest.missing;
    manifest.packs.insert(pack);
    m_needed_by[pack].insert(key);
  }
  m_manifests.emplace(key, std::move(manifest));
  if (!vouched) m_doubtful.insert(parsed.id);
  check(parsed.id, "the commit of " + key);
}

void Ledger::remove(const std::string& key) {
  if (m_bucket.find(key) == nullptr) return;
  if (const auto found = m_manifests.find(key); found != m_manifests.end()) {
    ++m_manifests_removed;
    for (const auto& pack : found->second.packs) m_needed_by[pack].erase(key);
    m_manifests.erase(found);
    return;
  }
  if (!key.starts_with(layout::k_packs)) return;
  ++m_packs_removed;
  const auto needed = m_needed_by.find(key);
  if (needed == m_needed_by.end()) return;
  std::set<Digest> ids;
  for (const auto& manifest : needed->second) {
    auto& entry = m_manifests.at(manifest);
    ++entry.missing;
    ids.insert(entry.id);
  }
  for (const auto& id : ids) check(id, "the removal of " + key);
}

void Ledger::committed(const Digest& id) {
  m_doubtful.erase(id);
  check(id, "the end of its writer");
}

// A second manifest of a snapshot is committed where packs of the first one had gone: one whole one is enough.
void Ledger::check(const Digest& id, const std::string& after) {
  if (m_doubtful.contains(id)) return;
  bool there = false;
  for (const auto& [key, manifest] : m_manifests) {
    if (manifest.id != id) continue;
    if (manifest.missing == 0) return;
    there = true;
  }
  if (there)
    m_world.violated(fmt::format("{}: snapshot {} lacks packs after {}", m_bucket.name(), id.short_hex(), after));
}

}  // namespace cairn::sim
