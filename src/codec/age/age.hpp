// Files in the format of age (age-encryption.org/v1, C2SP), sealed to X25519 recipients or to a passphrase: a preamble
// (the header and the payload's nonce), then segments of 64 KiB that can be opened one by one. The stock program reads
// what this writes, and the reverse. Cryptography is OpenSSL's; nothing here depends on a secret but through it.
//
// Errors: Damage (a kind of Error(damaged), codec/age/damage.hpp) for bytes that are not what their author wrote;
// Error(no_key) where no given key or passphrase opens the file; Error(failed) where OpenSSL fails. None of them holds
// a key, a passphrase or plaintext. An age file tells nothing of who wrote it: recipients are public (see
// minisign.hpp).
#pragma once

#include "codec/age/armour.hpp"
#include "codec/age/damage.hpp"
#include "codec/age/keys.hpp"
#include "codec/age/stream.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cairn::age {

// The work factor of the stock program, 2^18: 256 MiB and about a second.
inline constexpr unsigned k_passphrase_log_n = 18;

// Whether it begins as an age file of any version does, binary or armoured.
bool is_age_file(std::string_view bytes) noexcept;

// Writes one file under a new file key. Can be moved, not assigned or copied. Not thread-safe.
class Encryptor {
 public:
  // At least one recipient (else Error(usage)).
  explicit Encryptor(std::span<const Recipient> recipients);

  // The beginning of the file. Its size depends on the number of recipients alone.
  const std::string& preamble() const noexcept { return m_preamble; }
  // Appends the segments that are full and known not to be the last.
  void append(std::string_view plain, std::string& out) { m_sealer.append(plain, out); }
  // Appends the last segment, exactly once. A file without it is refused by every reader.
  void finish(std::string& out) { m_sealer.finish(out); }
  // The whole file of this plaintext, instead of the above.
  std::string seal(std::string_view plain);

 private:
  explicit Encryptor(std::pair<std::string, Sealer> begun);
  std::string m_preamble;
  Sealer m_sealer;
};

// The size of the preamble if `prefix` holds all of it, nothing if more of the file is needed: at most 1 MiB and the
// nonce. Throws Damage(header).
std::optional<std::size_t> preamble_size(std::string_view prefix);

// Opens the segments of one file, in any order. Copies share nothing. Thread-safe for const access.
class Decryptor {
 public:
  // `preamble` is the beginning of a file; what follows the preamble in it is ignored. Nothing where none of the
  // identities is a recipient. Throws Damage(header), also where it is cut short, and Damage(mac).
  static std::optional<Decryptor> open(std::string_view preamble, std::span<const Identity> identities);

  // Appends the plaintext of one whole sealed segment: 64 KiB and 16 bytes, the last one 17 bytes at least, or the tag
  // alone where the whole file is empty. `last` says whether it is the last one by the file's size: the caller has that
  // from plain_bytes() or its own records, and a file cut at a segment's end is found only when its last one is opened.
  // Throws Damage(payload) and appends nothing.
  void segment(std::uint64_t index, bool last, std::string_view sealed, std::string& out) const;
  // The same into a buffer of sealed.size() - 16 bytes, which holds zeroes after a failure.
  void segment(std::uint64_t index, bool last, std::string_view sealed, ByteSpan plain) const;
  // The plaintext of all segments: of everything that follows the preamble. Nothing is returned of what is wrong
  // anywhere.
  std::string all(std::string_view sealed) const;

 private:
  explicit Decryptor(Opener opener) : m_opener(std::move(opener)) {}
  Opener m_opener;
};

// A file that a passphrase protects, binary or armoured: an identity file as `age -p` writes it. A wrong passphrase, or
// a file that is for recipients, is Error(no_key). A work factor above 2^max_log_n (2^22: 4 GiB of memory) is
// Damage(header), before any work.
SecretBytes decrypt_with_passphrase(std::string_view file, std::string_view passphrase, unsigned max_log_n = 22);
// An empty passphrase is Error(usage).
std::string encrypt_with_passphrase(std::string_view plain, std::string_view passphrase, bool armoured,
                                    unsigned log_n = k_passphrase_log_n);

}  // namespace cairn::age
