#include "capture/content_reader.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// Pieces as a source gives them: text, or a hole of so many bytes.
class Pieces : public Content {
 public:
  struct Given {
    std::string text;
    std::uint64_t hole = 0;
  };
  explicit Pieces(std::vector<Given> pieces, std::uint64_t expected = 0)
      : m_pieces(std::move(pieces)), m_expected(expected) {}
  Piece read(ByteSpan out) override {
    if (m_at == m_pieces.size()) return {Piece::Kind::end, 0};
    Given& piece = m_pieces[m_at];
    if (piece.hole != 0) {
      ++m_at;
      return {Piece::Kind::hole, piece.hole};
    }
    const std::size_t n = std::min(out.size(), piece.text.size());
    std::copy_n(piece.text.begin(), n, out.begin());
    piece.text.erase(0, n);
    if (piece.text.empty()) ++m_at;
    return {Piece::Kind::data, n};
  }
  std::uint64_t expected_size() const override { return m_expected; }
  ChunkRule rule() const override { return {}; }
  Outcome finish() override { return Outcome::consistent; }

 private:
  std::vector<Given> m_pieces;
  std::uint64_t m_expected;
  std::size_t m_at = 0;
};

Bytes used_before() {
  return Bytes(k_segment_size, 0xee);
}

}  // namespace

TEST_CASE("a segment in a buffer that was used before holds what was read and nothing else") {
  Pieces content{{{"hello", 0}}};
  std::uint64_t hole_ahead = 0;
  bool ended = false;
  const auto segment = read_segment(content, hole_ahead, ended, used_before());
  REQUIRE(segment);
  CHECK(as_text(segment->bytes) == "hello");
  CHECK(ended);
  CHECK_FALSE(read_segment(content, hole_ahead, ended, used_before()));

  // Smaller than the first of them, as a file of a known size is read.
  const std::string text(100'000, 'x');
  Pieces known{{{text, 0}}, text.size()};
  ended = false;
  const auto whole = read_segment(known, hole_ahead, ended, used_before());
  REQUIRE(whole);
  CHECK(as_text(whole->bytes) == text);
}

TEST_CASE("a hole between data is a segment of its own, whatever buffers are at hand") {
  Pieces content{{{"", 65536}, {"data", 0}, {"", 131072}, {"more", 0}}};
  std::uint64_t hole_ahead = 0;
  bool ended = false;
  std::string seen;
  while (const auto segment = read_segment(content, hole_ahead, ended, used_before())) {
    seen += segment->hole != 0 ? std::to_string(segment->hole) : std::string{as_text(segment->bytes)};
    seen += ' ';
    CHECK((segment->hole == 0 || segment->bytes.empty()));
  }
  CHECK(seen == "65536 data 131072 more ");
}
