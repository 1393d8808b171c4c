#include "codec/digest.hpp"

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("sha256: the vectors of FIPS 180-4 and the empty message") {
  CHECK(sha256(std::string_view{}).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256(std::string_view{"abc"}).hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256(std::string_view{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"}).hex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1'000'000, 'a')).hex() ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("Sha256: pieces of any size give the digest of the whole, and it is ready for the next message") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7);
  const Digest whole = sha256(text);
  Sha256 hasher;
  for (const std::size_t step : {1U, 3U, 63U, 64U, 65U, 999U, 1000U}) {
    for (std::size_t at = 0; at < text.size(); at += step)
      hasher.update(as_bytes(text).subspan(at, std::min(step, text.size() - at)));
    CHECK(hasher.finish() == whole);
  }
  Sha256 moved{std::move(hasher)};
  CHECK(moved.finish() == sha256(std::string_view{}));
}

TEST_CASE("sha256: several threads at once do not disturb each other") {
  std::vector<std::jthread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      const std::string text(100 + t, static_cast<char>('a' + t));
      const Digest first = sha256(text);
      for (int i = 0; i < 500; ++i) wrong[t] += sha256(text) == first ? 0 : 1;
    });
  }
  threads.clear();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("md5 and hmac_sha256: the vectors of RFC 1321 and RFC 4231") {
  CHECK(to_hex(md5(as_bytes(""))) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(to_hex(md5(as_bytes("message digest"))) == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).hex() ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hmac_sha256(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")).hex() ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hmac_sha256({}, {}).hex() == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("Digest::parse: 64 lower-case digits and nothing else") {
  const std::string hex = sha256(std::string_view{"abc"}).hex();
  CHECK(Digest::parse(hex) == sha256(std::string_view{"abc"}));
  CHECK(sha256(std::string_view{"abc"}).short_hex() == "ba7816bf8f01cfea");
  std::string upper = hex;
  upper[0] = 'B';
  for (const std::string& bad : {std::string{}, hex.substr(1), hex + "0", upper, " " + hex.substr(1),
                                 hex.substr(0, 63) + "g", hex.substr(0, 63) + std::string(1, '\0')}) {
    CHECK_FALSE(Digest::parse(bad));
  }
}
