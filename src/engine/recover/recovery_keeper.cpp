#include "engine/recover/recovery_keeper.hpp"

#include "repo/layout.hpp"
#include "repo/object_writer.hpp"

#include <set>

#include <fmt/format.h>

namespace cairn {

RecoveryKept keep_recovery_files(ObjectStore& store, std::span<const RecoveryFile> files, std::string_view version,
                                 const minisign::SecretKey* key) {
  std::set<std::string> there;
  store.list(fmt::format("{}{}/", layout::k_recover, version), [&](const ObjectInfo& info) { there.insert(info.key); });
  // Nothing of it is private.
  const ObjectWriter writer{store, ObjectWriter::Sealed::no};
  RecoveryKept kept;
  const auto keep = [&](const std::string& name, const auto& content) {
    if (there.contains(name)) {
      ++kept.there;
      return;
    }
    writer.put_note(name, content());
    ++kept.put;
  };
  for (const auto& file : files) {
    const std::string name = layout::recovery_key(version, file.name, sha256(as_bytes(file.content)));
    keep(name, [&] { return file.content; });
    if (key == nullptr) continue;
    keep(layout::recovery_signature_key(name, key->public_key().key_id()),
         [&] { return key->sign(file.content, fmt::format("cairn {} {}", version, file.name)); });
  }
  return kept;
}

Digest recovery_digest(std::span<const RecoveryFile> files, std::string_view version, const minisign::SecretKey* key) {
  std::string all = fmt::format("{}\n{}\n", version, key != nullptr ? key->public_key().text() : "");
  for (const auto& file : files) all += fmt::format("{}\n{}\n", file.name, sha256(as_bytes(file.content)).hex());
  return sha256(as_bytes(all));
}

}  // namespace cairn
