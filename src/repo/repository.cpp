#include "repo/repository.hpp"

#include "repo/layout.hpp"
#include "util/error.hpp"

#include <unordered_set>
#include <utility>

namespace cairn {

RepositoryBasis Repository::basis_of(ObjectStore& store, Reporter& reporter, RepositoryOptions& options,
                                     ThreadPool& no_threads) {
  Descriptor descriptor = options.descriptor ? *options.descriptor : read_descriptor(store);
  const auto sealed = descriptor.encrypted() ? ObjectWriter::Sealed::yes : ObjectWriter::Sealed::no;
  Cache cache{options.cache_root, descriptor.store_id};
  auto keys = options.keys ? options.keys : std::make_shared<const Keyring>();
  return {.store = store,
          .reporter = reporter,
          .descriptor = std::move(descriptor),
          .cache = std::move(cache),
          .io = options.io != nullptr ? *options.io : no_threads,
          .has_threads = options.io != nullptr,
          .keys = std::move(keys),
          .trust = std::move(options.trust),
          .signing_key = {std::move(options.signing_key), reporter},
          .writer = {store, sealed}};
}

Repository::Repository(ObjectStore& store, Reporter& reporter, RepositoryOptions options)
    : m_basis(basis_of(store, reporter, options, m_no_threads)),
      m_own_packs(options.own_packs ? options.own_packs(m_basis.descriptor.store_id) : fs::path{}),
      m_packs(m_basis, options.directory_memory),
      m_notes(m_basis),
      m_drills(m_basis),
      m_manifests(m_basis, m_notes) {}

void Repository::sweep_cache() {
  if (!m_basis.cache.claim_sweep()) return;
  std::unordered_set<std::string> there;
  std::unordered_set<std::string> ids;  // short
  try {
    for (const char* prefix : {layout::k_packs, layout::k_snapshots, layout::k_marks, layout::k_drills}) {
      m_basis.store.list(prefix, [&](const ObjectInfo& info) {
        there.insert(fs::path{info.key}.filename().native());
        if (const auto name = layout::parse_manifest_key(info.key)) ids.insert(name->id);
      });
    }
  } catch (const Error&) {
    return;
  }
  m_basis.cache.sweep([&](std::string_view kind, const std::string& name) {
    if (kind != "own") return there.contains(name);
    const auto id = Digest::parse(name);
    return id && ids.contains(id->short_hex());
  });
}

}  // namespace cairn
