// Which keys the private parts of a store's objects are sealed to, and which open them. Format: cairn-format(5),
// SEALING.
#pragma once

#include "codec/age/age.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// How an object's private parts are stored: in the clear, or as age files for a set of recipients, "age:" and the first
// 16 hex digits of the set's digest.
inline constexpr const char* k_seal_none = "none";
inline constexpr const char* k_seal_age = "age:";

// SHA-256 over the recipients in ascending order, each followed by a newline, as it stands in seals.
std::string seal_of(const std::vector<age::Recipient>& recipients);
// "none", or "age:" and 16 hex digits.
bool is_valid_seal(std::string_view seal) noexcept;
inline bool is_sealed(std::string_view seal) noexcept {
  return seal != k_seal_none;
}

// For errors of kind no_key.
inline constexpr const char* k_no_key_hint =
    "give the identity that opens it: --identity FILE, CAIRN_IDENTITY, CAIRN_IDENTITY_COMMAND or the configuration";

// Immutable but for the identities, which are asked for when something is met that the writer's key does not open.
// Thread-safe.
class Keyring {
 public:
  using LoadIdentities = std::function<std::vector<age::Identity>()>;

  // Nothing is sealed, nothing can be opened.
  Keyring() = default;
  // recipients: of new objects; empty: nothing is sealed. writer: this host's own key, to which directories and lists
  // are sealed besides. load: called at most once, what it throws is thrown on.
  Keyring(std::vector<age::Recipient> recipients, std::optional<age::Identity> writer, LoadIdentities load);

  bool seals() const noexcept { return !m_recipients.empty(); }
  // Of new objects.
  const std::string& seal() const noexcept { return m_seal; }

  // For whom: content is for the recipients alone, all else for the host that writes it, too.
  enum class For { recipients, recipients_and_writer };
  age::Encryptor encryptor(For whom) const;

  // Asks for the identities now, before something is under way that a passphrase prompt would disturb.
  void load_identities() const;
  // Some were given.
  bool has_identities() const;

  // The key to an age file that begins with this preamble; nothing where no key at hand fits. Error(damaged).
  std::optional<age::Decryptor> open(std::string_view preamble) const;
  // A whole age file, decrypted.
  std::optional<std::string> open_file(std::string_view file) const;

  // A text for the recipients and the writer, padded with spaces, as base64 of an age file; and back, without the
  // padding. Error(damaged).
  std::string seal_text(std::string_view text) const;
  std::optional<std::string> open_text(std::string_view sealed) const;

 private:
  std::vector<age::Recipient> m_recipients;
  std::vector<age::Recipient> m_with_writer;
  std::vector<age::Identity> m_writer;  // none or one
  std::string m_seal = k_seal_none;
  LoadIdentities m_load;
  mutable std::mutex m_mutex;
  mutable bool m_loaded = false;
  mutable std::vector<age::Identity> m_identities;
};

// For stores that are not sealed.
const Keyring& no_keys() noexcept;

}  // namespace cairn
