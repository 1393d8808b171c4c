#include "engine/snapshot/base_selection.hpp"

#include "engine/snapshot/dedup_index.hpp"
#include "engine/snapshot/lean_policy.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace cairn {

SnapshotBase find_base(Context& context, CommitProtocol& protocol, std::vector<ManifestInfo> manifests,
                       const BaseQuery& query) {
  SnapshotBase base;
  base.manifests = std::move(manifests);
  std::stable_sort(base.manifests.begin(), base.manifests.end(), [](const ManifestInfo& a, const ManifestInfo& b) {
    return std::tie(a.name.cut_point, a.name.id) > std::tie(b.name.cut_point, b.name.id);
  });
  base.history = read_history(context, base.manifests, query.series,
                              [&protocol](const PackRef& ref) { return protocol.usable(ref); });
  if (query.drop_is_limited && base.history.before.closed) {
    context.reporter.warning(fmt::format(
        "max_drop of series {} is not checked: no key at hand opens any of its snapshots", quote(query.series)));
  }
  check_claim(context, base.history, query.series, query.claim);
  base.previous = std::exchange(base.history.base, std::nullopt);
  if (base.previous) protocol.vouched().add(*base.previous);
  for (const auto* more : {&base.history.others, &base.history.copies}) {
    for (const auto& manifest : *more) protocol.vouched().add(manifest);
  }
  return base;
}

PackChooser::PackChooser(Context& context, CommitProtocol& protocol, const std::string& series,
                         std::uint64_t pack_target)
    : m_context(context), m_protocol(protocol), m_series(series), m_pack_target(pack_target) {
  m_rules.sealed_alike = [this](const PackRef& ref) { return ref.seal == m_context.repository.keys().seal(); };
  m_rules.usable = [this](const PackRef& ref) { return m_protocol.usable(ref); };
  m_rules.may_lean = [this](const PackRef& ref) { return m_protocol.may_lean(ref, m_series); };
}

LeanChoice PackChooser::choose(SnapshotBase& base) {
  if (base.previous) lean_on_previous(base);
  lean_on_undecided(m_protocol.adoptable());
  for (const auto& other : base.history.others) lean_on_undecided(other.packs);
  m_choice.first_other = m_choice.packs.all().size();
  lean_on_other_series(base.manifests);
  return std::move(m_choice);
}

void PackChooser::lean_on_previous(SnapshotBase& base) {
  Manifest& previous = *base.previous;
  previous.packs = with_spare_packs(previous, m_rules);
  const auto lean = choose_packs_to_lean_on(previous.packs, lean_policy_after(previous, m_pack_target));
  vouch_for(base, lean);
  for (std::size_t i = 0; i < lean.size(); ++i) {
    m_decided.insert(previous.packs[i].logical_id);
    if (lean[i]) lean_on(previous.packs[i]);
  }
  const std::size_t otherwise_sealed = count_otherwise_sealed(previous.packs, m_rules);
  if (otherwise_sealed == 0) return;
  m_context.reporter.warning(
      fmt::format("{} of {} packs of the previous snapshot are sealed to other recipients than now: what they hold "
                  "is stored again",
                  otherwise_sealed, lean.size()));
}

// Packs of the previous snapshot that nobody vouches for are read whole, or stored again: after an update once, and
// where neither a signing key nor the host's state is at hand each time.
void PackChooser::vouch_for(const SnapshotBase& base, const std::vector<bool>& lean) {
  const auto wanting = [&] { return packs_without_voucher(base.previous->packs, lean, m_rules); };
  if (wanting().empty()) return;
  // Older snapshots may name the same packs, with a signature.
  for (const auto& info : base.manifests) {
    const auto manifest = m_context.repository.manifests().cached(info);
    if (manifest && manifest->trusted) m_protocol.vouched().add(*manifest);
  }
  const auto closed = m_protocol.read_whole(wanting());
  if (closed.empty()) return;
  std::uint64_t bytes = 0;
  for (const auto& ref : closed) bytes += ref.size;
  m_context.reporter.warning(
      fmt::format("no trusted key vouches for {} packs ({}) of the previous snapshot, and no key at hand opens them: "
                  "what they hold is stored again (cairn verify --sign-packs, where the identity is, saves that)",
                  closed.size(), format_size(bytes)));
}

// The newest snapshot of each other series, as far as this host has its manifest and directories at hand.
void PackChooser::lean_on_other_series(const std::vector<ManifestInfo>& manifests) {
  std::map<std::string, const layout::ManifestKey*> newest;  // of each series, with all manifests of that snapshot
  std::uint64_t chunks = 0;
  for (const auto& info : manifests) {
    if (info.name.series == m_series) continue;
    const auto* first = newest.emplace(info.name.series, &info.name).first->second;
    if (!same_snapshot(*first, info.name)) continue;
    const auto manifest = m_context.repository.manifests().cached(info);
    if (!manifest || manifest->closed || !manifest->trusted || !manifest->requirements.write.empty()) continue;
    m_protocol.vouched().add(*manifest);
    for (const auto& ref : manifest->packs) {
      if (m_decided.contains(ref.logical_id) || !m_rules.can_lean(ref)) continue;
      const auto directory = m_context.repository.packs().cached_directory(ref);
      if (!directory) continue;
      chunks += directory->chunk_count();
      if (chunks > DedupIndex::k_max_table / 2) return;
      lean_on(ref);
    }
  }
}

void PackChooser::lean_on_undecided(const std::vector<PackRef>& packs) {
  for (const auto& ref : packs) {
    if (!m_decided.contains(ref.logical_id)) lean_on(ref);
  }
}

void PackChooser::lean_on(const PackRef& ref) {
  if (m_rules.can_lean(ref)) m_choice.packs.add(ref);
}

}  // namespace cairn
