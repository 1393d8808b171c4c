#include "codec/minisign.hpp"

#include "unit/support.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::minisign;
using test::failure_of;
using test::message_of;
using test::replaced;

TEST_CASE("minisign: what a key signs it verifies, and nothing else") {
  const SecretKey key = SecretKey::generate();
  const SecretKey other = SecretKey::generate();
  for (const std::string& message : {std::string{}, std::string{"hello\n"}, std::string(100'000, '\0')}) {
    const std::string text = key.sign(message, "trusted\ttext");
    CHECK(verify(key.public_key(), message, text));
    CHECK_FALSE(verify(key.public_key(), message + "x", text));
    CHECK_FALSE(verify(other.public_key(), message, text));
    const Signature signature = Signature::parse(text);
    CHECK(signature.prehashed);
    CHECK(signature.trusted_comment == "trusted\ttext");
    CHECK(signature.id == key.public_key().id());
    CHECK_FALSE(verify(key.public_key(), message, replaced(text, "trusted\ttext", "trusted text")));
    CHECK(verify(key.public_key(), message, replaced(text, "untrusted comment: ", "untrusted comment: other ")));
  }
}

TEST_CASE("minisign: a secret key goes through PEM, its public key through both texts") {
  const SecretKey key = SecretKey::generate();
  const SecretKey again = SecretKey::parse_pem(key.pem().text());
  CHECK(again.public_key() == key.public_key());
  CHECK(again.sign("m", "c") == key.sign("m", "c"));
  const PublicKey& open = key.public_key();
  CHECK(open.text().starts_with("RW"));
  CHECK(open.text().size() == 56);
  CHECK(PublicKey::parse(open.text()) == open);
  CHECK(PublicKey::parse(open.text() + "\n") == open);
  CHECK(PublicKey::parse(open.file_text()) == open);
  CHECK(open.key_id().size() == 16);
  CHECK(open.file_text().find(open.key_id()) != std::string::npos);
  CHECK_FALSE(SecretKey::generate().public_key() == open);
}

TEST_CASE("minisign: a change of any byte of a signature is refused, but for the untrusted comment's own text") {
  const SecretKey key = SecretKey::generate();
  const std::string text = key.sign("message", "a comment");
  const std::size_t own = std::string_view{"untrusted comment: "}.size();
  const std::size_t line = text.find('\n');
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i >= own && i < line) continue;
    for (const unsigned flip : {0x01U, 0x04U, 0x80U}) {
      std::string changed = text;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ flip);
      INFO("byte " << i);
      bool good = true;
      const auto kind = failure_of([&] { good = verify(key.public_key(), "message", changed); });
      CHECK((kind == ErrorKind::damaged || !good));
    }
    // The last byte is a line end that may be missing.
    if (i + 1 < text.size()) {
      CHECK(failure_of([&] { verify(key.public_key(), "message", text.substr(0, i)); }) == ErrorKind::damaged);
    }
  }
  CHECK(verify(key.public_key(), "message", text.substr(0, text.size() - 1)));
  CHECK(failure_of([&] { verify(key.public_key(), "message", text + "x"); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { verify(key.public_key(), "message", text + text); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { Signature::parse(std::string(1 << 20, 'x')); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { Signature::parse(""); }) == ErrorKind::damaged);
}

TEST_CASE("minisign: line ends of another system do not matter") {
  const SecretKey key = SecretKey::generate();
  std::string text;
  for (const char c : key.sign("message", "a comment")) text += c == '\n' ? std::string{"\r\n"} : std::string{c};
  CHECK(verify(key.public_key(), "message", text));
}

TEST_CASE("minisign: the parts of two signatures of one key do not make a third") {
  const SecretKey key = SecretKey::generate();
  const Signature one = Signature::parse(key.sign("one", "first"));
  const Signature two = Signature::parse(key.sign("two", "second"));
  Signature mixed = one;
  mixed.trusted_comment = two.trusted_comment;
  mixed.global = two.global;
  CHECK_FALSE(verify(key.public_key(), "one", mixed));
  mixed = one;
  mixed.signature = two.signature;
  CHECK_FALSE(verify(key.public_key(), "one", mixed));
  mixed = one;
  mixed.prehashed = false;
  CHECK_FALSE(verify(key.public_key(), "one", mixed));
  mixed = one;
  mixed.id[0] = static_cast<std::uint8_t>(mixed.id[0] ^ 1);
  CHECK_FALSE(verify(key.public_key(), "one", mixed));
  CHECK(verify(key.public_key(), "one", one));
}

TEST_CASE("minisign: a trusted comment is one line of printable text") {
  const SecretKey key = SecretKey::generate();
  for (const std::string& comment : {std::string{"a\nb"}, std::string{"a\r"}, std::string{"\x1b[2J"},
                                     std::string{"a\0b", 3}, std::string{"\x7f"}, std::string(8001, 'x')}) {
    CHECK(failure_of([&] { static_cast<void>(key.sign("m", comment)); }) == ErrorKind::usage);
  }
  for (const std::string& comment : {std::string{}, std::string{"\tta\xc3\xa9"}, std::string(8000, 'x')}) {
    CHECK(verify(key.public_key(), "m", key.sign("m", comment)));
  }
  const std::string hostile = replaced(key.sign("m", "comment"), "comment\n", "com\x1b[2Jment\n");
  CHECK(failure_of([&] { verify(key.public_key(), "m", hostile); }) != std::nullopt);
}

TEST_CASE("minisign: what is no public key is refused, saying why and nothing of it") {
  const SecretKey key = SecretKey::generate();
  const std::string text = key.public_key().text();
  const std::string pem{key.pem().text()};
  struct Case {
    std::string text, why;
  };
  for (const Case& given : std::vector<Case>{
           {"", "56 characters"},
           {"untrusted comment: x\n", "56 characters"},
           {text.substr(1), "56 characters"},
           {text + "AAAA", "too long"},
           {"X" + text.substr(1), "another algorithm"},
           {text.substr(0, 55) + "-", "56 characters"},
           {"RWRTY0Iy" + std::string(204, 'A'), "a secret key"},
           {pem, "PEM"},
           {std::string(100'000, 'R'), "too long"},
       }) {
    CHECK(failure_of([&] { PublicKey::parse(given.text); }) == ErrorKind::usage);
    const std::string message = message_of([&] { PublicKey::parse(given.text); });
    CHECK_MESSAGE(message.find(given.why) != std::string::npos, message);
    CHECK(message.find(pem.substr(60, 10)) == std::string::npos);
  }
}

TEST_CASE("minisign: what is no signing key is refused, saying why and nothing of it") {
  const std::string pem{SecretKey::generate().pem().text()};
  const std::string body = pem.substr(28, 64);
  struct Case {
    std::string text, why;
  };
  for (const Case& given : std::vector<Case>{
           {"", "PKCS#8"},
           {"-----BEGIN PRIVATE KEY-----", "PKCS#8"},
           {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "Ed25519"},
           {replaced(pem, body, body.substr(0, 60)), "Ed25519"},
           {replaced(pem, body, body.substr(0, 63) + "="), "Ed25519"},
           {replaced(pem, body, body.substr(0, 62) + "=="), "Ed25519"},
           {replaced(pem, body, body + "AAAA"), "Ed25519"},
           {replaced(pem, body, body.substr(0, 63) + "!"), "Ed25519"},
           {replaced(pem, body, std::string(64, 'A')), "Ed25519"},
           {pem + "x", "PKCS#8"},
           {"x" + pem, "PKCS#8"},
           {pem + pem, "Ed25519"},
           {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "passphrase"},
           {"-----BEGIN OPENSSH PRIVATE KEY-----\n", "OpenSSH"},
           {"untrusted comment: minisign encrypted secret key\nRWRTY0Iy\n", "minisign"},
       }) {
    CHECK(failure_of([&] { SecretKey::parse_pem(given.text); }) == ErrorKind::usage);
    const std::string message = message_of([&] { SecretKey::parse_pem(given.text); });
    CHECK_MESSAGE(message.find(given.why) != std::string::npos, message);
    for (std::size_t i = 22; i + 6 <= body.size(); ++i) CHECK(message.find(body.substr(i, 6)) == std::string::npos);
  }
  std::string wrapped = pem;
  wrapped.insert(60, "\r\n");
  CHECK(SecretKey::parse_pem("\n" + wrapped + "\n\n").pem().text() == pem);
}

TEST_CASE("minisign: the key of RFC 8032's first example has the public key that it says") {
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
      "-----END PRIVATE KEY-----\n";
  const SecretKey key = SecretKey::parse_pem(pem);
  CHECK(to_hex(key.public_key().point()) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  CHECK(key.pem().text() == pem);
}
