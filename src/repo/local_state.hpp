// This host's knowledge about stores, which it must not lose lightly: which store is the right one at an address, the
// host's own key, keys that are no longer trusted. Unlike the cache it cannot be made again from a store.
#pragma once

#include "codec/age/keys.hpp"
#include "repo/descriptor.hpp"
#include "repo/sequence_memory.hpp"
#include "repo/trust.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

// The identity that a store must have: else somebody has put another in its place.
struct StorePin {
  std::string store_id;  // empty: any
  std::string encryption;
  std::vector<std::string> recipients;  // ascending

  bool operator==(const StorePin&) const = default;
};

// For errors of kind untrusted.
inline constexpr const char* k_accept_hint = "if that is meant to be so: cairn key accept --store STORE";

StorePin pin_of(const Descriptor& descriptor);
// The first difference, as a part of a sentence about the store; nothing where there is none. Pure.
std::optional<std::string> difference(const StorePin& pinned, const Descriptor& descriptor);
// Error(untrusted) naming the first difference. Pure.
void check_pin(const StorePin& pinned, const Descriptor& descriptor, std::string_view store);

// The files of one directory: stores/DIGEST.json, sequences/STORE-ID.SERIES, packs/STORE-ID, told/STORE-ID,
// recover/STORE-ID, drills/STORE-ID/, writer.key, revoked.json. Each but that in packs/ is replaced as a whole.
// Thread-safe but for two that write the same file. An empty directory: nothing is known, and setters fail.
class LocalState : public SequenceMemory {
 public:
  explicit LocalState(fs::path directory) : m_directory(std::move(directory)) {}
  const fs::path& directory() const noexcept { return m_directory; }

  // store: its address, as it describes itself. Error(failed) where a file is there and cannot be read: no pin must
  // ever be taken for none.
  std::optional<StorePin> pin(const std::string& store) const;
  void set_pin(const std::string& store, const StorePin& pin) const;
  void forget_pin(const std::string& store) const;

  // This host's own age key, to which it seals what it has to read again.
  std::optional<age::Identity> writer_key() const;
  // Makes it where there is none.
  age::Identity ensure_writer_key() const;
  // Since when it has been there, by this machine's clock; nothing: there is none.
  std::optional<Time> writer_key_since() const;

  std::uint64_t last_sequence(const std::string& store_id, const std::string& series) const override;
  void set_last_sequence(const std::string& store_id, const std::string& series, std::uint64_t sequence) const override;

  // True the first time, and whenever that cannot be noted: whether this user is to be told that the files of a store
  // can be read by others.
  bool first_told_open(const std::string& store_id) const;

  // The recovery material that this host put into a store, as engine/recover tells it; nothing: that is not known.
  std::optional<Digest> recovery_kept(const std::string& store_id) const;
  void set_recovery_kept(const std::string& store_id, const Digest& kept) const;

  // Where what this host stored in a store is kept (repo/own_packs.hpp); empty: nowhere.
  fs::path own_packs_file(const std::string& store_id) const;

  // Drill records that wait for a run that may write to their store: objects as they will be, by their keys. What
  // cannot be read is left out.
  void keep_drill(const std::string& store_id, const std::string& key, std::string_view text) const;
  std::vector<std::pair<std::string, std::string>> kept_drills(const std::string& store_id) const;
  void drop_drill(const std::string& store_id, const std::string& key) const;

  std::vector<RevokedKey> revoked_keys() const;
  void revoke_key(const RevokedKey& key) const;

 private:
  fs::path pin_file(const std::string& store) const;
  fs::path drill_file(const std::string& store_id, const std::string& key) const;
  void write(const fs::path& file, std::string_view text) const;
  fs::path m_directory;
};

}  // namespace cairn
