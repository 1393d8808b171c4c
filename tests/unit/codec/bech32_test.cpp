#include "codec/bech32.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::string encoded(std::string_view prefix, ByteView data) {
  std::string out(bech32::encoded_size(prefix.size(), data.size()), '\0');
  bech32::encode(prefix, data, out);
  return out;
}

// The data in hexadecimal, or what is wrong.
std::string decoded(std::string_view text, std::string_view prefix, std::size_t size) {
  Bytes out(size);
  const auto fault = bech32::decode(text, prefix, out);
  return fault ? std::string{*fault} : to_hex(out);
}

}  // namespace

TEST_CASE("bech32: the examples of BIP-173 whose data are whole bytes go both ways") {
  struct Example {
    std::string_view text, prefix, data;
  };
  for (const auto& [text, prefix, data] : {
           Example{"a12uel5l", "a", ""},
           Example{"A12UEL5L", "A", ""},
           Example{"?1ezyfcl", "?", ""},
           Example{"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
                   "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio", ""},
           Example{"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef",
                   "00443214c74254b635cf84653a56d7c675be77df"},
           Example{"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "split",
                   "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"},
       }) {
    const Bytes bytes = from_hex(data).value();
    CHECK(encoded(prefix, bytes) == text);
    CHECK(decoded(text, prefix, bytes.size()) == data);
  }
}

TEST_CASE("bech32: every length goes round, upper and lower") {
  Bytes bytes;
  for (int i = 0; i < 100; ++i) {
    for (const std::string_view prefix : {"age", "AGE-SECRET-KEY-"}) {
      const std::string text = encoded(prefix, bytes);
      CHECK(decoded(text, prefix, bytes.size()) == to_hex(bytes));
      CHECK(decoded(text, prefix, bytes.size() + 1) == "it is too short");
    }
    bytes.push_back(static_cast<std::uint8_t>(i * 37 + 11));
  }
}

TEST_CASE("bech32: what is not exactly one spelling is refused") {
  const std::string text = encoded("age", from_hex("00443214c74254b635cf84653a56d7c675be77dfaa").value());
  REQUIRE(decoded(text, "age", 21) == "00443214c74254b635cf84653a56d7c675be77dfaa");
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'q', 'p', 'b', 'i', '1', 'Q', ' ', '\0', '\x80', '\n'}) {
      if (text[i] == c) continue;
      std::string changed = text;
      changed[i] = c;
      Bytes out(21);
      INFO("place " << i);
      CHECK(bech32::decode(changed, "age", out));
    }
  }
  CHECK(decoded(text, "bge", 21) == "it does not begin as one does");
  CHECK(decoded(text, "age", 20) == "it is too long");
  CHECK(decoded("", "age", 20) == "it does not begin as one does");
  CHECK(decoded("age", "age", 20) == "it does not begin as one does");
  CHECK(decoded("age1", "age", 0) == "it is too short");
  CHECK(decoded(text + "q", "age", 21) == "it is too long");
}

TEST_CASE("bech32: padding bits that are not zero are refused though the checksum is right") {
  // One byte is two groups, of whose ten bits two are padding. Made with the reference code of BIP-173.
  CHECK(decoded("a1lu9cgf6y", "a", 1) == "ff");
  for (const std::string_view text : {"a1lacwuu8k", "a1l7kaf2ff", "a1llttal5m"}) {
    CHECK(decoded(text, "a", 1) == "its padding is not zero");
  }
}
