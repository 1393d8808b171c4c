#include "util/bytes.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("append: in order, whatever the buffer has room for") {
  Bytes whole;
  std::string expected;
  for (std::size_t n = 0; n < 300; ++n) {
    const std::string piece(n % 37, static_cast<char>('a' + n % 26));
    append(whole, as_bytes(piece));
    expected += piece;
  }
  CHECK(as_text(whole) == expected);
  append(whole, ByteView{});
  CHECK(whole.size() == expected.size());
}

TEST_CASE("hexadecimal: both ways, lower case only, even length only") {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  CHECK(from_hex(to_hex(all)) == all);
  CHECK(to_hex(Bytes{0x00, 0x0f, 0xf0, 0xff}) == "000ff0ff");
  CHECK(from_hex("") == Bytes{});
  for (const char* bad : {"0", "0G", "0A", "AF", " 0", "0x", "00 "}) CHECK_FALSE(from_hex(bad));
  CHECK(is_hex("09af"));
  CHECK_FALSE(is_hex(""));
  CHECK_FALSE(is_hex("09aF"));
}

TEST_CASE("base64: the vectors of RFC 4648, and back") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [raw, text] : vectors) {
    CHECK(to_base64(as_bytes(raw)) == text);
    REQUIRE(from_base64(text));
    CHECK(as_text(*from_base64(text)) == raw);
  }
  for (std::size_t n = 0; n < 70; ++n) {
    const Bytes raw = random_bytes(n);
    CHECK(from_base64(to_base64(raw)) == raw);
  }
}

TEST_CASE("base64: everything that is not the one spelling is refused") {
  for (const char* bad : {"Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Zm 8=", "Zm8=\n",
                          "Z===", "====", "=Zg=", "Zg=a", "Zm9-", "Zm9_", "Zm9\xc3", "Zg==="}) {
    CHECK_FALSE(from_base64(bad));
  }
  CHECK_FALSE(from_base64(std::string_view{"Zm9\0", 4}));
}

TEST_CASE("little-endian integers") {
  Bytes out;
  put_u32(out, 0x04030201);
  put_u64(out, 0x0c0b0a0908070605);
  CHECK(out == Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(get_u32(out.data()) == 0x04030201);
  CHECK(get_u64(out.data() + 4) == 0x0c0b0a0908070605);
  out.clear();
  put_u64(out, UINT64_MAX);
  CHECK(get_u64(out.data()) == UINT64_MAX);
}

TEST_CASE("a buffer is taken for its memory, the last one first") {
  std::vector<Bytes> buffers;
  CHECK(take_last(buffers).empty());
  buffers.emplace_back(1);
  buffers.emplace_back(2);
  const auto* memory = buffers.back().data();
  const Bytes last = take_last(buffers);
  CHECK(last.size() == 2);
  CHECK(last.data() == memory);
  CHECK(take_last(buffers).size() == 1);
  CHECK(buffers.empty());
}
