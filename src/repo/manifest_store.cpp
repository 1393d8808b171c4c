#include "repo/manifest_store.hpp"

#include "repo/format.hpp"
#include "repo/loaded.hpp"
#include "repo/second_reading.hpp"
#include "repo/whole_object.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {
constexpr std::uint64_t k_head_bytes = 4096;
constexpr std::size_t k_heads_at_once = 64;
}  // namespace

std::vector<ManifestInfo> ManifestStore::list(const std::string& series, std::vector<std::string>* unknown) {
  std::vector<ManifestInfo> out;
  const std::string prefix = series.empty() ? layout::k_snapshots : layout::k_snapshots + series + "/";
  m_basis.store.list(prefix, [&](const ObjectInfo& info) {
    if (auto name = layout::parse_manifest_key(info.key)) {
      out.push_back({info.key, std::move(*name), info.size, info.modified});
    } else if (unknown != nullptr) {
      unknown->push_back(info.key);
    }
  });
  return out;
}

bool ManifestStore::is_listed(const ManifestInfo& wanted) {
  bool found = false;
  m_basis.store.list(wanted.key, [&](const ObjectInfo& info) { found = found || info.key == wanted.key; });
  return found;
}

bool ManifestStore::exists(const std::string& key) {
  return m_basis.store.head(key).has_value();
}

// A manifest of another size in the store than here was damaged there: the cache must not hide it.
std::optional<Bytes> ManifestStore::cached_bytes(const ManifestInfo& info) {
  auto kept = m_basis.cache.get("manifests", fs::path{info.key}.filename().native());
  if (!kept || kept->size() != info.size || !layout::fits_name(*kept, info.name)) return std::nullopt;
  return kept;
}

std::string ManifestStore::load_text(const ManifestInfo& info, Cached cached) {
  if (cached == Cached::yes) {
    if (const auto kept = cached_bytes(info)) return std::string{as_text(*kept)};
  }
  check_object_size("manifest", info.key, info.size);
  const Bytes bytes = read_again_if_damaged(
      [&] {
        auto read = get_whole(m_basis.store, info);
        if (!read) throw missing_object("manifest", info.key);
        if (layout::fits_name(*read, info.name)) return std::move(*read);
        throw Error(ErrorKind::damaged,
                    fmt::format("damaged manifest {}: its bytes do not fit its name", quote(info.key)));
      },
      telling(m_basis.reporter));
  m_basis.cache.put("manifests", fs::path{info.key}.filename().native(), bytes);
  return std::string{as_text(bytes)};
}

void check_name(const Manifest& manifest, const ManifestInfo& info) {
  if (manifest.record.series != info.name.series || manifest.record.cut_point != info.name.cut_point ||
      manifest.id.short_hex() != info.name.id) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged manifest {}: its content does not fit its name", quote(info.key)));
  }
}

Manifest ManifestStore::load(const ManifestInfo& info, Cached cached) {
  Manifest manifest = peek(info, cached);
  manifest.require_open();
  return manifest;
}

Manifest ManifestStore::peek(const ManifestInfo& info, Cached cached) {
  return open(load_text(info, cached), info);
}

Manifest ManifestStore::open(std::string_view text, const ManifestInfo& info) const {
  Manifest manifest = Manifest::parse(text, info.key, *m_basis.keys);
  check_requirements(manifest.requirements, Operation::read, info.key);
  check_name(manifest, info);
  judge(manifest, info);
  return manifest;
}

void ManifestStore::judge(Manifest& manifest, const ManifestInfo& info) const {
  auto judgement = m_basis.trust.judge(manifest.record, manifest.id, manifest.signatures, info.stored_at);
  manifest.trusted = judgement.trusted;
  manifest.signer = std::move(judgement.signer);
  if (!manifest.pack_signatures.empty()) {
    manifest.packs_signers = list_signers(manifest, info.stored_at, m_basis.own_public_key());
  }
}

std::vector<std::string> ManifestStore::list_signers(const Manifest& manifest, Time stored_at,
                                                     const std::optional<std::string>& own) const {
  if (manifest.pack_signatures.empty() || manifest.lists_digest == Digest{}) return {};
  return m_basis.trust.signers(packs_line(m_basis.descriptor.store_id, manifest.id, manifest.lists_digest),
                               manifest.pack_signatures, stored_at, own);
}

bool ManifestStore::is_vouched(const Manifest& manifest) const {
  return std::any_of(manifest.packs_signers.begin(), manifest.packs_signers.end(),
                     [&](const std::string& key) { return m_basis.trust.trusts(key, manifest.record.series); });
}

std::optional<Manifest> ManifestStore::cached(const ManifestInfo& info) {
  const auto kept = cached_bytes(info);
  if (!kept) return std::nullopt;
  try {
    return open(as_text(*kept), info);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Manifest ManifestStore::load_head(const ManifestInfo& info) {
  const std::string name = fs::path{info.key}.filename().native();
  auto cached = cached_bytes(info);
  // A head proves itself: the id that is in the name is a digest of all that is shown of it.
  if (!cached) cached = m_basis.cache.get_of_size("heads", name, info.size);
  const auto open_head = [&](ByteView bytes) {
    auto head = Manifest::parse_head(as_text(bytes), info.key, *m_basis.keys);
    if (!head) return peek(info);
    check_name(*head, info);
    judge(*head, info);
    return std::move(*head);
  };
  if (cached) {
    std::optional<Manifest> head;
    if (!damage_of([&] { head = open_head(*cached); })) return std::move(*head);
  }
  return read_again_if_damaged(
      [&] {
        const auto bytes = m_basis.store.get(info.key, ByteRange{0, k_head_bytes});
        if (!bytes) throw missing_object("manifest", info.key);
        auto head = open_head(*bytes);
        m_basis.cache.put_of_size("heads", name, info.size, as_text(*bytes));
        return head;
      },
      telling(m_basis.reporter));
}

std::vector<SnapshotInfo> ManifestStore::list_snapshots(const std::string& series,
                                                        std::vector<std::string>* unreadable) {
  std::vector<std::string> unknown;
  const auto manifests = list(series, &unknown);
  const auto pinned = m_notes.pins();
  std::vector<SnapshotInfo> out;
  const auto report = [&](const std::string& key, const std::string& message) {
    m_basis.reporter.warning(message);
    if (unreadable != nullptr) unreadable->push_back(key);
  };
  for (const auto& key : unknown) report(key, fmt::format("object {} is not a manifest's name", quote(key)));
  const auto take = [&](Loaded<ManifestInfo, Manifest> loaded) {
    if (loaded.failure) {
      const bool gone = loaded.failure->kind() == ErrorKind::not_found;
      if (gone && !is_listed(*loaded.info)) return;  // prune removed it since the listing
      return report(loaded.info->key,
                    gone ? fmt::format("manifest {} is listed, and not in the store", quote(loaded.info->key))
                         : loaded.failure->message());
    }
    auto& head = loaded.value;
    SnapshotInfo snapshot;
    snapshot.object = *loaded.info;
    snapshot.id = head->id;
    snapshot.record = std::move(head->record);
    snapshot.facts = std::move(head->facts);
    snapshot.closed = head->closed;
    snapshot.signer = std::move(head->signer);
    snapshot.trusted = head->trusted;
    snapshot.pinned = pinned.pinned(head->id, snapshot.record.series);
    // Two manifests of one id are one snapshot; in a listing they stand side by side.
    if (!out.empty() && out.back().id == snapshot.id) {
      SnapshotInfo& known = out.back();
      auto others = std::move(known.others);
      // The reader of a snapshot looks at all of them, and at their packs: read_best_copy().
      const bool better =
          snapshot.trusted != known.trusted ? snapshot.trusted : snapshot.object.stored_at < known.object.stored_at;
      if (better) std::swap(known, snapshot);
      others.push_back(std::move(snapshot.object));
      known.others = std::move(others);
      return;
    }
    out.push_back(std::move(snapshot));
  };
  OrderedWindow<Loaded<ManifestInfo, Manifest>> window{m_basis.io, k_heads_at_once, UINT64_MAX, take};
  for (const auto& info : manifests) {
    check_interrupted();
    window.push(0, [this, &info] { return cairn::load(info, [&] { return std::optional{load_head(info)}; }); });
  }
  window.drain();
  return out;
}

std::string ManifestStore::store(const Manifest& manifest, List list) {
  const auto by = list == List::plain ? std::nullopt : m_basis.signer();
  const std::string text = manifest.text(*m_basis.keys, by ? &*by : nullptr);
  std::string key = layout::manifest_key(manifest.record.series, manifest.record.cut_point, manifest.id, sha256(text));
  m_basis.writer.put_manifest(key, text, ObjectWriter::Manifest::fresh);
  m_basis.cache.put("manifests", fs::path{key}.filename().native(), as_bytes(text));
  return key;
}

void ManifestStore::put_back(const std::string& key, std::string_view text) {
  m_basis.writer.put_manifest(key, text, ObjectWriter::Manifest::put_back);
}

std::vector<RemoveFailure> ManifestStore::remove(const std::string& key) {
  return m_basis.store.remove(std::span{&key, 1});
}

}  // namespace cairn
