// Members that several of the format's JSON objects have.
#pragma once

#include "repo/pack.hpp"
#include "util/json.hpp"
#include "util/time.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Error(damaged) where it is none.
Digest digest_of(const Json& from);
Time time_of(const Json& from);

// The member "packs": of each pack what is public (name, size, directory range, seal), checked with check_pack_ref().
void write_packs(JsonWriter& to, const std::vector<PackRef>& packs);
std::vector<PackRef> parse_packs(const Json& object);

// An author's word: a minisign signature (jedisct1.github.io/minisign). Nothing here is checked but the shape;
// repo/trust.hpp judges it.
struct Signature {
  std::string key;      // minisign public key, "RW..."
  std::string minisig;  // the whole signature file
};

// An array of them. A value that is no array has none, and kinds of signatures that are not known say nothing:
// all_known is unset for those.
void write_signatures(JsonWriter& to, const std::vector<Signature>& signatures);
std::vector<Signature> parse_signatures(const Json& from, bool* all_known = nullptr);

// The member "seal" of an object of that name. Error(failed) where this program does not know it.
std::string parse_seal(const Json& object, std::string_view what);

}  // namespace cairn
