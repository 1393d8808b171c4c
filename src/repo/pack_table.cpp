#include "repo/pack_table.hpp"

#include "util/error.hpp"

#include <set>

#include <fmt/format.h>

namespace cairn {

PackTable::PackTable(const Manifest& manifest) : m_packs(manifest.packs), m_spares(manifest.spare_packs) {
  m_index.reserve(m_packs.size());
  for (std::size_t i = 0; i < m_packs.size(); ++i) m_index.emplace(m_packs[i].prefix(), i);
}

std::optional<PackTable> PackTable::of(std::span<const Manifest* const> manifests) {
  PackTable table;
  std::set<Digest> names;
  const auto add_spare = [&](const PackRef& ref) {
    if (names.insert(ref.name).second) table.m_spares.push_back(ref);
  };
  for (const Manifest* const manifest : manifests) {
    for (const PackRef& ref : manifest->packs) {
      const auto [at, added] = table.m_index.emplace(ref.prefix(), table.m_packs.size());
      if (added) {
        names.insert(ref.name);
        table.m_packs.push_back(ref);
      } else if (table.m_packs[at->second].logical_id != ref.logical_id) {
        return std::nullopt;
      } else {
        add_spare(ref);
      }
    }
  }
  for (const Manifest* const manifest : manifests) {
    for (const PackRef& ref : manifest->spare_packs) add_spare(ref);
  }
  return table;
}

const PackRef* PackTable::find_if_there(std::uint64_t prefix) const noexcept {
  const auto found = m_index.find(prefix);
  return found == m_index.end() ? nullptr : &m_packs[found->second];
}

const PackRef& PackTable::find(std::uint64_t prefix) const {
  if (const PackRef* ref = find_if_there(prefix)) return *ref;
  throw Error(ErrorKind::damaged,
              fmt::format("damaged entry list: it refers to pack {:016x}, which the manifest does not list", prefix));
}

std::vector<PackRef> PackTable::spares(const PackRef& of) const {
  std::vector<PackRef> out;
  for (const auto& ref : m_spares) {
    if (ref.logical_id == of.logical_id && ref.name != of.name) out.push_back(ref);
  }
  return out;
}

}  // namespace cairn
