#include "engine/verify/list_signer.hpp"

#include "engine/commit/commit_protocol.hpp"
#include "repo/objects.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

// No series has this name: the journal of such runs.
constexpr const char* k_journal = ".sign";

class ListSigner {
 public:
  ListSigner(Context& context, const SignListsRequest& request)
      : m_context(context),
        m_request(request),
        m_key(context.repository.signing_key()->public_key().text()),
        m_protocol(context, k_journal, random_name(16), request.spool) {
    for (const auto& ref : request.proven) m_protocol.vouched().add_known(ref);
  }

  SignListsResult run() {
    std::set<std::string> done;
    try {
      for (const auto& info : m_request.manifests) {
        check_interrupted();
        if (done.insert(snapshot_name(info)).second) sign(info);
      }
    } catch (...) {
      m_protocol.abandon();
      throw;
    }
    m_protocol.finish();
    return std::move(m_result);
  }

 private:
  void sign(const ManifestInfo& info) {
    const auto there = [this](const PackRef& ref) { return m_protocol.usable(ref); };
    auto read = read_best_copy(m_context.repository, copies_of(info, m_request.manifests), CopyTrust::demanded, there);
    // Verify has told of a manifest that cannot be read; one that is not trusted is not signed.
    if (!read.found || m_context.repository.manifests().is_vouched(read.found->manifest)) return;
    Manifest& manifest = read.found->manifest;
    const auto failure = any_failure_of([&] {
      if (!m_context.repository.trust().trusts(m_key, manifest.record.series)) {
        throw Error(ErrorKind::untrusted, "the signing key is not trusted for its series");
      }
      manifest.require_open();
      check_requirements(manifest.requirements, Operation::rewrite, read.found->info.key);
      const auto name_proven = [&](PackRef& ref) { ref = proven(ref, manifest); };
      std::for_each(manifest.packs.begin(), manifest.packs.end(), name_proven);
      std::sort(manifest.packs.begin(), manifest.packs.end());
      m_protocol.commit(manifest, [this](const PackRef& pack) { return m_protocol.store_pack_again(pack); });
      ++m_result.snapshots;
    });
    if (failure) m_result.left.push_back({snapshot_name(info), failure->message()});
  }

  // The pack, or one with its content that another manifest names.
  PackRef proven(const PackRef& ref, const Manifest& manifest) const {
    std::vector<PackRef> offers{ref};
    std::copy_if(manifest.spare_packs.begin(), manifest.spare_packs.end(), std::back_inserter(offers),
                 [&](const PackRef& spare) { return spare.logical_id == ref.logical_id; });
    const auto found = std::find_if(offers.begin(), offers.end(), [&](const PackRef& offer) {
      return m_protocol.seen(offer) && m_protocol.vouched().has(offer, manifest.record.series);
    });
    if (found == offers.end()) {
      throw Error(ErrorKind::damaged,
                  fmt::format("pack {} is damaged, or no key at hand opens it", quote(layout::pack_key(ref.name))));
    }
    PackRef out = *found;
    out.raw_bytes = ref.raw_bytes;
    out.live_bytes = ref.live_bytes;
    return out;
  }

  Context& m_context;
  const SignListsRequest& m_request;
  std::string m_key;
  CommitProtocol m_protocol;
  SignListsResult m_result;
};

}  // namespace

void check_list_signer(const Repository& repository) {
  const auto* key = repository.signing_key();
  if (key == nullptr) {
    throw Error(ErrorKind::usage, "no signing key to sign the lists of packs with",
                "name one with CAIRN_SIGNING_KEY, or signing_key in the configuration");
  }
  const auto& trusted = repository.trust().trusted;
  const std::string own = key->public_key().text();
  if (!trusted.empty() &&
      std::none_of(trusted.begin(), trusted.end(), [&](const TrustedKey& each) { return each.key == own; })) {
    throw Error(ErrorKind::usage, "the signing key is none of those that are trusted for this store",
                "its public key belongs into the store's trusted_keys");
  }
}

SignListsResult sign_lists(Context& context, const SignListsRequest& request) {
  Repository& repository = context.repository;
  check_requirements(repository.descriptor().requirements, Operation::write, repository.store().describe());
  check_list_signer(repository);
  return ListSigner{context, request}.run();
}

}  // namespace cairn
