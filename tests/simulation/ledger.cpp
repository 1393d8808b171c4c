#include "ledger.hpp"

#include "repo/layout.hpp"
#include "repo/manifest.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::sim {

// So long may a prune take from its last look at the pins until a manifest is gone: it gives up where it notices.
constexpr std::chrono::hours k_stalled{1};

void Ledger::put(const std::string& key, const Bytes& bytes, bool vouched, std::size_t run) {
  if (key.starts_with(layout::k_packs)) {
    const auto [at, added] = m_ever_put.emplace(key, run);
    if (added) ++m_packs_put;
    if (at->second != run) m_world.violated(fmt::format("{}: two uploads share the name {}", m_bucket.name(), key));
    return;
  }
  if (!layout::parse_manifest_key(key) || m_forged.contains(key)) return;
  if (m_manifests.contains(key)) return;  // a retry
  ++m_manifests_put;
  const auto parsed = cairn::Manifest::parse(as_text(bytes), key);
  Manifest manifest;
  manifest.id = parsed.id;
  for (const auto& ref : parsed.packs) {
    const std::string pack = layout::pack_key(ref.name);
    manifest.packs.emplace(pack, ref.size);
    m_needed_by[pack].insert(key);
  }
  m_manifests.emplace(key, std::move(manifest));
  m_of[parsed.id].insert(key);
  if (!vouched) m_doubtful.insert(parsed.id);
  check(parsed.id, "the commit of " + key);
}

void Ledger::remove(const std::string& key, std::optional<Time> pins_listed) {
  if (m_bucket.find(key) == nullptr) return;
  if (const auto found = m_manifests.find(key); found != m_manifests.end()) {
    ++m_manifests_removed;
    const Digest id = found->second.id;
    for (const auto& [pack, size] : found->second.packs) m_needed_by[pack].erase(key);
    m_manifests.erase(found);
    auto& others = m_of[id];
    others.erase(key);
    if (others.empty()) check_unpinned(id, key, pins_listed);
    return;
  }
  if (!key.starts_with(layout::k_packs)) return;
  ++m_packs_removed;
  const auto needed = m_needed_by.find(key);
  if (needed == m_needed_by.end()) return;
  std::set<Digest> ids;
  for (const auto& manifest : needed->second) ids.insert(m_manifests.at(manifest).id);
  for (const auto& id : ids) check(id, "the removal of " + key, key);
}

void Ledger::check_unpinned(const Digest& id, const std::string& key, std::optional<Time> pins_listed) {
  const auto pinned = m_pinned.find(id);
  if (pinned == m_pinned.end()) return;
  // Listings that lag cannot show what is younger.
  const Nanoseconds lag = m_bucket.nature().list_lag;
  const Time now = m_world.scheduler.now();
  const bool excused = pins_listed && (lag != Nanoseconds::zero() || now - *pins_listed > k_stalled) &&
                       pinned->second + lag > *pins_listed;
  if (!excused) m_world.violated(fmt::format("{}: {} is removed, and it is pinned", m_bucket.name(), key));
}

Ledger::PinAttempt Ledger::begin_pin(const Digest& id, bool pin) {
  if (!pin) {
    m_pinned.erase(id);
    m_unpinned[id] = Time::max();
  }
  return {id, m_world.scheduler.now(), pin};
}

void Ledger::end_pin(const PinAttempt& attempt, bool well) {
  const auto unpinned = m_unpinned.find(attempt.id);
  if (!attempt.pin) {
    unpinned->second = m_world.scheduler.now();
    return;
  }
  if (!well) return;
  if (unpinned != m_unpinned.end()) {
    // Two who do the opposite at the same time; or somebody who cannot see what went before, and, where the store's
    // clock is wrong, cannot be later than that, either.
    const Nanoseconds lag = m_bucket.nature().list_lag;
    const bool hidden = lag != Nanoseconds::zero() || m_world.faults.late != 0;
    if (hidden && !m_bucket.nature().wrong_clocks.empty()) return;
    if (shifted(unpinned->second, lag) >= attempt.began) return;
  }
  m_pinned.emplace(attempt.id, m_world.scheduler.now());
}

void Ledger::committed(const Digest& id) {
  m_doubtful.erase(id);
  check(id, "the end of its writer");
}

void Ledger::restored(const std::string& key) {
  // Else it was removed once more.
  if (const auto found = m_manifests.find(key); found != m_manifests.end()) committed(Digest{found->second.id});
}

std::set<Digest> Ledger::snapshots() const {
  std::set<Digest> out;
  for (const auto& [id, keys] : m_of) {
    if (!keys.empty()) out.insert(id);
  }
  return out;
}

bool Ledger::whole(const Manifest& manifest, const std::string& gone) const {
  return std::all_of(manifest.packs.begin(), manifest.packs.end(), [&](const auto& pack) {
    const auto* object = pack.first == gone ? nullptr : m_bucket.find(pack.first);
    return object != nullptr && object->bytes->size() == pack.second;
  });
}

// A second manifest of a snapshot is committed where packs of the first one had gone: one whole one is enough.
void Ledger::check(const Digest& id, const std::string& after, const std::string& gone) {
  if (m_doubtful.contains(id)) return;
  const auto& keys = m_of[id];
  if (keys.empty()) return;
  for (const auto& key : keys) {
    if (whole(m_manifests.at(key), gone)) return;
  }
  m_world.violated(fmt::format("{}: snapshot {} lacks packs after {}", m_bucket.name(), id.short_hex(), after));
}

}  // namespace cairn::sim
