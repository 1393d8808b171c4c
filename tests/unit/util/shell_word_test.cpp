#include "util/shell_word.hpp"

#include <array>
#include <cstdio>
#include <memory>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// The word as bash understands it, from a file of its own, with nothing else on the line.
std::string said_by_bash(const std::string& word) {
  const std::string command = "bash -c \"$(cat <<'END_OF_WORD'\nprintf %s " + word + "\nEND_OF_WORD\n)\"";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 256> buffer;
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) out.append(buffer.data(), n);
  return out;
}

}  // namespace

TEST_CASE("shell word: what needs no quotes has none") {
  CHECK(shell_word("/var/lib/app/state.db") == "/var/lib/app/state.db");
  CHECK(shell_word("a=b,c:d@e%f+g") == "a=b,c:d@e%f+g");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("s3://b/p?endpoint=http://h") == "'s3://b/p?endpoint=http://h'");
}

TEST_CASE("shell word: a shell reads back what was written, and it is one printable line") {
  for (const std::string text : {"it's", "a b", "$HOME", "`id`", "a\\b", "*", "~", "\"", "a\nb", "\x1b[31m", "\x01'\\",
                                 "\xff\xfe", "caf\xc3\xa9", "!x", "#", "\t"}) {
    const std::string word = shell_word(text);
    CAPTURE(word);
    for (const char c : word) CHECK((c >= ' ' && c <= '~'));
    CHECK(said_by_bash(word) == text);
  }
}
