// Whole age files at once; the program takes them piece by piece.
#pragma once

#include "codec/age/age.hpp"
#include "util/error.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cairn::age {

// Bytes of a preamble for X25519 recipients: the header without stanzas, the stanzas, the nonce.
constexpr std::size_t preamble_bytes(std::size_t recipients) noexcept {
  return (22 + 48) + recipients * (10 + 43 + 1 + 43 + 1) + 16;
}

inline std::string encrypt(std::span<const Recipient> recipients, std::string_view plain) {
  return Encryptor{recipients}.seal(plain);
}

inline std::string decrypt(std::string_view file, std::span<const Identity> identities) {
  const auto key = Decryptor::open(file, identities);
  if (!key) throw Error(ErrorKind::no_key, "unable to decrypt: no given identity opens it");
  return key->all(file.substr(preamble_size(file).value()));
}

}  // namespace cairn::age
