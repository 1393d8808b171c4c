#include "codec/age/age.hpp"
#include "codec/age/keys.hpp"
#include "codec/bech32.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::age;
using test::failure_of;
using test::message_of;

namespace {

// The pair of the specification's examples.
constexpr std::string_view k_identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
constexpr std::string_view k_recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

std::string recipient_text(std::string_view hex_point) {
  const Bytes point = from_hex(hex_point).value();
  std::string out(bech32::encoded_size(3, point.size()), '\0');
  bech32::encode("age", point, out);
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return text;
}

// No error may say anything of a secret: neither its text nor a part of it.
void says_nothing_of(const std::string& message, std::string_view secret) {
  for (std::size_t i = 0; i + 6 <= secret.size(); ++i) {
    const std::string_view part = secret.substr(i, 6);
    if (std::string_view{"AGE-SECRET-KEY-1"}.find(part) != std::string_view::npos) continue;
    CHECK(message.find(part) == std::string::npos);
  }
}

}  // namespace

TEST_CASE("age keys: the specification's pair belongs together and keeps its texts") {
  const Identity identity = Identity::parse(k_identity);
  CHECK(identity.text().text() == k_identity);
  CHECK(identity.recipient().text() == k_recipient);
  CHECK(Recipient::parse(k_recipient) == identity.recipient());
  CHECK(Recipient::parse(k_recipient).text() == k_recipient);
}

TEST_CASE("age keys: generated identities differ and are ordered by their recipients' texts") {
  std::vector<Recipient> recipients;
  for (int i = 0; i < 20; ++i) {
    const Identity identity = Identity::generate();
    CHECK(Identity::parse(identity.text().text()).recipient() == identity.recipient());
    CHECK(Recipient::parse(identity.recipient().text()) == identity.recipient());
    recipients.push_back(identity.recipient());
  }
  std::sort(recipients.begin(), recipients.end());
  for (std::size_t i = 1; i < recipients.size(); ++i) CHECK(recipients[i - 1].text() < recipients[i].text());
}

TEST_CASE("age keys: what is no recipient is refused, saying why") {
  struct Case {
    std::string text, why;
  };
  const std::string good{k_recipient};
  for (const Case& given : std::vector<Case>{
           {"", "does not begin"},
           {"age1", "too short"},
           {good + "q", "too long"},
           {good + " ", "too long"},
           {" " + good, "does not begin"},
           {good + "\n", "too long"},
           {test::replaced(good, "zvk", "zvj"), "checksum"},
           {test::replaced(good, "zvk", "zvb"), "character"},
           {test::replaced(good, "zvk", "ZVK"), "character"},
           {upper(good), "upper case"},
           {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "SSH"},
           {"age1pq1" + std::string(1900, 'q'), "of this kind"},
           {"age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e", "of this kind"},
           {std::string{k_identity}, "secret key"},
           {"age-secret-key-1gfpyysjz", "secret key"},
           // No identity has these points: 0, 1, both of order 8, p - 1, p (0 again), and others written with more than
           // 255 bits.
           {recipient_text("0000000000000000000000000000000000000000000000000000000000000000"), "no public key"},
           {recipient_text("0100000000000000000000000000000000000000000000000000000000000000"), "no public key"},
           {recipient_text("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "no public key"},
           {recipient_text("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "no public key"},
           {recipient_text("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "no public key"},
           {recipient_text("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "no public key"},
           {recipient_text("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "no public key"},
           {recipient_text("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "no public key"},
           {recipient_text("09000000000000000000000000000000000000000000000000000000000000ff"), "no public key"},
           {recipient_text("0900000000000000000000000000000000000000000000000000000000000080"), "no public key"},
       }) {
    INFO("text: " << given.text);
    CHECK(failure_of([&] { Recipient::parse(given.text); }) == ErrorKind::usage);
    const std::string message = message_of([&] { Recipient::parse(given.text); });
    CHECK_MESSAGE(message.find(given.why) != std::string::npos, message);
    says_nothing_of(message, k_identity);
  }
  // The base point is one.
  CHECK_FALSE(failure_of(
      [] { Recipient::parse(recipient_text("0900000000000000000000000000000000000000000000000000000000000000")); }));
  CHECK_FALSE(failure_of(
      [] { Recipient::parse(recipient_text("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")); }));
}

TEST_CASE("age keys: what is no identity is refused without a word of it") {
  const std::string good{k_identity};
  std::string lower = good;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  for (const std::string& text :
       {std::string{}, lower, good + "Q", good + "\n", good.substr(1), good.substr(0, good.size() - 1),
        test::replaced(good, "EGAEX", "EGAEY"), std::string{k_recipient}, "AGE-SECRET-KEY-PQ-1" + std::string(58, 'Q'),
        std::string{"AGE-PLUGIN-YUBIKEY-1QQQQQQQQ"}, std::string{"-----BEGIN PRIVATE KEY-----"}}) {
    INFO("text: " << text);
    CHECK(failure_of([&] { Identity::parse(text); }) == ErrorKind::usage);
    if (text.find("GFPYY") != std::string::npos) says_nothing_of(message_of([&] { Identity::parse(text); }), good);
  }
}

TEST_CASE("age keys: an identity file has comments, blank lines and several keys; a fault has its line") {
  const Identity other = Identity::generate();
  const std::string second{other.text().text()};
  const std::string text = "# created: 2026-01-01T00:00:00Z\n# public key: x\r\n\n  \t\n" + std::string{k_identity} +
                           " \r\n\n#\n\t" + second;
  const auto identities = parse_identities(text);
  REQUIRE(identities.size() == 2);
  CHECK(identities[0].recipient().text() == k_recipient);
  CHECK(identities[1].recipient() == other.recipient());

  const std::string broken = "# x\n" + second + "\n" + test::replaced(std::string{k_identity}, "4EGA", "4EGG") + "\n";
  CHECK(failure_of([&] { parse_identities(broken); }) == ErrorKind::usage);
  const std::string message = message_of([&] { parse_identities(broken); });
  CHECK(message.starts_with("line 3: not an age identity: "));
  says_nothing_of(message, k_identity);
  for (const auto* empty : {"", "\n", "# AGE-SECRET-KEY-1\n"}) {
    CHECK(failure_of([&] { parse_identities(empty); }) == ErrorKind::usage);
    CHECK(failure_of([&] { parse_recipients(empty); }) == ErrorKind::usage);
  }
}

TEST_CASE("age keys: a recipients file keeps its order and names doubles once") {
  const Recipient other = Identity::generate().recipient();
  const std::string text = "# both\n" + other.text() + "\n" + std::string{k_recipient} + "\n" + other.text() + "\n";
  CHECK(parse_recipients(text) == std::vector{other, Recipient::parse(k_recipient)});
  const std::string with_secret = other.text() + "\n\n" + std::string{k_identity} + "\n";
  const std::string message = message_of([&] { parse_recipients(with_secret); });
  CHECK(message.starts_with("line 3: "));
  CHECK(message.find("secret key") != std::string::npos);
  says_nothing_of(message, k_identity);
}
