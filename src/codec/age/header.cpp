#include "codec/age/header.hpp"

#include "codec/age/damage.hpp"
#include "codec/age/keys.hpp"
#include "codec/digest.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::age {

namespace {

constexpr std::string_view k_version_line = "age-encryption.org/v1\n";
constexpr std::string_view k_stanza_mark = "-> ";
constexpr std::string_view k_end_mark = "---";
constexpr std::size_t k_end_line_bytes = 3 + 1 + 43 + 1;
constexpr std::size_t k_columns = 64;
constexpr std::string_view k_x25519 = "X25519";
constexpr std::string_view k_scrypt = "scrypt";
constexpr std::string_view k_x25519_info = "age-encryption.org/v1/X25519";
constexpr std::string_view k_scrypt_label = "age-encryption.org/v1/scrypt";

[[noreturn]] void damaged(std::string_view cause) {
  throw Damage(DamagedPart::header, cause);
}

// RFC 4648 without padding, canonical.
std::optional<Bytes> from_raw_base64(std::string_view text) {
  if (text.size() % 4 == 1 || text.ends_with('=')) return std::nullopt;
  std::string padded{text};
  padded.append((4 - text.size() % 4) % 4, '=');
  return from_base64(padded);
}

std::string to_raw_base64(ByteView bytes) {
  std::string out = to_base64(bytes);
  out.erase(std::min(out.find('='), out.size()));
  return out;
}

template <std::size_t n>
bool fill(std::array<std::uint8_t, n>& out, const std::optional<Bytes>& bytes) {
  if (!bytes || bytes->size() != n) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

struct Stanza {
  std::vector<std::string_view> arguments;  // the first is its kind
  Bytes body;
};

std::vector<std::string_view> split_arguments(std::string_view line) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view argument = line.substr(0, end);
    if (argument.empty()) damaged("an empty argument in a stanza");
    if (!std::all_of(argument.begin(), argument.end(), [](char c) { return c > ' ' && c <= '~'; })) {
      damaged("a character in a stanza that may not be there");
    }
    out.push_back(argument);
    if (end == line.size()) return out;
    line.remove_prefix(end + 1);
  }
}

// Takes one stanza from the front of the text. Nothing where it ends too early.
std::optional<Stanza> take_stanza(std::string_view& text) {
  std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  Stanza stanza{split_arguments(text.substr(k_stanza_mark.size(), end - k_stanza_mark.size())), {}};
  for (;;) {
    text.remove_prefix(end + 1);
    end = text.find('\n');
    if (std::min(end, text.size()) > k_columns) damaged("a line in a stanza that is too long");
    if (end == std::string_view::npos) return std::nullopt;
    const auto bytes = from_raw_base64(text.substr(0, end));
    if (!bytes) damaged("a line in a stanza that is not canonical base64");
    append(stanza.body, *bytes);
    if (end < k_columns) break;
  }
  text.remove_prefix(end + 1);
  return stanza;
}

X25519Stanza x25519_stanza(const Stanza& stanza) {
  X25519Stanza out;
  if (stanza.arguments.size() != 2 || !fill(out.share, from_raw_base64(stanza.arguments[1]))) {
    damaged("an X25519 stanza without a share of 32 bytes");
  }
  if (!fill(out.wrapped, stanza.body)) damaged("an X25519 stanza whose key has not 32 bytes");
  return out;
}

ScryptStanza scrypt_stanza(const Stanza& stanza) {
  ScryptStanza out;
  if (stanza.arguments.size() != 3 || !fill(out.salt, from_raw_base64(stanza.arguments[1]))) {
    damaged("an scrypt stanza without a salt of 16 bytes and a work factor");
  }
  const std::string_view digits = stanza.arguments[2];
  if (digits.front() == '0' ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    damaged("an scrypt stanza whose work factor is no number");
  }
  if (digits.size() > 2) damaged("an scrypt stanza whose work factor is too large");
  for (const char c : digits) out.log_n = out.log_n * 10 + static_cast<unsigned>(c - '0');
  if (!fill(out.wrapped, stanza.body)) damaged("an scrypt stanza whose key has not 32 bytes");
  return out;
}

// Whether the text could be the beginning of one that starts with `expected`.
bool may_start_with(std::string_view text, std::string_view expected) noexcept {
  const std::size_t size = std::min(text.size(), expected.size());
  return text.substr(0, size) == expected.substr(0, size);
}

std::optional<Header> parse(std::string_view text) {
  if (!may_start_with(text, k_version_line)) damaged("it does not begin as one of version 1 does");
  if (text.size() < k_version_line.size()) return std::nullopt;
  Header header;
  std::string_view rest = text.substr(k_version_line.size());
  std::size_t stanzas = 0;
  while (!rest.starts_with(k_end_mark)) {
    if (!may_start_with(rest, k_stanza_mark) && !may_start_with(rest, k_end_mark)) damaged("neither stanza nor end");
    if (rest.size() < k_stanza_mark.size()) return std::nullopt;
    const auto stanza = take_stanza(rest);
    if (!stanza) return std::nullopt;
    if (++stanzas > k_stanza_limit) damaged(fmt::format("more than {} stanzas", k_stanza_limit));
    const std::string_view kind = stanza->arguments.front();
    if (kind == k_x25519) header.x25519.push_back(x25519_stanza(*stanza));
    if (kind == k_scrypt) header.scrypt = scrypt_stanza(*stanza);
    if (header.scrypt && stanzas > 1) damaged("an scrypt stanza beside another one");
  }
  if (stanzas == 0) damaged("no stanza");
  const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size()));
  if (line.size() >= k_end_line_bytes) damaged("an end line that is too long");
  if (line.size() == rest.size()) return std::nullopt;
  if (!line.substr(k_end_mark.size()).starts_with(' ') ||
      !fill(header.code, from_raw_base64(line.substr(k_end_mark.size() + 1)))) {
    damaged("an end line without an authentication code of 32 bytes");
  }
  header.size = text.size() - rest.size() + line.size() + 1;
  header.authenticated = text.substr(0, text.size() - rest.size() + k_end_mark.size());
  return header;
}

std::array<std::uint8_t, 32> code_of(std::string_view authenticated, const SecretBytes& file_key) {
  return hmac_sha256(hkdf(file_key, {}, "header").bytes(), as_bytes(authenticated)).bytes;
}

// The wrapping key of an X25519 stanza, from either side.
SecretBytes x25519_wrap_key(const SecretBytes& shared, const Point& share, const Point& recipient) {
  std::array<std::uint8_t, 2 * k_key_bytes> salt{};
  std::ranges::copy(recipient, std::ranges::copy(share, salt.begin()).out);
  return hkdf(shared, salt, k_x25519_info);
}

SecretBytes scrypt_wrap_key(std::string_view passphrase, ByteView salt, unsigned log_n) {
  Bytes labelled;
  append(labelled, as_bytes(k_scrypt_label));
  append(labelled, salt);
  return scrypt(passphrase, labelled, log_n);
}

// Each wrapping key is used once, so the nonce is fixed.
std::string sealed_key(const SecretBytes& wrap_key, const SecretBytes& file_key) {
  WrappedKey out{};
  Aead(wrap_key, Aead::Direction::seal).seal(Nonce{}, file_key.bytes(), out);
  return to_raw_base64(out);
}

std::optional<SecretBytes> opened_key(const SecretBytes& wrap_key, const WrappedKey& wrapped) {
  SecretBytes file_key(k_file_key_bytes);
  if (!Aead(wrap_key, Aead::Direction::open).open(Nonce{}, wrapped, file_key.span())) return std::nullopt;
  return file_key;
}

}  // namespace

std::optional<Header> parse_header(std::string_view text) {
  auto header = parse(text.substr(0, k_header_limit));
  if (!header && text.size() >= k_header_limit) damaged("it is larger than any sensible one");
  return header;
}

std::string wrap(const SecretBytes& file_key, const Recipient& recipient) {
  const X25519Key ephemeral(SecretBytes::random(k_key_bytes));
  const auto shared = ephemeral.shared_with(recipient.point());
  if (!shared) throw Error(ErrorKind::usage, "not an age recipient: it is no public key of any identity");
  const SecretBytes wrap_key = x25519_wrap_key(*shared, ephemeral.public_point(), recipient.point());
  return fmt::format("-> {} {}\n{}\n", k_x25519, to_raw_base64(ephemeral.public_point()),
                     sealed_key(wrap_key, file_key));
}

std::string wrap(const SecretBytes& file_key, std::string_view passphrase, unsigned log_n) {
  const Bytes salt = random_bytes(k_salt_bytes);
  return fmt::format("-> {} {} {}\n{}\n", k_scrypt, to_raw_base64(salt), log_n,
                     sealed_key(scrypt_wrap_key(passphrase, salt, log_n), file_key));
}

std::string make_header(const SecretBytes& file_key, std::string_view stanzas) {
  std::string out{k_version_line};
  out.append(stanzas).append(k_end_mark);
  const auto code = code_of(out, file_key);
  return out.append(" ").append(to_raw_base64(code)).append("\n");
}

std::optional<SecretBytes> unwrap(const Header& header, std::span<const Identity> identities) {
  for (const Identity& identity : identities) {
    const X25519Key key(identity.scalar());
    for (const X25519Stanza& stanza : header.x25519) {
      const auto shared = key.shared_with(stanza.share);
      if (!shared) damaged("an X25519 stanza whose share is of low order");
      auto file_key = opened_key(x25519_wrap_key(*shared, stanza.share, key.public_point()), stanza.wrapped);
      if (file_key) return file_key;
    }
  }
  return std::nullopt;
}

std::optional<SecretBytes> unwrap(const Header& header, std::string_view passphrase, unsigned max_log_n) {
  if (!header.scrypt) return std::nullopt;
  const ScryptStanza& stanza = *header.scrypt;
  if (stanza.log_n > max_log_n) {
    damaged(fmt::format("an scrypt work factor of 2^{} is above the limit of 2^{}", stanza.log_n, max_log_n));
  }
  return opened_key(scrypt_wrap_key(passphrase, stanza.salt, stanza.log_n), stanza.wrapped);
}

void authenticate(const Header& header, const SecretBytes& file_key) {
  if (!same_secret(code_of(header.authenticated, file_key), header.code)) {
    throw Damage(DamagedPart::mac, "it is not what its author wrote");
  }
}

}  // namespace cairn::age
