#include "repo/json_fields.hpp"

#include "util/error.hpp"

#include <unordered_set>

#include <fmt/format.h>

namespace cairn {

Digest digest_of(const Json& from) {
  const auto digest = Digest::parse(from.string());
  if (!digest) throw Error(ErrorKind::damaged, "invalid JSON: expected a SHA-256 digest");
  return *digest;
}

Time time_of(const Json& from) {
  const auto time = parse_time_exact(from.string());
  if (!time) throw Error(ErrorKind::damaged, "invalid JSON: expected a time");
  return *time;
}

void write_packs(JsonWriter& to, const std::vector<PackRef>& packs) {
  to.key("packs").begin_array();
  for (const auto& pack : packs) {
    to.begin_object().member("name", pack.name.hex()).member("size", pack.size);
    to.key("directory").begin_array().value(pack.directory_offset).value(pack.directory_size).end_array();
    to.member("seal", pack.seal).end_object();
  }
  to.end_array();
}

std::vector<PackRef> parse_packs(const Json& object) {
  std::vector<PackRef> packs;
  std::unordered_set<Digest, DigestHash> names;
  for (const auto& item : object.at("packs").array()) {
    PackRef ref;
    ref.name = digest_of(item.at("name"));
    if (!names.insert(ref.name).second) {
      throw Error(ErrorKind::damaged, fmt::format("pack {} is named twice", ref.name.hex()));
    }
    ref.size = item.at("size").u64();
    const auto& range = item.at("directory").array();
    if (range.size() != 2) throw Error(ErrorKind::damaged, "invalid directory range");
    ref.directory_offset = range[0].u64();
    ref.directory_size = range[1].u64();
    ref.seal = item.at("seal").string();
    check_pack_ref(ref);
    packs.push_back(std::move(ref));
  }
  return packs;
}

void write_signatures(JsonWriter& to, const std::vector<Signature>& signatures) {
  to.begin_array();
  for (const auto& signature : signatures) {
    to.begin_object().member("key", signature.key).member("minisig", signature.minisig).end_object();
  }
  to.end_array();
}

std::vector<Signature> parse_signatures(const Json& from, bool* all_known) {
  std::vector<Signature> out;
  for (const auto& item : from.array()) {
    const Json* key = item.is_object() ? item.find("key") : nullptr;
    const Json* minisig = item.is_object() ? item.find("minisig") : nullptr;
    const bool known = key != nullptr && minisig != nullptr && key->is_string() && minisig->is_string();
    if (known) out.push_back({key->string(), minisig->string()});
    if (all_known != nullptr) *all_known = *all_known && known && item.object().size() == 2;
  }
  return out;
}

std::string parse_seal(const Json& object, std::string_view what) {
  const std::string& seal = object.at("seal").string();
  if (!is_valid_seal(seal)) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to read {}: it is sealed in a way this program does not know", quote(what)),
                "use a newer version of cairn");
  }
  return seal;
}

}  // namespace cairn
