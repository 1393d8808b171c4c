// The stock programs age, age-keygen, minisign and openssl on what the codecs write, and the reverse.
#include "codec/age/age.hpp"
#include "codec/minisign.hpp"
#include "support/age_files.hpp"
#include "unit/codec/programs.hpp"
#include "unit/support.hpp"
#include "util/file.hpp"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

// A directory whose files are named in shell commands that run there.
class Bench {
 public:
  void put(const std::string& name, std::string_view bytes, unsigned mode = 0600) const {
    write_file_atomic(m_directory.path() / name, as_bytes(bytes), mode);
  }
  std::string get(const std::string& name) const { return std::string{as_text(read_file(m_directory.path() / name))}; }
  bool run(const std::string& command) const {
    return test::shell(fmt::format("cd '{}' && {{ {}; }} >output 2>&1", m_directory.path().native(), command)) == 0;
  }
  std::string output() const { return get("output"); }

 private:
  TemporaryDirectory m_directory{fs::temp_directory_path()};
};

std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::minstd_rand random(static_cast<unsigned>(size) + 7);
  for (char& c : out) c = static_cast<char>(random() >> 7);
  return out;
}

const std::vector<std::size_t>& sizes() {
  static const std::vector<std::size_t> k_sizes{0, 1, 65535, 65536, 65537, 10'000'000};
  return k_sizes;
}

}  // namespace

TEST_CASE("interop: age opens what we seal and we open what it seals, at every size, binary and armoured") {
  if (!test::has_program("age") || !test::has_program("age-keygen")) return;
  const Bench bench;
  REQUIRE(bench.run("age-keygen -o theirs"));
  const std::vector<age::Identity> theirs = age::parse_identities(bench.get("theirs"));
  REQUIRE(theirs.size() == 1);
  REQUIRE(bench.run("age-keygen -y theirs"));
  CHECK(bench.output() == theirs[0].recipient().text() + "\n");

  const std::vector<age::Identity> ours{age::Identity::generate()};
  bench.put("ours", std::string{ours[0].text().text()} + "\n");
  REQUIRE(bench.run("age-keygen -y ours"));
  CHECK(bench.output() == ours[0].recipient().text() + "\n");

  const std::vector<age::Recipient> both{ours[0].recipient(), theirs[0].recipient()};
  bench.put("recipients", fmt::format("# two\n\n{}\n{}\n", both[0].text(), both[1].text()));
  CHECK(age::parse_recipients(bench.get("recipients")) == both);
  for (const std::size_t size : sizes()) {
    INFO("size: " << size);
    const std::string plain = noise(size);
    bench.put("plain", plain);
    const std::string sealed = age::encrypt(both, plain);
    bench.put("sealed", sealed);
    bench.put("armoured", age::armour(sealed));
    for (const std::string identity : {"ours", "theirs"}) {
      // Not -o: the program makes no file for an empty plaintext.
      for (const std::string file : {"sealed", "armoured"}) {
        CHECK_MESSAGE(bench.run("age -d -i " + identity + " " + file + " >opened && cmp opened plain"), bench.output());
      }
    }
    REQUIRE_MESSAGE(bench.run("age -R recipients -o stock plain && age -a -R recipients -o stock.asc plain"),
                    bench.output());
    for (const auto& identities : {ours, theirs}) {
      CHECK(age::decrypt(bench.get("stock"), identities) == plain);
      CHECK(age::decrypt(age::dearmour(bench.get("stock.asc")), identities) == plain);
    }
    CHECK(age::armour(age::dearmour(bench.get("stock.asc"))) == bench.get("stock.asc"));
    CHECK(bench.get("stock").size() == sealed.size());
  }
}

TEST_CASE("interop: age refuses what we say is damaged") {
  if (!test::has_program("age")) return;
  const Bench bench;
  const age::Identity identity = age::Identity::generate();
  bench.put("identity", identity.text().text());
  const std::string sealed = age::encrypt({&identity.recipient(), 1}, noise(70'000));
  bench.put("sealed", sealed.substr(0, age::preamble_bytes(1) + age::k_sealed_segment_bytes));
  CHECK_FALSE(bench.run("age -d -i identity -o opened sealed"));
  bench.put("sealed", sealed);
  CHECK(bench.run("age -d -i identity -o opened sealed"));
}

TEST_CASE("interop: an identity file under a passphrase goes both ways") {
  if (!test::has_program("age") || !test::has_program("script")) return;
  const Bench bench;
  const age::Identity identity = age::Identity::generate();
  bench.put("identity", std::string{identity.text().text()} + "\n");
  // age reads passphrases from a terminal only: script makes one.
  const auto on_terminal = [&](const std::string& typed, const std::string& command) {
    return bench.run(fmt::format("printf '{}' | timeout 60 script -qec '{}' /dev/null", typed, command));
  };
  for (const bool armoured : {true, false}) {
    INFO("armoured: " << armoured);
    bench.put("ours", age::encrypt_with_passphrase(bench.get("identity"), "secret pass", armoured));
    CHECK_MESSAGE(on_terminal("secret pass\\n", "age -d -o opened ours"), bench.output());
    CHECK(bench.run("cmp opened identity && rm opened"));
    // As an identity file, which age opens the same way.
    bench.put("sealed", age::encrypt({&identity.recipient(), 1}, "content"));
    CHECK_MESSAGE(on_terminal("secret pass\\n", "age -d -i ours -o opened sealed"), bench.output());
    CHECK(bench.get("opened") == "content");
    CHECK(bench.run("rm opened"));

    REQUIRE_MESSAGE(
        on_terminal("secret pass\\nsecret pass\\n", fmt::format("age -p {} -o stock identity", armoured ? "-a" : "")),
        bench.output());
    const SecretBytes opened = age::decrypt_with_passphrase(bench.get("stock"), "secret pass");
    CHECK(age::parse_identities(opened.text()).at(0).recipient() == identity.recipient());
    CHECK(test::failure_of([&] { age::decrypt_with_passphrase(bench.get("stock"), "other"); }) == ErrorKind::no_key);
    CHECK(bench.run("rm stock"));
  }
}

TEST_CASE("interop: minisign verifies what we sign and we verify what it signs, prehashed and legacy") {
  if (!test::has_program("minisign")) return;
  const Bench bench;
  const minisign::SecretKey ours = minisign::SecretKey::generate();
  bench.put("ours.pub", ours.public_key().file_text());
  REQUIRE(bench.run("minisign -G -W -p theirs.pub -s theirs.key"));
  const minisign::PublicKey theirs = minisign::PublicKey::parse(bench.get("theirs.pub"));
  // The program leaves out leading zeroes.
  const std::string id = theirs.key_id();
  CHECK(bench.get("theirs.pub").find(" " + id.substr(id.find_first_not_of('0')) + "\n") != std::string::npos);
  CHECK(bench.get("theirs.pub").find(theirs.text()) != std::string::npos);
  for (const std::size_t size : sizes()) {
    INFO("size: " << size);
    const std::string message = noise(size);
    bench.put("message", message);
    bench.put("message.minisig", ours.sign(message, "series one\tcut point"));
    CHECK_MESSAGE(bench.run("minisign -V -p ours.pub -m message"), bench.output());
    CHECK(bench.output().find("series one\tcut point") != std::string::npos);
    CHECK(bench.run("minisign -V -P " + ours.public_key().text() + " -m message"));
    CHECK_FALSE(bench.run("minisign -V -p theirs.pub -m message"));
    for (const std::string kind : {"", "-l "}) {
      INFO("kind: " << kind);
      REQUIRE_MESSAGE(bench.run("minisign -S " + kind + "-W -s theirs.key -t 'their comment' -x stock -m message"),
                      bench.output());
      const std::string text = bench.get("stock");
      const minisign::Signature signature = minisign::Signature::parse(text);
      CHECK(signature.prehashed == kind.empty());
      CHECK(signature.trusted_comment == "their comment");
      CHECK(minisign::verify(theirs, message, text));
      CHECK_FALSE(minisign::verify(theirs, message + "x", text));
      CHECK_FALSE(minisign::verify(theirs, message, test::replaced(text, "their comment", "other comment")));
      CHECK_FALSE(minisign::verify(ours.public_key(), message, text));
    }
  }
  bench.put("message.minisig", ours.sign(noise(sizes().back()), "caf\xc3\xa9"));
  CHECK_MESSAGE(bench.run("minisign -V -p ours.pub -m message"), bench.output());
  bench.put("message", "another");
  CHECK_FALSE(bench.run("minisign -V -p ours.pub -m message"));
}

TEST_CASE("interop: openssl reads our signing key and we read its") {
  if (!test::has_program("openssl")) return;
  const Bench bench;
  const minisign::SecretKey ours = minisign::SecretKey::generate();
  bench.put("ours.pem", ours.pem().text());
  REQUIRE_MESSAGE(bench.run("openssl pkey -in ours.pem -out again.pem && cmp ours.pem again.pem"), bench.output());
  REQUIRE(bench.run("openssl pkey -in ours.pem -pubout -outform DER -out point"));
  const std::string der = bench.get("point");
  CHECK(der.substr(der.size() - 32) == as_text(ours.public_key().point()));
  REQUIRE(bench.run("openssl genpkey -algorithm ed25519 -out theirs.pem"));
  const minisign::SecretKey theirs = minisign::SecretKey::parse_pem(bench.get("theirs.pem"));
  CHECK(theirs.pem().text() == bench.get("theirs.pem"));
  REQUIRE(bench.run("openssl genpkey -algorithm x25519 -out other.pem"));
  CHECK(test::failure_of([&] { minisign::SecretKey::parse_pem(bench.get("other.pem")); }) == ErrorKind::usage);
  REQUIRE(bench.run("openssl pkey -in ours.pem -aes256 -passout pass:x -out other.pem"));
  CHECK(test::message_of([&] {
          minisign::SecretKey::parse_pem(bench.get("other.pem"));
        }).find("protected with a passphrase") != std::string::npos);
}
