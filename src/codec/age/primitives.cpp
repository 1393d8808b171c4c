#include "codec/age/primitives.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace cairn::age {

namespace {

[[noreturn]] void crypto_failed(const char* what) {
  throw Error(ErrorKind::failed, std::string{"unable to encrypt or decrypt: OpenSSL failed in "} + what);
}

// A failure here is told by an answer or by Error: it must not stay in the thread's error queue too, where the next
// user of OpenSSL (a TLS connection) would take it for its own.
class QuietErrors {
 public:
  QuietErrors() noexcept { ERR_set_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { ERR_pop_to_mark(); }
};

struct KdfFree {
  void operator()(EVP_KDF* kdf) const noexcept { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { EVP_KDF_CTX_free(context); }
};
using KdfPtr = std::unique_ptr<EVP_KDF, KdfFree>;

// The parameters are only read; the interface has no const.
OSSL_PARAM octets(const char* name, ByteView bytes) {
  static std::uint8_t none = 0;
  void* const data = bytes.empty() ? &none : const_cast<std::uint8_t*>(bytes.data());
  return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
}

SecretBytes derive(EVP_KDF* kdf, const OSSL_PARAM* params, const char* name) {
  const QuietErrors quiet;
  if (kdf == nullptr) crypto_failed(name);
  const std::unique_ptr<EVP_KDF_CTX, KdfFree> context{EVP_KDF_CTX_new(kdf)};
  SecretBytes out(k_key_bytes);
  if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params) != 1) crypto_failed(name);
  return out;
}

// Fetched once for the life of the process: the lookup costs more than deriving a key.
const EVP_CIPHER* chacha20_poly1305() {
  struct Free {
    void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
  };
  static const std::unique_ptr<EVP_CIPHER, Free> k_cipher{EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr)};
  if (!k_cipher) crypto_failed("ChaCha20-Poly1305");
  return k_cipher.get();
}

}  // namespace

SecretBytes hkdf(const SecretBytes& key, ByteView salt, std::string_view info) {
  static const KdfPtr k_kdf{EVP_KDF_fetch(nullptr, "HKDF", nullptr)};
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 5> params{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
                                         octets(OSSL_KDF_PARAM_KEY, key.bytes()), octets(OSSL_KDF_PARAM_SALT, salt),
                                         octets(OSSL_KDF_PARAM_INFO, as_bytes(info)), OSSL_PARAM_construct_end()};
  return derive(k_kdf.get(), params.data(), "HKDF");
}

SecretBytes scrypt(std::string_view passphrase, ByteView salt, unsigned log_n) {
  if (log_n < 1 || log_n > 30) throw Error(ErrorKind::failed, "unable to derive a key: no such scrypt work factor");
  static const KdfPtr k_kdf{EVP_KDF_fetch(nullptr, "SCRYPT", nullptr)};
  std::uint64_t n = std::uint64_t{1} << log_n;
  std::uint32_t r = 8;
  std::uint32_t p = 1;
  // The memory that RFC 7914 needs, and a little for the blocks beside it; OpenSSL's own limit is 32 MiB.
  std::uint64_t memory = 128 * r * n + (std::uint64_t{1} << 20);
  const std::array<OSSL_PARAM, 7> params{octets(OSSL_KDF_PARAM_PASSWORD, as_bytes(passphrase)),
                                         octets(OSSL_KDF_PARAM_SALT, salt),
                                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                                         OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
                                         OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
                                         OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                                         OSSL_PARAM_construct_end()};
  return derive(k_kdf.get(), params.data(), "scrypt (it needs much memory)");
}

void X25519Key::Free::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}

X25519Key::X25519Key(const SecretBytes& scalar)
    : m_key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, scalar.data(), scalar.size())) {
  std::size_t length = m_public.size();
  if (!m_key || EVP_PKEY_get_raw_public_key(m_key.get(), m_public.data(), &length) != 1 || length != m_public.size()) {
    crypto_failed("X25519");
  }
}

std::optional<SecretBytes> X25519Key::shared_with(const Point& point) const {
  const QuietErrors quiet;
  struct FreePoint {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
  };
  const std::unique_ptr<EVP_PKEY, FreePoint> peer{
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, point.data(), point.size())};
  const std::unique_ptr<EVP_PKEY_CTX, FreePoint> context{EVP_PKEY_CTX_new_from_pkey(nullptr, m_key.get(), nullptr)};
  if (!peer || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) != 1) {
    crypto_failed("X25519");
  }
  SecretBytes out(k_key_bytes);
  std::size_t length = out.size();
  // OpenSSL refuses an all-zero result itself; a provider that does not is caught by the comparison.
  if (EVP_PKEY_derive(context.get(), out.data(), &length) != 1) return std::nullopt;
  if (length != out.size()) crypto_failed("X25519");
  if (same_secret(out.bytes(), Point{})) return std::nullopt;
  return out;
}

void Aead::Free::operator()(evp_cipher_ctx_st* context) const noexcept {
  EVP_CIPHER_CTX_free(context);
}

Aead::Aead(const SecretBytes& key, Direction direction) : m_context(EVP_CIPHER_CTX_new()) {
  if (!m_context || key.size() != k_key_bytes ||
      EVP_CipherInit_ex2(m_context.get(), chacha20_poly1305(), key.data(), nullptr,
                         direction == Direction::seal ? 1 : 0, nullptr) != 1) {
    crypto_failed("ChaCha20-Poly1305");
  }
}

void Aead::seal(const Nonce& nonce, ByteView plain, ByteSpan out) {
  EVP_CIPHER_CTX* const context = m_context.get();
  int length = 0;
  int rest = 0;
  if (EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) != 1 ||
      (!plain.empty() &&
       EVP_EncryptUpdate(context, out.data(), &length, plain.data(), static_cast<int>(plain.size())) != 1) ||
      EVP_EncryptFinal_ex(context, out.data() + length, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(k_aead_tag_bytes),
                          out.data() + plain.size()) != 1) {
    crypto_failed("ChaCha20-Poly1305");
  }
}

bool Aead::open(const Nonce& nonce, ByteView sealed, ByteSpan out) {
  const QuietErrors quiet;
  EVP_CIPHER_CTX* const context = m_context.get();
  std::array<std::uint8_t, k_aead_tag_bytes> tag{};
  const ByteView body = sealed.first(sealed.size() - tag.size());
  std::ranges::copy(sealed.last(tag.size()), tag.begin());
  int length = 0;
  int rest = 0;
  if (EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) != 1) {
    crypto_failed("ChaCha20-Poly1305");
  }
  std::uint8_t none = 0;
  std::uint8_t* const to = out.empty() ? &none : out.data();
  const bool done =
      (body.empty() || EVP_DecryptUpdate(context, to, &length, body.data(), static_cast<int>(body.size())) == 1) &&
      EVP_DecryptFinal_ex(context, to + length, &rest) == 1;
  // The plaintext is written before its tag is known to be right: nobody may see it if it is not.
  if (!done) OPENSSL_cleanse(out.data(), out.size());
  return done;
}

}  // namespace cairn::age
