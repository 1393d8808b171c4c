// Memory for keys, passphrases and what they open.
#pragma once

#include "util/bytes.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace cairn {

// A fixed number of secret bytes in pages of their own: kept out of core dumps (MADV_DONTDUMP) and, as far as
// RLIMIT_MEMLOCK allows, out of swap; overwritten before they are given back, on every path. A copy is another such
// buffer. There is no operator<<, no hash and no ==: secrets are neither printed nor looked up, and comparing them is
// same_secret. Each non-empty one costs a page and a few system calls, so it is for keys, not for data.
// Not thread-safe for writing; const access is.
class SecretBytes {
 public:
  SecretBytes() noexcept = default;
  // Zeroes. Throws Error(failed) where there is no memory.
  explicit SecretBytes(std::size_t size);
  explicit SecretBytes(ByteView bytes);
  explicit SecretBytes(std::string_view text) : SecretBytes(as_bytes(text)) {}
  // From OpenSSL's generator for private values.
  static SecretBytes random(std::size_t size);

  SecretBytes(const SecretBytes& other) : SecretBytes(other.bytes()) {}
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes other) noexcept;
  ~SecretBytes();

  std::size_t size() const noexcept { return m_size; }
  bool empty() const noexcept { return m_size == 0; }
  std::uint8_t* data() noexcept { return m_data; }
  const std::uint8_t* data() const noexcept { return m_data; }
  ByteSpan span() noexcept { return {m_data, m_size}; }
  ByteView bytes() const noexcept { return {m_data, m_size}; }
  // The same bytes as text. A view: it dies with this object, and a std::string made of it is a copy nobody wipes.
  std::string_view text() const noexcept { return as_text(bytes()); }

 private:
  std::uint8_t* m_data = nullptr;
  std::size_t m_size = 0;
};

// Constant time for buffers of one length.
bool same_secret(ByteView a, ByteView b) noexcept;

// Overwrites what a string or buffer of another library holds, its spare capacity too, and empties it.
void wipe(std::string& text) noexcept;
void wipe(Bytes& bytes) noexcept;

// Forbids this process to dump core (PR_SET_DUMPABLE), and with that other processes of the same user to read its
// memory. SecretBytes keeps the keys themselves out of a dump; this also covers what OpenSSL holds of them while it
// works, registers and stack. For main() of a program that is about to read a key. Not for a library or a test in the
// same process: the leak checker of AddressSanitizer then cannot attach. Programs it starts are not affected (execve
// resets it). Throws Error(failed) where the kernel refuses.
void forbid_core_dumps_of_secrets();

}  // namespace cairn
