#include "codec/minisign.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

namespace cairn::minisign {

namespace {

constexpr std::string_view k_plain = "Ed";      // public keys; signatures of the message itself
constexpr std::string_view k_prehashed = "ED";  // signatures of BLAKE2b-512(message)
constexpr std::string_view k_untrusted = "untrusted comment: ";
constexpr std::string_view k_trusted = "trusted comment: ";
constexpr std::size_t k_text_limit = 32768;

constexpr std::string_view k_pem_begin = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view k_pem_end = "-----END PRIVATE KEY-----";
constexpr std::size_t k_seed_bytes = 32;
// RFC 8410: the DER of a PrivateKeyInfo of version 0 with an Ed25519 key, up to its 32 bytes. Its base64 has 64
// characters, so the PEM text has one line.
constexpr std::array<std::uint8_t, 16> k_der_prefix{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::size_t k_der_bytes = k_der_prefix.size() + k_seed_bytes;
constexpr std::size_t k_pem_line = 64;

struct Free {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using ContextPtr = std::unique_ptr<EVP_MD_CTX, Free>;

[[noreturn]] void crypto_failed(const char* what) {
  throw Error(ErrorKind::failed, fmt::format("unable to sign or verify: OpenSSL failed in {}", what));
}

std::array<std::uint8_t, 64> blake2b_512(std::string_view message) {
  std::array<std::uint8_t, 64> out{};
  unsigned length = 0;
  if (EVP_Digest(message.data(), message.size(), out.data(), &length, EVP_blake2b512(), nullptr) != 1 ||
      length != out.size()) {
    crypto_failed("BLAKE2b");
  }
  return out;
}

KeyPtr secret_key(const SecretBytes& seed) {
  KeyPtr key{EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, seed.data(), seed.size())};
  if (!key) crypto_failed("Ed25519");
  return key;
}

SignatureBytes sign_bytes(EVP_PKEY* key, std::string_view message) {
  const ContextPtr context{EVP_MD_CTX_new()};
  SignatureBytes out{};
  std::size_t length = out.size();
  const ByteView bytes = as_bytes(message);
  if (!context || EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &length, bytes.data(), bytes.size()) != 1 || length != out.size()) {
    crypto_failed("Ed25519");
  }
  return out;
}

bool verify_bytes(EVP_PKEY* key, std::string_view message, const SignatureBytes& signature) {
  const ContextPtr context{EVP_MD_CTX_new()};
  const ByteView bytes = as_bytes(message);
  if (!context || EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key, nullptr) != 1) {
    crypto_failed("Ed25519");
  }
  // A wrong signature is an answer: it leaves nothing in the thread's error queue.
  ERR_set_mark();
  const bool good =
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes.data(), bytes.size()) == 1;
  ERR_pop_to_mark();
  return good;
}

// The bytes that the trusted comment's signature is over.
std::string commented(const SignatureBytes& signature, std::string_view trusted_comment) {
  return std::string{as_text(signature)}.append(trusted_comment);
}

// A public key or signature as text.
std::string joined(std::string_view algorithm, const KeyId& id, ByteView bytes) {
  return to_base64(as_bytes(std::string{algorithm}.append(as_text(id)).append(as_text(bytes))));
}

std::string id_text(const KeyId& id) {
  return fmt::format("{:016X}", get_u64(id.data()));
}

// The next line without its end; CRLF too. Nothing where there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_white(std::string_view text) noexcept {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

bool is_printable(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

[[noreturn]] void not_public_key(std::string_view cause) {
  throw Error(ErrorKind::usage, fmt::format("not a minisign public key: {}", cause));
}
[[noreturn]] void not_secret_key(std::string_view cause) {
  throw Error(ErrorKind::usage, fmt::format("not a signing key: {}", cause));
}
[[noreturn]] void not_signature(std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged signature: {}", cause));
}

}  // namespace

PublicKey PublicKey::parse(std::string_view text) {
  if (text.size() > k_text_limit) not_public_key("it is too long");
  std::string_view rest = trimmed(text);
  if (rest.starts_with("-----BEGIN ")) not_public_key("it is a PEM file; it wants the text that begins with RW");
  if (rest.starts_with("untrusted comment:")) static_cast<void>(take_line(rest));
  const std::string_view base64 = trimmed(rest);
  constexpr std::size_t k_size = 2 + 8 + 32;
  if (base64.size() > k_size / 3 * 4) {
    not_public_key("it is too long (a secret key or a signature, perhaps)");
  }
  const auto bytes = from_base64(base64);
  if (!bytes || bytes->size() != k_size) not_public_key("it is not 56 characters of base64");
  if (as_text(*bytes).substr(0, 2) != k_plain) not_public_key("it is for another algorithm than Ed25519");
  PublicKey key;
  std::copy_n(bytes->begin() + 2, key.m_id.size(), key.m_id.begin());
  std::copy_n(bytes->begin() + 10, key.m_point.size(), key.m_point.begin());
  return key;
}

std::string PublicKey::text() const {
  return joined(k_plain, m_id, m_point);
}

std::string PublicKey::file_text() const {
  return fmt::format("{}minisign public key {}\n{}\n", k_untrusted, key_id(), text());
}

std::string PublicKey::key_id() const {
  return id_text(m_id);
}

SecretKey::SecretKey(SecretBytes seed) : m_seed(std::move(seed)) {
  const KeyPtr key = secret_key(m_seed);
  std::size_t length = m_public.m_point.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), m_public.m_point.data(), &length) != 1 ||
      length != m_public.m_point.size()) {
    crypto_failed("Ed25519");
  }
  const auto hash = blake2b_512(as_text(m_public.m_point));
  std::copy_n(hash.begin(), m_public.m_id.size(), m_public.m_id.begin());
}

SecretKey SecretKey::generate() {
  return SecretKey{SecretBytes::random(k_seed_bytes)};
}

SecretKey SecretKey::parse_pem(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (rest.starts_with("untrusted comment:")) {
    not_secret_key("a secret key file of minisign cannot be used; it wants Ed25519 as PKCS#8 PEM");
  }
  if (rest.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")) not_secret_key("it is protected with a passphrase");
  if (rest.starts_with("-----BEGIN OPENSSH ")) not_secret_key("an OpenSSH key cannot be used");
  if (!rest.starts_with(k_pem_begin) || !rest.ends_with(k_pem_end) ||
      rest.size() < k_pem_begin.size() + k_pem_end.size()) {
    not_secret_key("it is not one PKCS#8 PEM block (BEGIN PRIVATE KEY)");
  }
  rest.remove_prefix(k_pem_begin.size());
  rest.remove_suffix(k_pem_end.size());
  SecretBytes line(k_pem_line);
  std::size_t have = 0;
  for (const char c : rest) {
    if (is_white({&c, 1})) continue;
    if (have == line.size()) not_secret_key("it is not an Ed25519 key");
    line.data()[have++] = static_cast<std::uint8_t>(c);
  }
  SecretBytes der(k_der_bytes);
  // 64 characters without padding are 48 bytes, whatever they are: the spelling is unique.
  if (have != line.size() || std::find(line.bytes().begin(), line.bytes().end(), '=') != line.bytes().end() ||
      EVP_DecodeBlock(der.data(), line.data(), static_cast<int>(line.size())) != static_cast<int>(k_der_bytes) ||
      std::memcmp(der.data(), k_der_prefix.data(), k_der_prefix.size()) != 0) {
    not_secret_key("it is not an Ed25519 key");
  }
  return SecretKey{SecretBytes(der.bytes().subspan(k_der_prefix.size()))};
}

SecretBytes SecretKey::pem() const {
  SecretBytes der(k_der_bytes);
  std::copy(m_seed.bytes().begin(), m_seed.bytes().end(),
            std::copy(k_der_prefix.begin(), k_der_prefix.end(), der.data()));
  SecretBytes line(k_pem_line + 1);  // and the NUL that OpenSSL writes
  if (EVP_EncodeBlock(line.data(), der.data(), static_cast<int>(der.size())) != static_cast<int>(k_pem_line)) {
    crypto_failed("base64");
  }
  SecretBytes out(k_pem_begin.size() + 1 + k_pem_line + 1 + k_pem_end.size() + 1);
  std::uint8_t* at = out.data();
  const auto put = [&](std::string_view text) {
    at = std::copy(text.begin(), text.end(), at);
    *at++ = '\n';
  };
  put(k_pem_begin);
  put(line.text().substr(0, k_pem_line));
  put(k_pem_end);
  return out;
}

std::string SecretKey::sign(std::string_view message, std::string_view trusted_comment) const {
  if (trusted_comment.size() > k_comment_limit || !is_printable(trusted_comment)) {
    throw Error(ErrorKind::usage, "unable to sign: the trusted comment is not one line of printable text");
  }
  const KeyPtr key = secret_key(m_seed);
  const auto hash = blake2b_512(message);
  const SignatureBytes signature = sign_bytes(key.get(), as_text(hash));
  const SignatureBytes global = sign_bytes(key.get(), commented(signature, trusted_comment));
  return fmt::format("{}signature from secret key {}\n{}\n{}{}\n{}\n", k_untrusted, m_public.key_id(),
                     joined(k_prehashed, m_public.m_id, signature), k_trusted, trusted_comment, to_base64(global));
}

Signature Signature::parse(std::string_view text) {
  if (text.size() > k_text_limit) not_signature("it is too long");
  const auto untrusted = take_line(text);
  const auto first = take_line(text);
  const auto trusted = take_line(text);
  const auto second = take_line(text);
  if (!untrusted || !untrusted->starts_with(k_untrusted)) not_signature("no untrusted comment");
  if (!trusted || !trusted->starts_with(k_trusted)) not_signature("no trusted comment");
  const auto bytes = from_base64(*first);
  Signature out;
  if (!bytes || bytes->size() != 2 + out.id.size() + out.signature.size()) not_signature("the signature's base64");
  const std::string_view algorithm = as_text(*bytes).substr(0, 2);
  if (algorithm != k_plain && algorithm != k_prehashed) not_signature("an unknown algorithm");
  out.prehashed = algorithm == k_prehashed;
  std::copy_n(bytes->begin() + 2, out.id.size(), out.id.begin());
  std::copy_n(bytes->begin() + 10, out.signature.size(), out.signature.begin());
  out.trusted_comment = trusted->substr(k_trusted.size());
  if (!is_printable(out.trusted_comment)) not_signature("a trusted comment that is not printable");
  const auto global = second ? from_base64(*second) : std::nullopt;
  if (!global || global->size() != out.global.size()) not_signature("the global signature's base64");
  std::copy_n(global->begin(), out.global.size(), out.global.begin());
  if (!text.empty()) not_signature("something follows it");
  return out;
}

bool verify(const PublicKey& key, std::string_view message, const Signature& signature) {
  if (key.id() != signature.id) return false;
  const KeyPtr point{
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, key.point().data(), key.point().size())};
  if (!point) crypto_failed("Ed25519");
  bool good = false;
  if (signature.prehashed) {
    const auto hash = blake2b_512(message);
    good = verify_bytes(point.get(), as_text(hash), signature.signature);
  } else {
    good = verify_bytes(point.get(), message, signature.signature);
  }
  return good && verify_bytes(point.get(), commented(signature.signature, signature.trusted_comment), signature.global);
}

bool verify(const PublicKey& key, std::string_view message, std::string_view minisig_text) {
  return verify(key, message, Signature::parse(minisig_text));
}

}  // namespace cairn::minisign
