#include "codec/age/age.hpp"

#include "codec/age/header.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <utility>

namespace cairn::age {

namespace {

constexpr std::string_view k_any_version = "age-encryption.org/v";

std::pair<std::string, Sealer> begin_file(const SecretBytes& file_key, std::string_view stanzas) {
  const Bytes nonce = random_bytes(k_payload_nonce_bytes);
  std::string preamble = make_header(file_key, stanzas);
  if (preamble.size() > k_header_limit) throw Error(ErrorKind::usage, "unable to encrypt: too many recipients");
  preamble += as_text(nonce);
  return {std::move(preamble), Sealer(hkdf(file_key, nonce, "payload"))};
}

std::pair<std::string, Sealer> begin_file(std::span<const Recipient> recipients) {
  if (recipients.empty()) throw Error(ErrorKind::usage, "unable to encrypt: no recipient");
  if (recipients.size() > k_stanza_limit) throw Error(ErrorKind::usage, "unable to encrypt: too many recipients");
  const SecretBytes file_key = SecretBytes::random(k_file_key_bytes);
  std::string stanzas;
  for (const Recipient& recipient : recipients) stanzas += wrap(file_key, recipient);
  return begin_file(file_key, stanzas);
}

// Appends a whole payload to what it follows.
void seal_all(Sealer& sealer, std::string_view plain, std::string& out) {
  out.reserve(out.size() + sealed_payload_bytes(plain.size()));
  sealer.append(plain, out);
  sealer.finish(out);
}

Header whole_header(std::string_view file) {
  auto header = parse_header(file);
  if (!header || file.size() - header->size < k_payload_nonce_bytes) {
    throw Damage(DamagedPart::header, "it is cut short");
  }
  return std::move(*header);
}

Opener opener_of(std::string_view file, const Header& header, const SecretBytes& file_key) {
  authenticate(header, file_key);
  return Opener(hkdf(file_key, as_bytes(file.substr(header.size, k_payload_nonce_bytes)), "payload"));
}

}  // namespace

bool is_age_file(std::string_view bytes) noexcept {
  return bytes.starts_with(k_any_version) || is_armoured(bytes);
}

Encryptor::Encryptor(std::span<const Recipient> recipients) : Encryptor(begin_file(recipients)) {}

Encryptor::Encryptor(std::pair<std::string, Sealer> begun)
    : m_preamble(std::move(begun.first)), m_sealer(std::move(begun.second)) {}

std::string Encryptor::seal(std::string_view plain) {
  std::string out = m_preamble;
  seal_all(m_sealer, plain, out);
  return out;
}

std::optional<std::size_t> preamble_size(std::string_view prefix) {
  const auto header = parse_header(prefix);
  if (!header || prefix.size() - header->size < k_payload_nonce_bytes) return std::nullopt;
  return header->size + k_payload_nonce_bytes;
}

std::optional<Decryptor> Decryptor::open(std::string_view preamble, std::span<const Identity> identities) {
  const Header header = whole_header(preamble);
  const auto file_key = unwrap(header, identities);
  if (!file_key) return std::nullopt;
  return Decryptor(opener_of(preamble, header, *file_key));
}

void Decryptor::segment(std::uint64_t index, bool last, std::string_view sealed, ByteSpan plain) const {
  m_opener.segment(index, last, sealed, plain);
}

void Decryptor::segment(std::uint64_t index, bool last, std::string_view sealed, std::string& out) const {
  const std::size_t at = out.size();
  const std::size_t size = sealed.size() - std::min(sealed.size(), k_tag_bytes);
  out.resize(at + size);
  try {
    m_opener.segment(index, last, sealed, {reinterpret_cast<std::uint8_t*>(out.data()) + at, size});
  } catch (...) {
    out.resize(at);
    throw;
  }
}

std::string Decryptor::all(std::string_view sealed) const {
  std::string plain(plain_bytes(sealed.size()), '\0');
  m_opener.all(sealed, {reinterpret_cast<std::uint8_t*>(plain.data()), plain.size()});
  return plain;
}

SecretBytes decrypt_with_passphrase(std::string_view file, std::string_view passphrase, unsigned max_log_n) {
  std::string binary;
  if (is_armoured(file)) {
    binary = dearmour(file);
    file = binary;
  }
  const Header header = whole_header(file);
  if (!header.scrypt) throw Error(ErrorKind::no_key, "unable to decrypt: it is not protected with a passphrase");
  const auto file_key = unwrap(header, passphrase, max_log_n);
  if (!file_key) throw Error(ErrorKind::no_key, "unable to decrypt: the passphrase does not open it");
  const Opener opener = opener_of(file, header, *file_key);
  const std::string_view payload = file.substr(header.size + k_payload_nonce_bytes);
  SecretBytes plain(plain_bytes(payload.size()));
  opener.all(payload, plain.span());
  return plain;
}

std::string encrypt_with_passphrase(std::string_view plain, std::string_view passphrase, bool armoured,
                                    unsigned log_n) {
  if (passphrase.empty()) throw Error(ErrorKind::usage, "unable to encrypt: the passphrase is empty");
  const SecretBytes file_key = SecretBytes::random(k_file_key_bytes);
  auto [file, sealer] = begin_file(file_key, wrap(file_key, passphrase, log_n));
  seal_all(sealer, plain, file);
  return armoured ? armour(file) : file;
}

}  // namespace cairn::age
