// The payload of an age file under a fixed key: what is sealed comes back in any order, and whatever is done to it is
// found. The input says how long the plaintext is and what is done.
#include "codec/age/damage.hpp"
#include "codec/age/stream.hpp"
#include "target.hpp"

#include <algorithm>

namespace {

using namespace cairn;
using fuzz::require;

constexpr std::size_t k_max_plain = 3 * age::k_segment_bytes;
constexpr int k_max_edits = 3;

const SecretBytes& key() {
  static const SecretBytes bytes{std::string_view{"0123456789abcdef0123456789abcdef"}};
  return bytes;
}

std::string_view plaintext(std::size_t size) {
  static const std::string whole = [] {
    std::string text(k_max_plain, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 + (i >> 8));
    return text;
  }();
  return std::string_view{whole}.substr(0, size);
}

// Sealed in pieces, as a writer has them.
std::string seal(std::string_view plain, fuzz::Numbers& numbers) {
  age::Sealer sealer{key()};
  std::string sealed;
  for (unsigned pieces = numbers.byte() % 8; pieces > 0; --pieces) {
    const std::size_t size = numbers.below(plain.size() + 1);
    sealer.append(plain.substr(0, size), sealed);
    plain.remove_prefix(size);
  }
  sealer.append(plain, sealed);
  sealer.finish(sealed);
  return sealed;
}

// One thing that somebody might do to a file.
void edit(std::string& sealed, fuzz::Numbers& numbers) {
  constexpr std::size_t k_segment = age::k_sealed_segment_bytes;
  switch (numbers.byte() % 6) {
    case 0:
      if (!sealed.empty()) sealed[numbers.below(sealed.size())] ^= static_cast<char>(numbers.byte());
      break;
    case 1:
      sealed.resize(numbers.below(sealed.size() + 1));
      break;
    case 2:
      sealed += numbers.rest();
      break;
    case 3:
      if (sealed.size() > 2 * k_segment) {
        std::swap_ranges(sealed.begin(), sealed.begin() + k_segment, sealed.begin() + k_segment);
      }
      break;
    case 4:
      sealed.erase(0, std::min(sealed.size(), k_segment));
      break;
    default:
      sealed.insert(0, sealed.substr(0, k_segment));
      break;
  }
}

void check_segments(const age::Opener& opener, std::string_view sealed, std::string_view plain,
                    std::string_view original) {
  constexpr std::size_t k_segment = age::k_sealed_segment_bytes;
  const std::size_t count = (sealed.size() + k_segment - 1) / k_segment;
  const std::size_t segments = (original.size() + k_segment - 1) / k_segment;
  for (std::size_t i = count; i-- > 0;) {
    const std::string_view piece = sealed.substr(i * k_segment, k_segment);
    Bytes out(piece.size() - std::min(piece.size(), age::k_tag_bytes), std::uint8_t{0xaa});
    const bool opened = fuzz::accepted({ErrorKind::damaged}, [&] { opener.segment(i, i + 1 == count, piece, out); });
    const bool same =
        i < segments && piece == original.substr(i * k_segment, k_segment) && (i + 1 == count) == (i + 1 == segments);
    require(opened == same, "a segment opens in its place alone, and as it was sealed");
    if (opened) {
      require(as_text(out) == plain.substr(i * age::k_segment_bytes, age::k_segment_bytes), "it holds its plaintext");
    } else {
      const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
      require(std::all_of(out.begin(), out.end(), is_zero), "nothing is left of a failure");
    }
  }
}

void run(std::string_view input) {
  fuzz::Numbers numbers{input};
  const std::string_view plain = plaintext(numbers.below(k_max_plain + 1));
  const std::string original = seal(plain, numbers);
  require(original.size() == age::sealed_payload_bytes(plain.size()), "the sealed size is known before");
  require(age::plain_bytes(original.size()) == plain.size(), "and so is the plain one");
  const age::Opener opener{key()};
  std::string sealed = original;
  for (int i = 0; i < k_max_edits && !numbers.empty(); ++i) edit(sealed, numbers);

  std::string out;
  const bool opened = fuzz::accepted({ErrorKind::damaged}, [&] {
    out.resize(age::plain_bytes(sealed.size()));
    opener.all(sealed, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  });
  require(opened == (sealed == original), "a whole payload opens as it was sealed and no other way");
  if (opened) require(out == plain, "it holds its plaintext");
  check_segments(opener, sealed, plain, original);
}

std::vector<std::string> seeds() {
  const std::string two_segments("\x01\x80\x00", 3);
  const std::string full_segments("\x02\x00\x00\x03\x00\xff\xff\x00\x00\x01", 10);
  return {std::string(3, '\0'),
          two_segments,
          full_segments,
          two_segments + std::string("\x00\x00\x01\x00\x05\x01", 6),
          two_segments + std::string("\x00\x01\x01\x00\x10", 5),
          full_segments + "\x02more",
          full_segments + "\x03",
          full_segments + "\x04",
          full_segments + "\x05"};
}

const fuzz::Registration k_registration{{"age_stream", run, seeds}};

}  // namespace
