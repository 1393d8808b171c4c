// The codecs leave nothing of keys, passphrases and what they open in the memory of this process.
#include "codec/age/age.hpp"
#include "codec/minisign.hpp"
#include "support/age_files.hpp"
#include "util/secret.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/crypto.h>

using namespace cairn;

namespace {

// A secret to look for, kept in a form that is not found itself.
class Needle {
 public:
  Needle(std::string name, std::string_view secret) : m_name(std::move(name)) {
    for (const char c : secret) m_masked.push_back(masked(static_cast<std::uint8_t>(c)));
  }
  const std::string& name() const { return m_name; }
  bool in(ByteView memory) const {
    const auto equal = [](std::uint8_t byte, std::uint8_t wanted) { return masked(byte) == wanted; };
    return std::search(memory.begin(), memory.end(), m_masked.begin(), m_masked.end(), equal) != memory.end();
  }

 private:
  static std::uint8_t masked(std::uint8_t byte) { return static_cast<std::uint8_t>(byte ^ 0x5aU); }
  std::string m_name;
  std::vector<std::uint8_t> m_masked;
};

// The names of those that lie anywhere in this process's writable memory.
std::vector<std::string> left_in_memory(const std::vector<Needle>& needles) {
  std::vector<std::string> found;
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) return {"(unable to read memory)"};
  std::ifstream maps("/proc/self/maps");
  std::string line;
  Bytes buffer;
  while (std::getline(maps, line)) {
    std::istringstream text(line);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::string rights;
    if (!(text >> std::hex >> begin >> dash >> end >> rights) || !rights.starts_with("rw")) continue;
    // The shadow memory of a sanitizer is terabytes and holds no bytes of the program.
    if (end - begin > (std::uint64_t{1} << 28)) continue;
    // The copy may lie in the mapping that it is of: it begins unset and is wiped, so it adds nothing of its own.
    buffer = Bytes(static_cast<std::size_t>(end - begin));
    const ssize_t have = ::pread(memory, buffer.data(), buffer.size(), static_cast<off_t>(begin));
    if (have <= 0) continue;
    for (const Needle& needle : needles) {
      if (needle.in(ByteView{buffer}.first(static_cast<std::size_t>(have)))) {
        found.push_back(needle.name() + " in " + line);
      }
    }
    wipe(buffer);
  }
  ::close(memory);
  return found;
}

}  // namespace

TEST_CASE("secrets: the search finds one that is there, wherever it is") {
  const SecretBytes secret = SecretBytes::random(32);
  const std::vector<Needle> needles{{"a secret", secret.text()}};
  CHECK(left_in_memory(needles).size() == 1);
  {
    std::string heap{secret.text()};
    CHECK(left_in_memory(needles).size() == 2);
    wipe(heap);
    CHECK(left_in_memory(needles).size() == 1);
  }
  std::array<std::uint8_t, 32> stack{};
  std::copy(secret.bytes().begin(), secret.bytes().end(), stack.begin());
  CHECK(left_in_memory(needles).size() == 2);
  OPENSSL_cleanse(stack.data(), stack.size());
  CHECK(left_in_memory(needles).size() == 1);
}

TEST_CASE("secrets: nothing of keys, passphrases and opened identities stays behind") {
  std::vector<Needle> needles;
  std::string sealed;
  std::string protected_identity;
  const SecretBytes passphrase = [] {
    const SecretBytes bytes = SecretBytes::random(20);
    SecretBytes text(40);
    for (std::size_t i = 0; i < 40; ++i) {
      text.data()[i] = static_cast<std::uint8_t>("abcdefghijklmnop"[bytes.data()[i / 2] >> (4 * (i % 2)) & 15]);
    }
    return text;
  }();
  {
    const age::Identity identity = age::Identity::generate();
    const std::vector<age::Identity> copies{identity, identity};
    needles.emplace_back("the scalar", identity.scalar().text());
    needles.emplace_back("the identity's text", identity.text().text().substr(16, 40));
    sealed = age::encrypt({&identity.recipient(), 1}, "some plaintext");
    CHECK(age::decrypt(sealed, copies) == "some plaintext");
    const SecretBytes text = identity.text();
    protected_identity = age::encrypt_with_passphrase(text.text(), passphrase.text(), true, 4);
    const SecretBytes opened = age::decrypt_with_passphrase(protected_identity, passphrase.text());
    CHECK(age::parse_identities(opened.text()).size() == 1);
    try {
      SecretBytes mistyped(text);
      mistyped.data()[20] = mistyped.data()[20] == 'Q' ? 'P' : 'Q';
      age::parse_identities(mistyped.text());
      FAIL_CHECK("accepted");
    } catch (const Error&) {
    }
    const minisign::SecretKey key = minisign::SecretKey::generate();
    const SecretBytes pem = key.pem();
    needles.emplace_back("the signing key's PEM", pem.text().substr(54, 30));
    const minisign::SecretKey again = minisign::SecretKey::parse_pem(pem.text());
    CHECK(minisign::verify(again.public_key(), "m", again.sign("m", "c")));
  }
  const std::vector<std::string> left = left_in_memory(needles);
  for (const auto& where : left) FAIL_CHECK(where);
  // The passphrase, whose own buffer still is there, is nowhere else.
  const std::vector<Needle> phrase{{"the passphrase", passphrase.text()}};
  CHECK(left_in_memory(phrase).size() == 1);
}
