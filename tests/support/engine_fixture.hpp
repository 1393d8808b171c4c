// An open repository with its context on a store, and hand-made packs and snapshots in it, for tests of the engine.
#pragma once

#include "codec/zstd.hpp"
#include "engine/context.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"
#include "repo/repository.hpp"
#include "store/object_store.hpp"
#include "util/file.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn::test {

class CollectingReporter : public Reporter {
 public:
  void warning(const std::string& message) override {
    const std::scoped_lock lock{m_mutex};
    warnings.push_back(message);
  }
  void info(const std::string&) override {}
  void progress(const char*, std::uint64_t, std::uint64_t) override {}
  std::vector<std::string> warnings;

 private:
  std::mutex m_mutex;
};

// Makes the store's descriptor where there is none.
class EngineFixture {
 public:
  explicit EngineFixture(ObjectStore& store, const fs::path& cache = {}, std::string host = "host",
                         std::shared_ptr<const Keyring> keys = {}, TrustPolicy trust = {},
                         std::shared_ptr<const minisign::SecretKey> signing_key = {}, const fs::path& state = {})
      : pool(2),
        io(2),
        put(2),
        repository((ensure(store), store), reporter,
                   options(cache, std::move(keys), std::move(trust), std::move(signing_key), state)),
        context{repository, pool, io, put, reporter, std::move(host), [&store] { return store.now(); }} {}

  ThreadPool pool;
  ThreadPool io;
  ThreadPool put;
  CollectingReporter reporter;
  Repository repository;
  Context context;

  // A pack of one frame for each text, each text one chunk.
  static PackBuilder::Built build_pack(const std::vector<std::string>& texts) {
    PackBuilder builder{std::nullopt};
    for (const auto& text : texts) {
      builder.add_frame(zstd_compress(as_bytes(text)), {{sha256(text), static_cast<std::uint32_t>(text.size())}});
    }
    return builder.finish();
  }
  PackRef put_pack(const std::vector<std::string>& texts) {
    const auto built = build_pack(texts);
    repository.store().put("packs/" + built.ref.name.hex().substr(0, 2) + "/" + built.ref.name.hex(),
                           ObjectBody::from_memory(built.memory));
    return built.ref;
  }
  // A manifest without entries that needs the packs.
  static Manifest make_manifest(const std::string& series, Time cut_point, std::vector<PackRef> packs,
                                std::uint64_t sequence = 1) {
    Record record;
    record.series = series;
    record.cut_point = cut_point;
    record.sequence = sequence;
    Facts facts;
    facts.salt = random_name(16);
    facts.host = "host";
    facts.kind = "directory";
    facts.source = "/source";
    Root root;
    root.salt = random_name(16);
    return Manifest::make(std::move(record), std::move(facts), std::move(root), std::move(packs));
  }
  // Puts it and returns its key.
  std::string put_manifest(const std::string& series, Time cut_point, std::vector<PackRef> packs) {
    return repository.manifests().store(make_manifest(series, cut_point, std::move(packs)));
  }

 private:
  static RepositoryOptions options(const fs::path& cache, std::shared_ptr<const Keyring> keys, TrustPolicy trust,
                                   std::shared_ptr<const minisign::SecretKey> signing_key, const fs::path& state) {
    RepositoryOptions out;
    if (signing_key) out.signing_key = [signing_key] { return signing_key; };
    if (!state.empty()) out.own_packs = [state](const std::string& id) { return state / id; };
    out.cache_root = cache;
    out.keys = std::move(keys);
    out.trust = std::move(trust);
    return out;
  }
  static void ensure(ObjectStore& store) {
    bool there = false;
    store.list("config/", [&](const ObjectInfo&) { there = true; });
    if (there) return;
    Descriptor descriptor;
    descriptor.store_id = random_name(16);
    descriptor.created = store.now();
    descriptor.create_only = store.capabilities().create_only;
    init_store(store, descriptor);
  }
};

}  // namespace cairn::test
