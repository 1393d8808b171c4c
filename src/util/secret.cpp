#include "util/secret.hpp"

#include "util/error.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/prctl.h>

namespace cairn {

SecretBytes::SecretBytes(std::size_t size) {
  if (size == 0) return;
  void* const pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    throw Error(ErrorKind::failed, "unable to get memory for a secret: " + errno_text(errno));
  }
  // Both are best effort: a container may allow no locked memory at all, and a backup must run there too.
  static_cast<void>(::madvise(pages, size, MADV_DONTDUMP));
  static_cast<void>(::mlock(pages, size));
  m_data = static_cast<std::uint8_t*>(pages);
  m_size = size;
}

SecretBytes::SecretBytes(ByteView bytes) : SecretBytes(bytes.size()) {
  if (!bytes.empty()) std::memcpy(m_data, bytes.data(), bytes.size());
}

SecretBytes SecretBytes::random(std::size_t size) {
  SecretBytes out(size);
  if (RAND_priv_bytes(out.data(), static_cast<int>(size)) != 1) {
    throw Error(ErrorKind::failed, "unable to get random bytes from the operating system");
  }
  return out;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)), m_size(std::exchange(other.m_size, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes other) noexcept {
  std::swap(m_data, other.m_data);
  std::swap(m_size, other.m_size);
  return *this;
}

SecretBytes::~SecretBytes() {
  if (m_data == nullptr) return;
  OPENSSL_cleanse(m_data, m_size);
  ::munmap(m_data, m_size);
}

bool same_secret(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(std::string& text) noexcept {
  // Within its capacity this does not allocate; the bytes beyond size() may hold what an earlier value was.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

void wipe(Bytes& bytes) noexcept {
  bytes.resize(bytes.capacity());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  bytes.clear();
}

void forbid_core_dumps_of_secrets() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    throw Error(ErrorKind::failed, "unable to forbid core dumps: " + errno_text(errno));
  }
}

}  // namespace cairn
