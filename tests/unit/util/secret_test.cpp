#include "util/secret.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

using namespace cairn;

namespace {

// The flags of the mapping that holds this address, as /proc shows them: " rd wr mr mw me dd ac ".
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::istringstream text(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (text >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto at = reinterpret_cast<std::uintptr_t>(address);
      inside = at >= begin && at < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line.substr(8) + " ";
    }
  }
  return {};
}

}  // namespace

TEST_CASE("secret: copies are copies, moves leave nothing") {
  const SecretBytes one(std::string_view{"a passphrase"});
  CHECK(one.text() == "a passphrase");
  SecretBytes two = one;
  CHECK(two.text() == one.text());
  CHECK(two.data() != one.data());
  two.data()[0] = 'b';
  CHECK(one.text() == "a passphrase");
  const std::uint8_t* const place = two.data();
  SecretBytes three = std::move(two);
  CHECK(three.data() == place);
  CHECK(two.empty());  // NOLINT(bugprone-use-after-move): a moved-from secret is empty
  three = one;
  CHECK(three.text() == "a passphrase");
  three = SecretBytes{};
  CHECK(three.empty());
  CHECK(SecretBytes(std::string_view{}).text().empty());
  CHECK(SecretBytes{}.bytes().empty());
  const SecretBytes zeroes(5000);
  CHECK(std::all_of(zeroes.bytes().begin(), zeroes.bytes().end(), [](auto byte) { return byte == 0; }));
}

TEST_CASE("secret: random ones differ") {
  CHECK_FALSE(same_secret(SecretBytes::random(32).bytes(), SecretBytes::random(32).bytes()));
  CHECK(SecretBytes::random(0).empty());
}

TEST_CASE("secret: equality is of length and bytes") {
  const auto same = [](std::string_view a, std::string_view b) { return same_secret(as_bytes(a), as_bytes(b)); };
  CHECK(same("", ""));
  CHECK(same("ab", "ab"));
  CHECK_FALSE(same("ab", "ac"));
  CHECK_FALSE(same("ab", "abc"));
  CHECK_FALSE(same("", "a"));
}

TEST_CASE("secret: its pages are kept out of core dumps") {
  const SecretBytes secret(std::string_view{"a passphrase"});
  const std::string flags = flags_of(secret.data());
  if (flags.empty()) {
    MESSAGE("SKIPPED: this kernel shows no flags of mappings");
    return;
  }
  CHECK_MESSAGE(flags.find(" dd ") != std::string::npos, flags);
}

TEST_CASE("secret: wiping overwrites all that a string or buffer has") {
  std::string text(1000, 'x');
  text.resize(10);
  const char* const place = text.data();
  wipe(text);
  CHECK(text.empty());
  CHECK(text.capacity() >= 1000);
  // Still this string's memory: it has kept its capacity.
  CHECK(text.data() == place);
  text.resize(text.capacity(), 'y');
  wipe(text);
  std::string none;
  wipe(none);
  CHECK(none.empty());
  Bytes bytes(1000, 'x');
  bytes.resize(10);
  const std::uint8_t* const first = bytes.data();
  wipe(bytes);
  CHECK(bytes.empty());
  bytes.resize(1000);  // unset: what was there before
  CHECK(bytes.data() == first);
  CHECK(std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; }));
}

TEST_CASE("secret: a process can give up its core dumps") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      forbid_core_dumps_of_secrets();
      ::_exit(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1);
    } catch (...) {
      ::_exit(2);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
