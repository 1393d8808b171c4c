#include "codec/digest.hpp"

#include "util/error.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace cairn {

namespace {

[[noreturn]] void crypto_failed() {
  throw Error(ErrorKind::failed, "unable to compute a digest: OpenSSL failed");
}

struct MdDeleter {
  void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

const EVP_MD* fetched(const char* name) {
  const EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) crypto_failed();
  return md;
}

// Fetched once for the life of the process.
const EVP_MD* sha256_algorithm() {
  static const std::unique_ptr<const EVP_MD, void (*)(const EVP_MD*)> k_md{
      fetched("SHA256"), [](const EVP_MD* md) { EVP_MD_free(const_cast<EVP_MD*>(md)); }};
  return k_md.get();
}

const EVP_MD* md5_algorithm() {
  static const std::unique_ptr<const EVP_MD, void (*)(const EVP_MD*)> k_md{
      fetched("MD5"), [](const EVP_MD* md) { EVP_MD_free(const_cast<EVP_MD*>(md)); }};
  return k_md.get();
}

using ContextPtr = std::unique_ptr<EVP_MD_CTX, MdDeleter>;

ContextPtr new_context() {
  ContextPtr context{EVP_MD_CTX_new()};
  if (!context) crypto_failed();
  return context;
}

}  // namespace

std::optional<Digest> Digest::parse(std::string_view hex) {
  if (hex.size() != 64) return std::nullopt;
  const auto bytes = from_hex(hex);
  if (!bytes) return std::nullopt;
  Digest digest;
  std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
  return digest;
}

Digest sha256(ByteView bytes) {
  thread_local const ContextPtr context = new_context();
  Digest digest;
  if (EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr) != 1) {
    crypto_failed();
  }
  return digest;
}

Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

struct Sha256::Context {
  ContextPtr context = new_context();
};

Sha256::Sha256() : m_context(std::make_unique<Context>()) {
  if (EVP_DigestInit_ex2(m_context->context.get(), sha256_algorithm(), nullptr) != 1) crypto_failed();
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
  if (EVP_DigestUpdate(m_context->context.get(), bytes.data(), bytes.size()) != 1) crypto_failed();
}

Digest Sha256::finish() {
  Digest digest;
  if (EVP_DigestFinal_ex(m_context->context.get(), digest.bytes.data(), nullptr) != 1 ||
      EVP_DigestInit_ex2(m_context->context.get(), sha256_algorithm(), nullptr) != 1) {
    crypto_failed();
  }
  return digest;
}

struct Md5::Context {
  ContextPtr context = new_context();
};

Md5::Md5() : m_context(std::make_unique<Context>()) {
  if (EVP_DigestInit_ex2(m_context->context.get(), md5_algorithm(), nullptr) != 1) crypto_failed();
}
Md5::~Md5() = default;

void Md5::update(ByteView bytes) {
  if (EVP_DigestUpdate(m_context->context.get(), bytes.data(), bytes.size()) != 1) crypto_failed();
}

Bytes Md5::finish() {
  Bytes out(16);
  if (EVP_DigestFinal_ex(m_context->context.get(), out.data(), nullptr) != 1 ||
      EVP_DigestInit_ex2(m_context->context.get(), md5_algorithm(), nullptr) != 1) {
    crypto_failed();
  }
  return out;
}

Bytes md5(ByteView bytes) {
  Md5 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Digest hmac_sha256(ByteView key, ByteView message) {
  static constexpr std::uint8_t k_none = 0;
  Digest digest;
  unsigned length = 0;
  // HMAC() takes an empty key only as a non-null pointer.
  if (HMAC(EVP_sha256(), key.empty() ? &k_none : key.data(), static_cast<int>(key.size()), message.data(),
           message.size(), digest.bytes.data(), &length) == nullptr ||
      length != 32) {
    crypto_failed();
  }
  return digest;
}

}  // namespace cairn
