#include "repo/keyring.hpp"

#include "unit/support.hpp"
#include "util/bytes.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

TEST_CASE("keyring: a seal names the set of recipients, in whatever order they are given") {
  const auto a = age::Recipient::parse("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
  const auto b = age::Recipient::parse("age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5");
  CHECK(seal_of({a, b}) == seal_of({b, a, a}));
  CHECK(seal_of({a}) != seal_of({a, b}));
  CHECK(is_valid_seal(seal_of({a})));
  CHECK(is_valid_seal("none"));
  for (const char* wrong :
       {"", "age", "age:", "age:0123", "age:0123456789ABCDEF", "age:0123456789abcdef0", "gpg:0123456789abcdef"}) {
    CHECK_FALSE(is_valid_seal(wrong));
  }
}

TEST_CASE("keyring: recipients open all, the writer what is for it, strangers nothing") {
  const auto owner = age::Identity::generate();
  const auto writer = age::Identity::generate();
  int loaded = 0;
  const Keyring host{{owner.recipient()}, writer, {}};
  const Keyring reader{{}, std::nullopt, [&] {
                         ++loaded;
                         return std::vector{age::Identity::generate(), owner};
                       }};
  const Keyring stranger{{}, age::Identity::generate(), [] { return std::vector<age::Identity>{}; }};
  CHECK(host.seals());
  CHECK_FALSE(reader.seals());
  CHECK(reader.seal() == "none");

  const std::string sealed = host.seal_text("{\"a\":1}");
  CHECK(host.open_text(sealed) == "{\"a\":1}");
  CHECK(reader.open_text(sealed) == "{\"a\":1}");
  CHECK(reader.open_text(sealed) == "{\"a\":1}");
  CHECK(loaded == 1);
  CHECK_FALSE(stranger.open_text(sealed));
  CHECK_FALSE(no_keys().open_text(sealed));
  CHECK(host.seal_text("same") != host.seal_text("same"));

  const auto content = host.encryptor(Keyring::For::recipients).preamble();
  CHECK_FALSE(host.open(content));
  CHECK(reader.open(content));
  CHECK(host.open(host.encryptor(Keyring::For::recipients_and_writer).preamble()));
}

TEST_CASE("keyring: sealed texts hide their exact length and are damaged by any change") {
  const auto writer = age::Identity::generate();
  const Keyring keys{{age::Identity::generate().recipient()}, writer, {}};
  CHECK(keys.seal_text(std::string(1000, 'x')).size() == keys.seal_text(std::string(1024, 'x')).size());
  const std::string sealed = keys.seal_text("{}");
  Bytes file = *from_base64(sealed);
  for (std::size_t i = 0; i < file.size(); ++i) {
    file[i] ^= 1;
    // A changed stanza can also be another recipient's.
    const std::string text = to_base64(file);
    std::optional<std::string> opened;
    const auto failure = failure_of([&] { opened = keys.open_text(text); });
    CAPTURE(i);
    CHECK((failure == ErrorKind::damaged || (!failure && !opened)));
    file[i] ^= 1;
  }
  for (std::size_t n = 0; n < file.size(); ++n) {
    const std::string text = to_base64(ByteView{file}.first(n));
    CHECK(failure_of([&] { keys.open_text(text); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { keys.open_text("?"); }) == ErrorKind::damaged);
}

TEST_CASE("keyring: what loading identities throws is thrown on") {
  const Keyring host{{age::Identity::generate().recipient()}, std::nullopt, {}};
  const Keyring reader{
      {}, std::nullopt, []() -> std::vector<age::Identity> { throw Error(ErrorKind::no_key, "wrong passphrase"); }};
  CHECK(failure_of([&] { reader.open_text(host.seal_text("x")); }) == ErrorKind::no_key);
}
