#include "capture/exclude.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

using Kind = PatternList::Kind;

bool excluded(const std::vector<std::string>& patterns, std::string_view path, Kind kind = Kind::other) {
  return PatternList{patterns}.matches(path, kind);
}

}  // namespace

TEST_CASE("glob: stars, question marks, classes and escapes within one component") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Row rows[] = {
      {"", "", true},
      {"a", "a", true},
      {"a", "A", false},
      {"*", "", true},
      {"*", "anything", true},
      {"*.o", "a.o", true},
      {"*.o", "a.oo", false},
      {"a*b*c", "aXbYc", true},
      {"a*b*c", "aXcYb", false},
      {"a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"**", "x", true},
      {"?", "x", true},
      {"?", "", false},
      {"a?c", "abc", true},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[!abc]", "d", true},
      {"[^abc]", "a", false},
      {"[a-c]x", "bx", true},
      {"[]]", "]", true},
      {"[]-a]", "^", true},
      {"[!]]", "]", false},
      {"[a-]", "-", true},
      {"[\\]]", "]", true},
      {"[\\\\]", "\\", true},
      {"[[:digit:]]*", "7x", true},
      {"[[:digit:]]*", "x7", false},
      {"[[:upper:][:digit:]_]", "_", true},
      {"[a", "a", false},
      {"[a", "[a", false},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"a\\", "a", false},
      {"a\\", "a\\", false},
      {"\\a", "a", true},
      {"[\xc0-\xff]", "\xe9", true},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string{row.pattern});
    CAPTURE(std::string{row.name});
    CHECK(matches_glob(row.pattern, row.name) == row.matches);
  }
}

TEST_CASE("exclude: a pattern without a slash matches a name at any depth") {
  CHECK(excluded({"foo"}, "foo"));
  CHECK(excluded({"foo"}, "a/b/foo"));
  CHECK_FALSE(excluded({"foo"}, "foo/bar"));  // the walk does not get there
  CHECK_FALSE(excluded({"foo"}, "foobar"));
  CHECK(excluded({"*.tmp"}, "deep/down/x.tmp"));
}

TEST_CASE("exclude: a slash at the beginning or in the middle anchors") {
  CHECK(excluded({"/foo"}, "foo"));
  CHECK_FALSE(excluded({"/foo"}, "a/foo"));
  CHECK(excluded({"a/foo"}, "a/foo"));
  CHECK_FALSE(excluded({"a/foo"}, "b/a/foo"));
  CHECK(excluded({"a/*"}, "a/x"));
  CHECK_FALSE(excluded({"a/*"}, "a/x/y"));
  CHECK_FALSE(excluded({"a*b"}, "a/b"));
  CHECK_FALSE(excluded({"a?b/c"}, "a/b/c"));
  CHECK_FALSE(excluded({"a[/]b"}, "a/b"));
}

TEST_CASE("exclude: a slash at the end means directories only") {
  CHECK(excluded({"cache/"}, "x/cache", Kind::directory));
  CHECK_FALSE(excluded({"cache/"}, "x/cache"));
  CHECK(excluded({"/cache/"}, "cache", Kind::directory));
  CHECK_FALSE(excluded({"/cache/"}, "x/cache", Kind::directory));
}

TEST_CASE("exclude: two stars as a whole component match any number of components") {
  CHECK(excluded({"**/foo"}, "foo"));
  CHECK(excluded({"**/foo"}, "a/b/foo"));
  CHECK(excluded({"**/foo/bar"}, "a/foo/bar"));
  CHECK_FALSE(excluded({"**/foo/bar"}, "a/foo/x/bar"));
  CHECK(excluded({"abc/**"}, "abc/x"));
  CHECK(excluded({"abc/**"}, "abc/x/y"));
  CHECK_FALSE(excluded({"abc/**"}, "abc", Kind::directory));
  CHECK(excluded({"a/**/b"}, "a/b"));
  CHECK(excluded({"a/**/b"}, "a/x/y/b"));
  CHECK_FALSE(excluded({"a/**/b"}, "a/x/y/c"));
  CHECK(excluded({"a/**b"}, "a/xb"));  // elsewhere two stars are one
  CHECK_FALSE(excluded({"a/**b"}, "a/x/b"));
  CHECK(excluded({"a/**/b/**/c"}, "a/b/b/x/c"));
}

TEST_CASE("exclude: the last matching pattern decides") {
  CHECK_FALSE(excluded({"*.log", "!keep.log"}, "keep.log"));
  CHECK(excluded({"!keep.log", "*.log"}, "keep.log"));
  CHECK(PatternList{{"*.log", "!keep.log"}}.match("keep.log", Kind::other) == PatternList::Match::negative);
  CHECK(excluded({"*", "!*/", "!*.txt", "secret.txt"}, "a/secret.txt"));
  CHECK_FALSE(excluded({"*", "!*/", "!*.txt"}, "a/b.txt"));
  CHECK_FALSE(excluded({"*", "!*/", "!*.txt"}, "a", Kind::directory));
}

TEST_CASE("exclude: blank patterns, comments, escapes and trailing spaces") {
  CHECK(PatternList{{"", "# comment", "   ", "/", "!"}}.empty());
  CHECK(excluded({"\\#x"}, "#x"));
  CHECK(excluded({"\\!x"}, "!x"));
  CHECK(excluded({"x   "}, "x"));
  CHECK(excluded({"x\\ "}, "x "));
  CHECK_FALSE(excluded({"x\\ "}, "x"));
  CHECK(excluded({"a\\/b"}, "a/b"));
  CHECK(excluded({"line\nbreak"}, "line\nbreak"));
}
