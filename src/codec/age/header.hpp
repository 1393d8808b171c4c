// The header of an age file: its grammar, its stanzas and its authentication code. For the files of this folder.
#pragma once

#include "codec/age/primitives.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::age {

class Recipient;
class Identity;

inline constexpr std::size_t k_file_key_bytes = 16;
inline constexpr std::size_t k_wrapped_key_bytes = k_file_key_bytes + k_aead_tag_bytes;
inline constexpr std::size_t k_salt_bytes = 16;
// Each stanza may cost a key exchange for every identity, and somebody else wrote them.
inline constexpr std::size_t k_stanza_limit = 1024;
// As many as there may be of ours take less than half of it.
inline constexpr std::size_t k_header_limit = std::size_t{256} << 10;

using WrappedKey = std::array<std::uint8_t, k_wrapped_key_bytes>;

struct X25519Stanza {
  Point share{};
  WrappedKey wrapped{};
};

struct ScryptStanza {
  std::array<std::uint8_t, k_salt_bytes> salt{};
  unsigned log_n = 0;  // two digits: 1 to 99
  WrappedKey wrapped{};
};

// Stanzas of other kinds are checked for their grammar and otherwise passed over.
struct Header {
  std::vector<X25519Stanza> x25519;
  std::optional<ScryptStanza> scrypt;  // alone, if there is one
  std::string_view authenticated;      // a view into the text: what the code is over
  std::array<std::uint8_t, 32> code{};
  std::size_t size = 0;  // bytes of the header: the payload nonce follows
};

// Nothing where the text ends before the header does. Throws Damage(header), also where it is longer than the limit, or
// has more stanzas.
std::optional<Header> parse_header(std::string_view text);

// Stanza text. Each has a secret, or a salt, of its own.
std::string wrap(const SecretBytes& file_key, const Recipient& recipient);
std::string wrap(const SecretBytes& file_key, std::string_view passphrase, unsigned log_n);

// The whole header of these stanzas.
std::string make_header(const SecretBytes& file_key, std::string_view stanzas);

// The file key. Nothing where no identity, or not this passphrase, opens a stanza. A share of low order is
// Damage(header), and so is a work factor above max_log_n. Nothing is authenticated yet.
std::optional<SecretBytes> unwrap(const Header& header, std::span<const Identity> identities);
std::optional<SecretBytes> unwrap(const Header& header, std::string_view passphrase, unsigned max_log_n);

// Throws Damage(mac).
void authenticate(const Header& header, const SecretBytes& file_key);

}  // namespace cairn::age
