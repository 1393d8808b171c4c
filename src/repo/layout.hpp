// Names of objects in a store: built and taken apart in one place. See cairn-format(5), LAYOUT.
#pragma once

#include "codec/digest.hpp"
#include "util/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::layout {

inline constexpr const char* k_config = "config/";
inline constexpr const char* k_snapshots = "snapshots/";
inline constexpr const char* k_packs = "packs/";
inline constexpr const char* k_pending = "pending/";
inline constexpr const char* k_marks = "marks/";
inline constexpr const char* k_pins = "pins/";
inline constexpr const char* k_recover = "recover/";
inline constexpr const char* k_drills = "drills/";
inline constexpr const char* k_lease = "lease/prune.json";

// First components of the names: what else lies beside them in a directory is not the store's.
inline constexpr std::array<std::string_view, 9> k_directories{"config", "snapshots", "packs",  "pending", "marks",
                                                               "pins",   "lease",     "drills", "recover"};

// config/N-SHA256.json
std::string descriptor_key(std::uint64_t generation, const Digest& sha256_of_object);
struct DescriptorKey {
  std::uint64_t generation;
  Digest sha256;
};
std::optional<DescriptorKey> parse_descriptor_key(std::string_view key);

// snapshots/SERIES/CUTPOINT-ID-SHA.json
struct ManifestKey {
  std::string series;
  Time cut_point;
  std::string id;      // first 16 hex digits of the snapshot id
  std::string sha256;  // first 16 hex digits of the object's SHA-256
};
std::string manifest_key(const std::string& series, Time cut_point, const Digest& id, const Digest& sha256_of_object);
std::optional<ManifestKey> parse_manifest_key(std::string_view key);
// Whether these are the bytes of the object of that name.
bool fits_name(ByteView object, const ManifestKey& name);

// packs/aa/SHA256
std::string pack_key(const Digest& name);
std::optional<Digest> parse_pack_key(std::string_view key);

// pending/RUN-N.json
struct PendingKey {
  std::string run;  // 32 hex digits
  std::uint64_t number;
};
std::string pending_key(const std::string& run, std::uint64_t number);
std::optional<PendingKey> parse_pending_key(std::string_view key);

// marks/TIME-NONCE.json
std::string mark_key(Time time, const std::string& nonce);
std::optional<Time> parse_mark_key(std::string_view key);

// pins/ID/TIME-(pin|unpin)-NONCE.json: the newest one of an id says whether it is pinned. ID is all 64 digits.
struct PinKey {
  Digest id;
  Time time;
  bool pinned;
};
std::string pin_key(const Digest& id, Time time, bool pinned, const std::string& nonce);
std::optional<PinKey> parse_pin_key(std::string_view key);

// recover/VERSION/NAME-SHA256, of the file's bytes; with -KEYID.minisig behind it the signature of it.
std::string recovery_key(std::string_view version, std::string_view name, const Digest& sha256);
std::string recovery_signature_key(std::string_view recovery_key, std::string_view key_id);

// drills/SERIES/TIME-ID-NONCE.json: the record of one rehearsed restore. ID is the first 16 digits of the snapshot's.
struct DrillKey {
  std::string series;
  Time time;
  std::string id;
};
std::string drill_key(const std::string& series, Time time, const Digest& id, const std::string& nonce);
std::optional<DrillKey> parse_drill_key(std::string_view key);

// [A-Za-z0-9][A-Za-z0-9._-]{0,63}, never "latest", never 8 or more hex digits and nothing else.
bool is_valid_series(std::string_view series) noexcept;

}  // namespace cairn::layout
