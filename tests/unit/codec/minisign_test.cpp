#include "codec/minisign.hpp"

#include "unit/support.hpp"

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
    CHECK(signature.key_id() == key.public_key().key_id());
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
