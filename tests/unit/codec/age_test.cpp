#include "codec/age/age.hpp"

#include "codec/age/header.hpp"
#include "codec/bech32.hpp"
#include "codec/minisign.hpp"
#include "support/age_files.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/err.h>

using namespace cairn;
using namespace cairn::age;
using test::failure_of;
using test::message_of;

namespace {

// Low enough to be quick; the real one is checked once.
constexpr unsigned k_quick_log_n = 4;

std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::minstd_rand random(static_cast<unsigned>(size) + 1);
  for (char& c : out) c = static_cast<char>(random() >> 7);
  return out;
}

const std::vector<std::size_t>& sizes() {
  static const std::vector<std::size_t> k_sizes{0, 1, 65535, 65536, 65537, 131072, 10'000'000};
  return k_sizes;
}

// The part that is damaged, or nothing where f throws no Damage.
template <class F>
std::optional<DamagedPart> damaged_part(F&& f) {
  try {
    f();
  } catch (const Damage& e) {
    CHECK(e.kind() == ErrorKind::damaged);
    return e.part();
  }
  return std::nullopt;
}

std::string streamed(const std::vector<Recipient>& recipients, std::string_view plain, std::size_t step) {
  Encryptor encryptor(recipients);
  std::string out = encryptor.preamble();
  for (std::size_t at = 0; at < plain.size(); at += step) encryptor.append(plain.substr(at, step), out);
  encryptor.finish(out);
  return out;
}

}  // namespace

TEST_CASE("age: what is sealed opens again, in one piece, in steps and at random, at every size that matters") {
  const std::vector<Identity> identities{Identity::generate()};
  const std::vector<Recipient> recipients{identities[0].recipient()};
  for (const std::size_t size : sizes()) {
    INFO("size: " << size);
    const std::string plain = noise(size);
    const std::string sealed = encrypt(recipients, plain);
    const std::size_t preamble = preamble_size(sealed).value();
    CHECK(preamble == preamble_bytes(1));
    CHECK(sealed.size() == preamble + sealed_payload_bytes(size));
    CHECK(plain_bytes(sealed.size() - preamble) == size);
    CHECK(decrypt(sealed, identities) == plain);
    for (const std::size_t step : {std::size_t{1000}, std::size_t{65536}, std::size_t{65537}, std::size_t{200'000}}) {
      const std::string in_steps = streamed(recipients, plain, step);
      CHECK(in_steps.size() == sealed.size());
      CHECK(decrypt(in_steps, identities) == plain);
    }
    const auto decryptor = Decryptor::open(std::string_view{sealed}.substr(0, preamble), identities);
    REQUIRE(decryptor);
    const std::string_view payload = std::string_view{sealed}.substr(preamble);
    const std::size_t count = (payload.size() - 1) / k_sealed_segment_bytes + 1;
    for (std::size_t i = count; i-- > 0;) {
      std::string out = "before";
      decryptor->segment(i, i + 1 == count, payload.substr(i * k_sealed_segment_bytes, k_sealed_segment_bytes), out);
      REQUIRE(out == "before" + plain.substr(i * k_segment_bytes, k_segment_bytes));
    }
  }
}

TEST_CASE("age: no two files have a key or nonce in common") {
  const std::vector<Recipient> recipients{Identity::generate().recipient()};
  const std::string one = encrypt(recipients, "the same");
  const std::string two = encrypt(recipients, "the same");
  CHECK(one.size() == two.size());
  CHECK(one.substr(30, 60) != two.substr(30, 60));
  CHECK(one.substr(one.size() - 40) != two.substr(two.size() - 40));
}

TEST_CASE("age: each of several recipients opens, nobody else does") {
  std::vector<Identity> all;
  std::vector<Recipient> recipients;
  for (int i = 0; i < 5; ++i) {
    all.push_back(Identity::generate());
    recipients.push_back(all.back().recipient());
  }
  const std::string sealed = encrypt(recipients, "for five");
  CHECK(preamble_size(sealed) == preamble_bytes(5));
  for (const Identity& identity : all) CHECK(decrypt(sealed, {&identity, 1}) == "for five");
  const std::vector<Identity> strangers{Identity::generate(), Identity::generate()};
  CHECK_FALSE(Decryptor::open(sealed, strangers));
  CHECK_FALSE(Decryptor::open(sealed, {}));
  CHECK(failure_of([&] { decrypt(sealed, strangers); }) == ErrorKind::no_key);
  std::vector<Identity> with_one = strangers;
  with_one.push_back(all[3]);
  CHECK(decrypt(sealed, with_one) == "for five");
}

TEST_CASE("age: sealing needs a recipient, and ends once") {
  CHECK(failure_of([] { Encryptor encryptor(std::span<const Recipient>{}); }) == ErrorKind::usage);
  CHECK(failure_of([] { encrypt({}, "x"); }) == ErrorKind::usage);
  const std::vector<Recipient> recipients{Identity::generate().recipient()};
  Encryptor encryptor(recipients);
  std::string out;
  encryptor.finish(out);
  CHECK(out.size() == k_tag_bytes);
  CHECK_THROWS_AS(encryptor.finish(out), std::logic_error);
  CHECK_THROWS_AS(encryptor.append("x", out), std::logic_error);
  CHECK(out.size() == k_tag_bytes);
}

TEST_CASE("age: a change of any byte is refused, and a cut at any place") {
  const std::vector<Identity> identities{Identity::generate()};
  const std::string sealed =
      encrypt(std::vector{identities[0].recipient(), Identity::generate().recipient()}, "secret");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (const int flip : {0x01, 0x20, 0x80}) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ static_cast<unsigned>(flip));
      const auto kind = failure_of([&] { decrypt(changed, identities); });
      INFO("byte " << i);
      // A stanza of one's own that is changed is nobody's.
      CHECK((kind == ErrorKind::damaged || kind == ErrorKind::no_key));
    }
    CHECK(failure_of([&] { decrypt(sealed.substr(0, i), identities); }) == ErrorKind::damaged);
  }
  CHECK(damaged_part([&] { decrypt(sealed + "x", identities); }) == DamagedPart::payload);
}

TEST_CASE("age: segments stay in their places, and the last is the last") {
  const std::vector<Identity> identities{Identity::generate()};
  const std::string plain = noise(3 * k_segment_bytes + 10);
  const std::string sealed = encrypt(std::vector{identities[0].recipient()}, plain);
  const std::size_t at = preamble_size(sealed).value();
  const auto decryptor = Decryptor::open(sealed, identities).value();
  const auto piece = [&](std::size_t i) {
    return sealed.substr(at + i * k_sealed_segment_bytes, k_sealed_segment_bytes);
  };
  const auto damage = [&](std::uint64_t index, bool last, std::string_view segment) {
    std::string out = "before";
    const auto part = damaged_part([&] { decryptor.segment(index, last, segment, out); });
    if (part) CHECK(out == "before");
    return part;
  };
  CHECK_FALSE(damage(1, false, piece(1)));
  CHECK_FALSE(damage(3, true, piece(3)));
  CHECK(damage(0, false, piece(1)) == DamagedPart::payload);
  CHECK(damage(1, true, piece(1)) == DamagedPart::payload);
  CHECK(damage(3, false, piece(3)) == DamagedPart::payload);
  CHECK(damage(std::uint64_t{1} << 40, false, piece(0)) == DamagedPart::payload);
  CHECK(damage(0, false, piece(0) + "x") == DamagedPart::payload);
  CHECK(damage(0, false, "") == DamagedPart::payload);
  CHECK(damage(0, true, "") == DamagedPart::payload);
  CHECK(damage(0, true, "0123456789abcde") == DamagedPart::payload);
  std::string into(10, 'x');
  CHECK(damaged_part([&] {
          decryptor.segment(2, true, piece(3), ByteSpan{reinterpret_cast<std::uint8_t*>(into.data()), into.size()});
        }) == DamagedPart::payload);
  CHECK(into == std::string(10, '\0'));
  into.assign(10, 'x');
  const ByteSpan buffer{reinterpret_cast<std::uint8_t*>(into.data()), into.size()};
  CHECK(damaged_part([&] { decryptor.segment(3, false, piece(3), buffer); }) == DamagedPart::payload);
  CHECK(into == std::string(10, '\0'));
  CHECK_THROWS_AS(decryptor.segment(3, true, piece(3), buffer.first(9)), std::logic_error);
  // Whole segments swapped, dropped, or cut off at a boundary.
  const std::string head = sealed.substr(0, at);
  CHECK(damaged_part([&] { decrypt(head + piece(1) + piece(0) + piece(2) + piece(3), identities); }) ==
        DamagedPart::payload);
  CHECK(damaged_part([&] { decrypt(head + piece(0) + piece(2) + piece(3), identities); }) == DamagedPart::payload);
  CHECK(damaged_part([&] { decrypt(head + piece(0) + piece(1), identities); }) == DamagedPart::payload);
  CHECK(damaged_part([&] { decrypt(head + piece(0) + piece(1) + piece(2), identities); }) == DamagedPart::payload);
  CHECK(damaged_part([&] { decrypt(head, identities); }) == DamagedPart::payload);
  // The segments of another file for the same key.
  const std::string other = encrypt(std::vector{identities[0].recipient()}, plain);
  CHECK(damaged_part([&] { decrypt(head + other.substr(at), identities); }) == DamagedPart::payload);
}

TEST_CASE("age: an empty last segment is refused unless the file is empty") {
  const SecretBytes key = SecretBytes::random(k_key_bytes);
  Aead aead(key, Aead::Direction::seal);
  std::string payload = noise(k_segment_bytes);
  std::string full(k_sealed_segment_bytes, '\0');
  aead.seal(Nonce{}, as_bytes(payload), {reinterpret_cast<std::uint8_t*>(full.data()), full.size()});
  Nonce second{};
  second[10] = 1;
  second[11] = 1;
  std::string empty(k_tag_bytes, '\0');
  aead.seal(second, {}, {reinterpret_cast<std::uint8_t*>(empty.data()), empty.size()});
  const Opener opener(key);
  std::string out(k_segment_bytes, '\0');
  const ByteSpan into{reinterpret_cast<std::uint8_t*>(out.data()), out.size()};
  opener.segment(0, false, full, into);
  CHECK(out == payload);
  CHECK(damaged_part([&] { opener.segment(1, true, empty, {}); }) == DamagedPart::payload);
  CHECK(damaged_part([&] { opener.all(full + empty, into); }) == DamagedPart::payload);
}

TEST_CASE("age: sizes of payloads are counted both ways") {
  for (const std::uint64_t plain : {0ULL, 1ULL, 65535ULL, 65536ULL, 65537ULL, 131072ULL, 131073ULL, 1ULL << 50}) {
    CHECK(plain_bytes(sealed_payload_bytes(plain)) == plain);
  }
  CHECK(sealed_payload_bytes(0) == 16);
  CHECK(sealed_payload_bytes(65536) == 65552);
  CHECK(sealed_payload_bytes(65537) == 65537 + 32);
  for (const std::uint64_t sealed : {0ULL, 1ULL, 15ULL, 65553ULL, 65552ULL + 16, 2 * 65552ULL + 15}) {
    INFO("sealed: " << sealed);
    CHECK(damaged_part([&] { static_cast<void>(plain_bytes(sealed)); }) == DamagedPart::payload);
  }
  CHECK(damaged_part([] { static_cast<void>(sealed_payload_bytes(~0ULL)); }) == DamagedPart::payload);
  CHECK(plain_bytes(16) == 0);
  CHECK(plain_bytes(17) == 1);
}

TEST_CASE("age: a preamble is measured from its beginning, and only so much is asked for") {
  const std::string sealed = encrypt(std::vector{Identity::generate().recipient()}, "x");
  const std::size_t size = preamble_bytes(1);
  for (std::size_t have = 0; have < size; ++have) REQUIRE_FALSE(preamble_size(sealed.substr(0, have)));
  CHECK(preamble_size(sealed.substr(0, size)) == size);
  CHECK(damaged_part([] { preamble_size("age-encryption.org/v2\n"); }) == DamagedPart::header);
  CHECK(damaged_part([] { preamble_size("PK"); }) == DamagedPart::header);
  CHECK(damaged_part([] { preamble_size("age-encryption.org/v1\nx"); }) == DamagedPart::header);
  const std::string lines = "age-encryption.org/v1\n-> kind " + std::string(k_header_limit, 'a');
  CHECK_FALSE(preamble_size(lines.substr(0, 1000)));
  CHECK(damaged_part([&] { preamble_size(lines); }) == DamagedPart::header);
  std::string stanzas = "age-encryption.org/v1\n";
  while (stanzas.size() < k_header_limit) stanzas += "-> kind\n\n";
  CHECK(damaged_part([&] { preamble_size(stanzas); }) == DamagedPart::header);
  CHECK(damaged_part([&] { preamble_size("age-encryption.org/v1\n-> kind\n" + std::string(65, 'a')); }) ==
        DamagedPart::header);
}

TEST_CASE("age: a header has no more stanzas than anybody has recipients") {
  const auto identity = Identity::generate();
  const auto with = [&](std::size_t recipients) {
    return encrypt(std::vector<Recipient>(recipients, identity.recipient()), "x");
  };
  CHECK(decrypt(with(k_stanza_limit), std::vector{identity}) == "x");
  CHECK(failure_of([&] { with(k_stanza_limit + 1); }) == ErrorKind::usage);
  // One more, of whatever kind, is refused before any of them is tried.
  const std::string most = with(k_stanza_limit);
  const std::string one_more = test::replaced(most, "\n-> ", "\n-> other\n\n-> ");
  CHECK(damaged_part([&] { Decryptor::open(one_more, std::vector{identity}); }) == DamagedPart::header);
  CHECK(damaged_part([&] { preamble_size(one_more); }) == DamagedPart::header);
}

TEST_CASE("age: what is refused leaves nothing in OpenSSL's error queue") {
  ERR_clear_error();
  const std::vector<Identity> identities{Identity::generate()};
  std::string sealed = encrypt(std::vector{identities[0].recipient()}, "x");
  CHECK_FALSE(Decryptor::open(sealed, std::vector{Identity::generate()}));
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  CHECK(failure_of([&] { decrypt(sealed, identities); }) == ErrorKind::damaged);
  std::string zero(bech32::encoded_size(3, 32), '\0');
  bech32::encode("age", Bytes(32, 0), zero);
  CHECK(failure_of([&] { Recipient::parse(zero); }) == ErrorKind::usage);
  const minisign::SecretKey key = minisign::SecretKey::generate();
  CHECK_FALSE(minisign::verify(key.public_key(), "other", key.sign("message", "")));
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("age: several threads open segments of one file") {
  const std::vector<Identity> identities{Identity::generate()};
  const std::string plain = noise(20 * k_segment_bytes);
  const std::string sealed = encrypt(std::vector{identities[0].recipient()}, plain);
  const std::string_view payload = std::string_view{sealed}.substr(preamble_bytes(1));
  const auto decryptor = Decryptor::open(sealed, identities).value();
  std::array<std::string, 4> out;
  {
    std::vector<std::jthread> threads;
    for (auto& text : out) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < 20; ++i) {
          decryptor.segment(i, i == 19, payload.substr(i * k_sealed_segment_bytes, k_sealed_segment_bytes), text);
        }
      });
    }
  }
  for (const auto& text : out) CHECK(text == plain);
}

TEST_CASE("age: a passphrase opens what it sealed, nothing else does") {
  for (const bool armoured : {false, true}) {
    const std::string sealed = encrypt_with_passphrase("the identity", "correct horse", armoured, k_quick_log_n);
    CHECK(is_age_file(sealed));
    CHECK(is_armoured(sealed) == armoured);
    CHECK(decrypt_with_passphrase(sealed, "correct horse").text() == "the identity");
    CHECK(failure_of([&] { decrypt_with_passphrase(sealed, "correct house"); }) == ErrorKind::no_key);
    CHECK(failure_of([&] { decrypt_with_passphrase(sealed, ""); }) == ErrorKind::no_key);
    CHECK(damaged_part([&] { decrypt_with_passphrase(sealed, "correct horse", k_quick_log_n - 1); }) ==
          DamagedPart::header);
  }
  const std::vector<Identity> identities{Identity::generate()};
  const std::string binary = encrypt_with_passphrase("x", "y", false, k_quick_log_n);
  CHECK_FALSE(Decryptor::open(binary, identities));
  const std::string sealed = encrypt(std::vector{identities[0].recipient()}, "x");
  CHECK(failure_of([&] { decrypt_with_passphrase(sealed, "y"); }) == ErrorKind::no_key);
  CHECK(failure_of([] { encrypt_with_passphrase("x", "", false); }) == ErrorKind::usage);
  const std::string stock = encrypt_with_passphrase("x", "y", false);
  CHECK(stock.find(" 18\n") != std::string::npos);
  CHECK(decrypt_with_passphrase(stock, "y").text() == "x");
  for (std::size_t i = 0; i < binary.size(); ++i) {
    std::string changed = binary;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK(failure_of([&] { decrypt_with_passphrase(changed, "y", 10); }).has_value());
  }
}

TEST_CASE("age: a work factor that no machine has is refused before any work") {
  CHECK(failure_of([] { encrypt_with_passphrase("x", "y", false, 0); }) == ErrorKind::failed);
  CHECK(failure_of([] { encrypt_with_passphrase("x", "y", false, 31); }) == ErrorKind::failed);
  std::string sealed = encrypt_with_passphrase("x", "y", false, 10);
  CHECK(damaged_part([&] { decrypt_with_passphrase(test::replaced(sealed, " 10\n", " 23\n"), "y"); }) ==
        DamagedPart::header);
  CHECK(failure_of([&] { decrypt_with_passphrase(test::replaced(sealed, " 10\n", " 99\n"), "y", 99); }) ==
        ErrorKind::failed);
  CHECK(damaged_part([&] { decrypt_with_passphrase(test::replaced(sealed, " 10\n", " 100\n"), "y", 200); }) ==
        DamagedPart::header);
}

TEST_CASE("age: files are told by how they begin") {
  CHECK(is_age_file("age-encryption.org/v1\n"));
  CHECK(is_age_file("age-encryption.org/v2\n"));
  CHECK(is_age_file(" \r\n-----BEGIN AGE ENCRYPTED FILE-----\n"));
  CHECK_FALSE(is_age_file(""));
  CHECK_FALSE(is_age_file("AGE-SECRET-KEY-1"));
  CHECK_FALSE(is_age_file("# created: 2026\nAGE-SECRET-KEY-1"));
  CHECK_FALSE(is_age_file("-----BEGIN PRIVATE KEY-----"));
}

TEST_CASE("age: armour goes round at every length and has one spelling") {
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string bytes = noise(size);
    const std::string text = armour(bytes);
    REQUIRE(dearmour(text) == bytes);
    REQUIRE(dearmour(" \n\t\r\n" + text + "\n \t") == bytes);
    std::string crlf;
    for (const char c : text) crlf += c == '\n' ? std::string{"\r\n"} : std::string{c};
    REQUIRE(dearmour(crlf) == bytes);
    REQUIRE(dearmour(text.substr(0, text.size() - 1)) == bytes);
    REQUIRE(damaged_part([&] { dearmour(text + "x"); }) == DamagedPart::armour);
    REQUIRE(damaged_part([&] { dearmour("x" + text); }) == DamagedPart::armour);
    REQUIRE(damaged_part([&] { dearmour(text + text); }) == DamagedPart::armour);
    REQUIRE(damaged_part([&] { dearmour(text.substr(0, text.size() - 2)); }) == DamagedPart::armour);
  }
  CHECK(damaged_part([] { dearmour(""); }) == DamagedPart::armour);
}
