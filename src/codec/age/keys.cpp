#include "codec/age/keys.hpp"

#include "codec/age/primitives.hpp"
#include "codec/bech32.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::age {

namespace {

constexpr std::string_view k_recipient_prefix = "age";
constexpr std::string_view k_identity_prefix = "AGE-SECRET-KEY-";
constexpr std::string_view k_white = " \t\r\f\v";

bool starts_like(std::string_view text, std::string_view upper_prefix) noexcept {
  return text.size() >= upper_prefix.size() &&
         std::equal(upper_prefix.begin(), upper_prefix.end(), text.begin(),
                    [](char wanted, char c) { return wanted == (c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); });
}

// The fault of a text that ought to be a recipient, by what it looks like.
std::string recipient_fault(std::string_view text, std::string_view decode_fault) {
  if (starts_like(text, "AGE-SECRET-KEY-") || starts_like(text, "AGE-PLUGIN-")) {
    return "it is a secret key (an identity); a recipient is its public key and begins with age1";
  }
  if (text.starts_with("ssh-")) return "SSH keys are not supported, only X25519 recipients (age1...)";
  if (text.starts_with("AGE1")) return "it is in upper case";
  if (text.starts_with("age1pq1") || text.starts_with("age1tag") || text.starts_with("age1yubikey1")) {
    return "keys of this kind are not supported, only X25519 recipients (age1 and 58 characters)";
  }
  return std::string{decode_fault};
}

std::string identity_fault(std::string_view text, std::string_view decode_fault) {
  if (text.starts_with("age1")) return "it is a recipient (a public key); an identity begins with AGE-SECRET-KEY-1";
  if (text.starts_with("AGE-SECRET-KEY-PQ-") || text.starts_with("AGE-PLUGIN-")) {
    return "keys of this kind are not supported, only X25519 identities (AGE-SECRET-KEY-1...)";
  }
  if (text.starts_with("-----BEGIN ")) return "it is a PEM file, not an age identity";
  return std::string{decode_fault};
}

// RFC 7748 takes 2^255 values as points and masks a bit of the rest; an identity's own point is always below the prime
// 2^255 - 19, little-endian. age binds a stanza to the recipient's bytes, so a second spelling opens for nobody.
bool is_canonical(const Point& point) noexcept {
  if (point[31] < 0x7f) return true;
  if (point[31] > 0x7f) return false;
  const bool middle_full = std::all_of(point.begin() + 1, point.begin() + 31, [](auto byte) { return byte == 0xff; });
  return !middle_full || point[0] < 0xed;
}

// Calls f(line, number) for each line that is neither blank nor a comment.
template <class F>
void each_line(std::string_view text, F&& f) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(k_white), line.size()));
    line = line.substr(0, line.find_last_not_of(k_white) + 1);
    if (!line.empty() && line.front() != '#') f(line, number);
  }
}

}  // namespace

Recipient::Recipient(const std::array<std::uint8_t, 32>& point)
    : m_point(point), m_text(bech32::encoded_size(k_recipient_prefix.size(), point.size()), '\0') {
  bech32::encode(k_recipient_prefix, m_point, m_text);
}

Recipient Recipient::parse(std::string_view text) {
  const auto fail = [](std::string_view cause) -> void {
    throw Error(ErrorKind::usage, fmt::format("not an age recipient: {}", cause));
  };
  Point point{};
  if (const auto fault = bech32::decode(text, k_recipient_prefix, point)) fail(recipient_fault(text, *fault));
  if (!is_canonical(point) || !X25519Key(SecretBytes::random(k_key_bytes)).shared_with(point)) {
    fail("it is no public key of any identity");
  }
  return Recipient{point};
}

Identity::Identity(SecretBytes scalar) : m_scalar(std::move(scalar)), m_recipient(X25519Key(m_scalar).public_point()) {}

Identity Identity::generate() {
  return Identity{SecretBytes::random(k_key_bytes)};
}

Identity Identity::parse(std::string_view text) {
  SecretBytes scalar(k_key_bytes);
  if (const auto fault = bech32::decode(text, k_identity_prefix, scalar.span())) {
    throw Error(ErrorKind::usage, fmt::format("not an age identity: {}", identity_fault(text, *fault)));
  }
  return Identity{std::move(scalar)};
}

SecretBytes Identity::text() const {
  SecretBytes out(bech32::encoded_size(k_identity_prefix.size(), m_scalar.size()));
  bech32::encode(k_identity_prefix, m_scalar.bytes(), {reinterpret_cast<char*>(out.data()), out.size()});
  return out;
}

std::vector<Identity> parse_identities(std::string_view text) {
  std::vector<Identity> out;
  each_line(text, [&](std::string_view line, std::size_t number) {
    try {
      out.push_back(Identity::parse(line));
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("line {}: {}", number, e.message()), e.hint());
    }
  });
  if (out.empty()) throw Error(ErrorKind::usage, "no age identity (AGE-SECRET-KEY-1...) in it");
  return out;
}

std::vector<Recipient> parse_recipients(std::string_view text) {
  std::vector<Recipient> out;
  each_line(text, [&](std::string_view line, std::size_t number) {
    try {
      const Recipient recipient = Recipient::parse(line);
      if (std::find(out.begin(), out.end(), recipient) == out.end()) out.push_back(recipient);
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("line {}: {}", number, e.message()), e.hint());
    }
  });
  if (out.empty()) throw Error(ErrorKind::usage, "no age recipient (age1...) in it");
  return out;
}

}  // namespace cairn::age
