#include "cli/fallback_stores.hpp"

#include "repo/objects.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// A store that was opened only now, and what the snapshot has there.
struct OtherStore {
  OpenStore store;

  FallbackStore::Opened find(const SnapshotInfo& snapshot) {
    Repository& repository = *store.repository;
    std::vector<ManifestInfo> copies;
    for (auto& info : repository.manifests().list()) {
      if (info.name.id == snapshot.id.short_hex()) copies.push_back(std::move(info));
    }
    FallbackStore::Opened opened;
    if (copies.empty()) return opened;
    // Its chunks are held against digests that the snapshot's own manifest leads to.
    auto read = read_best_copy(repository, std::move(copies), CopyTrust::not_asked);
    if (!read.found)
      throw read.failures.empty() ? Error(ErrorKind::damaged, "no manifest can be read") : Error(read.failures.front());
    Manifest& manifest = read.found->manifest;
    if (is_sealed(manifest.seal)) repository.keys().load_identities();
    opened.refs = std::move(manifest.packs);
    opened.refs.insert(opened.refs.end(), manifest.spare_packs.begin(), manifest.spare_packs.end());
    return opened;
  }
};

std::vector<std::string> pushed_to(const Config& config, const std::string& series) {
  std::vector<std::string> names;
  for (const auto& [source_name, source] : config.sources) {
    if (source.series != series) continue;
    for (const auto& name : source.push_to) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

}  // namespace

FallbackStores::FallbackStores(Session& session, Repository& repository, const std::string& store,
                               std::vector<std::string> from, const SnapshotInfo& snapshot, const KeyOptions& keys)
    : m_store(store) {
  if (from.empty()) {
    from = pushed_to(session.config(), snapshot.record.series);
    std::erase(from, store);
  } else if (std::find(from.begin(), from.end(), store) != from.end()) {
    throw Error(ErrorKind::usage, fmt::format("--from {} is the store that is restored from", quote(store)));
  }
  if (from.empty()) return;
  std::vector<FallbackStore> others;
  for (const std::string& name : from) {
    // A name that is none is told now, and not when it is needed.
    static_cast<void>(parse_store_url(session.address(name).url));
    others.push_back({name, [&session, &keys, name, snapshot] {
                        auto other = std::make_shared<OtherStore>();
                        other->store = session.open(name, StoreUse::read, &keys);
                        FallbackStore::Opened opened = other->find(snapshot);
                        opened.packs = {other, &other->store.repository->packs()};
                        return opened;
                      }});
  }
  m_packs = std::make_unique<FallbackPacks>(repository.packs(), std::move(others));
}

void FallbackStores::tell(Reporter& reporter) const {
  if (!m_packs) return;
  const auto away = m_packs->away();
  for (const auto& taken : m_packs->taken()) {
    const std::string packs = counted(taken.packs, "pack was", "packs were");
    reporter.warning(away ? fmt::format("{} read from {}, as {} did not answer: {}", packs, quote(taken.store),
                                        quote(m_store), *away)
                          : fmt::format("{} read from {}, as {} has lost or damaged them; see verify --repair-from",
                                        packs, quote(taken.store), quote(m_store)));
  }
}

void FallbackStores::write(JsonWriter& to) const {
  to.key("fallback").begin_array();
  if (m_packs) {
    for (const auto& taken : m_packs->taken()) {
      to.begin_object().member("store", terminal_safe(taken.store)).member("packs", taken.packs).end_object();
    }
  }
  to.end_array();
}

}  // namespace cairn
