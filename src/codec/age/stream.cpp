#include "codec/age/stream.hpp"

#include "codec/age/damage.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace cairn::age {

namespace {

// Eleven bytes of big-endian counter, of which a count of 64 bits uses eight, and the mark of the last segment.
Nonce nonce_of(std::uint64_t index, bool last) noexcept {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<std::uint8_t>(index >> (8 * i));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

void open_segment(Aead& aead, std::uint64_t index, bool last, std::string_view sealed, ByteSpan plain) {
  const bool right_size = last ? sealed.size() <= k_sealed_segment_bytes && sealed.size() >= k_tag_bytes &&
                                     (sealed.size() > k_tag_bytes || index == 0)
                               : sealed.size() == k_sealed_segment_bytes;
  if (!right_size) {
    std::ranges::fill(plain, std::uint8_t{0});
    throw Damage(DamagedPart::payload, "a segment of a size that none has");
  }
  if (plain.size() != sealed.size() - k_tag_bytes) throw std::logic_error("age: a buffer of the wrong size");
  if (!aead.open(nonce_of(index, last), as_bytes(sealed), plain)) {
    throw Damage(DamagedPart::payload, "segment " + std::to_string(index) + " is not what its author wrote");
  }
}

}  // namespace

std::uint64_t sealed_payload_bytes(std::uint64_t plain) {
  const std::uint64_t segments = plain == 0 ? 1 : (plain - 1) / k_segment_bytes + 1;
  if (plain > std::numeric_limits<std::uint64_t>::max() - segments * k_tag_bytes) {
    throw Damage(DamagedPart::payload, "it is larger than any can be");
  }
  return plain + segments * k_tag_bytes;
}

std::uint64_t plain_bytes(std::uint64_t sealed_payload) {
  const std::uint64_t full = sealed_payload / k_sealed_segment_bytes;
  const std::uint64_t rest = sealed_payload % k_sealed_segment_bytes;
  if (sealed_payload == 0 || (rest != 0 && rest < k_tag_bytes) || (rest == k_tag_bytes && full > 0)) {
    throw Damage(DamagedPart::payload, "it is cut short or something follows it");
  }
  return full * k_segment_bytes + (rest == 0 ? 0 : rest - k_tag_bytes);
}

Sealer::Sealer(const SecretBytes& payload_key) : m_aead(payload_key, Aead::Direction::seal) {}

Sealer::~Sealer() {
  // The plaintext may be a key.
  wipe(m_pending);
}

void Sealer::seal(std::string_view plain, bool last, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + plain.size() + k_tag_bytes);
  m_aead.seal(nonce_of(m_next, last), as_bytes(plain),
              {reinterpret_cast<std::uint8_t*>(out.data()) + at, plain.size() + k_tag_bytes});
  ++m_next;
}

void Sealer::append(std::string_view plain, std::string& out) {
  if (m_finished) throw std::logic_error("age: appended after the last segment");
  while (!plain.empty()) {
    // A full segment is only sealed when more follows: it might be the last one.
    if (m_pending.size() == k_segment_bytes) {
      seal(as_text(m_pending), false, out);
      m_pending.clear();
    }
    if (m_pending.empty() && plain.size() > k_segment_bytes) {
      seal(plain.substr(0, k_segment_bytes), false, out);
      plain.remove_prefix(k_segment_bytes);
      continue;
    }
    m_pending.reserve(k_segment_bytes);
    const std::size_t taken = std::min(plain.size(), k_segment_bytes - m_pending.size());
    cairn::append(m_pending, as_bytes(plain.substr(0, taken)));
    plain.remove_prefix(taken);
  }
}

void Sealer::finish(std::string& out) {
  if (m_finished) throw std::logic_error("age: finished twice");
  m_finished = true;
  seal(as_text(m_pending), true, out);
}

void Opener::segment(std::uint64_t index, bool last, std::string_view sealed, ByteSpan plain) const {
  // A context a call: they cannot be shared between threads, and making one costs little beside a segment.
  Aead aead(m_key, Aead::Direction::open);
  open_segment(aead, index, last, sealed, plain);
}

void Opener::all(std::string_view sealed, ByteSpan plain) const {
  Aead aead(m_key, Aead::Direction::open);
  for (std::uint64_t index = 0;; ++index) {
    const bool last = sealed.size() <= k_sealed_segment_bytes;
    const std::string_view piece = sealed.substr(0, k_sealed_segment_bytes);
    const std::size_t size = std::min(plain.size(), piece.size() - std::min(piece.size(), k_tag_bytes));
    open_segment(aead, index, last, piece, plain.first(size));
    if (last) return;
    sealed.remove_prefix(piece.size());
    plain = plain.subspan(size);
  }
}

}  // namespace cairn::age
