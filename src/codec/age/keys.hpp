// The keys of age (age-encryption.org/v1): X25519 recipients, which are public, and identities, which are secret.
#pragma once

#include "util/secret.hpp"

#include <array>
#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::age {

// Whom a file is sealed to. Two are equal exactly when their texts are.
class Recipient {
 public:
  // "age1...", nothing before or after. Throws Error(usage) that says what is wrong and repeats nothing of the text: it
  // may be a secret key given by mistake. A point that no identity has (of low order, or not in its canonical form) is
  // refused too: nobody could open what is sealed to it.
  static Recipient parse(std::string_view text);

  const std::string& text() const noexcept { return m_text; }
  const std::array<std::uint8_t, 32>& point() const noexcept { return m_point; }

  friend bool operator==(const Recipient& a, const Recipient& b) noexcept { return a.m_text == b.m_text; }
  friend std::strong_ordering operator<=>(const Recipient& a, const Recipient& b) noexcept {
    return a.m_text <=> b.m_text;
  }

 private:
  friend class Identity;
  explicit Recipient(const std::array<std::uint8_t, 32>& point);
  std::array<std::uint8_t, 32> m_point;
  std::string m_text;
};

// The secret key. Copies are as protected as the first (SecretBytes).
class Identity {
 public:
  static Identity generate();
  // "AGE-SECRET-KEY-1...", nothing before or after. Throws Error(usage) that repeats nothing of the text.
  static Identity parse(std::string_view text);

  const Recipient& recipient() const noexcept { return m_recipient; }
  // "AGE-SECRET-KEY-1...", without a line end.
  SecretBytes text() const;
  const SecretBytes& scalar() const noexcept { return m_scalar; }

 private:
  explicit Identity(SecretBytes scalar);
  SecretBytes m_scalar;
  Recipient m_recipient;
};

// An identity file, as age-keygen writes it: one key a line, blank lines, comments from "#". White space around a key
// is ignored. Throws Error(usage) with the number of the line, never its content; also where there is no key at all.
std::vector<Identity> parse_identities(std::string_view text);

// A recipients file: the same with recipients. They come in the order of the file, doubles once.
std::vector<Recipient> parse_recipients(std::string_view text);

}  // namespace cairn::age
