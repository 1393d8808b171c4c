#include "engine/restore/path_selection.hpp"

#include "unit/support.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Entry entry(std::string path, EntryType type = EntryType::file, std::string link_target = {}) {
  Entry out;
  out.path = std::move(path);
  out.type = type;
  out.link_target = std::move(link_target);
  return out;
}

const std::vector<Entry>& tree() {
  static const std::vector<Entry> entries{entry(".", EntryType::directory),
                                          entry("a", EntryType::directory),
                                          entry("a/b", EntryType::directory),
                                          entry("a/b/file"),
                                          entry("a/b/other"),
                                          entry("a/link", EntryType::hard_link, "a/b/other"),
                                          entry("ab"),
                                          entry("z", EntryType::symlink, "a"),
                                          entry("z-link", EntryType::hard_link, "a/b/other")};
  return entries;
}

// The paths that are selected, with the targets of links.
std::string selected(PathSelection& selection) {
  do {
    for (const Entry& e : tree()) selection.survey(e);
  } while (selection.look_again());
  std::string out;
  for (Entry e : tree()) {
    if (!selection.select(e)) continue;
    out += (out.empty() ? "" : " ") + e.path;
    if (e.type == EntryType::hard_link) out += "=" + e.link_target;
  }
  return out;
}

std::string selected(const std::vector<std::string>& paths) {
  PathSelection selection{paths};
  return selected(selection);
}

}  // namespace

TEST_CASE("path selection: everything, by no path or by the root") {
  const std::string all = ". a a/b a/b/file a/b/other a/link=a/b/other ab z z-link=a/b/other";
  CHECK(selected(std::vector<std::string>{}) == all);
  for (const char* root : {".", "/.", "././."}) CHECK(selected({"ab", root}) == all);
  CHECK(PathSelection{std::vector<std::string>{}}.everything());
  CHECK(PathSelection{{"."}}.everything());
  CHECK_FALSE(PathSelection{{"a"}}.everything());
}

TEST_CASE("path selection: a path is itself, what is below it and the directories above it") {
  CHECK(selected({"a/b"}) == ". a a/b a/b/file a/b/other");
  CHECK(selected({"a/b/file"}) == ". a a/b a/b/file");
  CHECK(selected({"ab", "z"}) == ". ab z");
  for (const char* spelt : {"/a/b/file", "./a/b/file", "a/b/file/", "//a/b/file//"}) {
    CAPTURE(spelt);
    CHECK(selected({spelt}) == ". a a/b a/b/file");
  }
  const PathSelection selection{{"a/b"}};
  CHECK(selection.covers("a/b"));
  CHECK(selection.covers("a/b/file"));
  for (const char* path : {".", "a", "a/bc", "ab"}) CHECK_FALSE(selection.covers(path));
}

TEST_CASE("path selection: a link whose target is not selected takes its place, and the others lead to it") {
  PathSelection one{{"z-link"}};
  CHECK(selected(one) == ". z-link");
  Entry other = entry("a/b/other");
  REQUIRE(one.select(other));
  CHECK(other.path == "z-link");
  // Before the content comes by only the second reading knows of it.
  PathSelection two{{"a/link", "z-link"}};
  CHECK(selected(two) == ". a a/link z-link=a/link");
  PathSelection both{{"a", "z-link"}};
  CHECK(selected(both) == ". a a/b a/b/file a/b/other a/link=a/b/other z-link=a/b/other");
}

TEST_CASE("path selection: what is not in the snapshot, and what can be in none") {
  PathSelection selection{{"a/b", "a/none"}};
  selected(selection);
  CHECK(test::message_of([&] { selection.check_found(); }) ==
        "unable to restore path 'a/none': it is not in the snapshot");
  CHECK(test::failure_of([&] { selection.check_found(); }) == ErrorKind::not_found);
  PathSelection found{{"a/b", "z-link"}};
  selected(found);
  CHECK_NOTHROW(found.check_found());
  for (const char* bad : {"", "..", "a/../b", "a//b", "a/./b", "/"}) {
    CAPTURE(bad);
    CHECK(test::failure_of([&] { PathSelection{{bad}}; }) == ErrorKind::usage);
  }
}

TEST_CASE("path selection: patterns, and names that look like them") {
  CHECK(selected({"a/b/f*"}) == ". a a/b a/b/file");
  CHECK(selected({"*e"}) == ". a a/b a/b/file");  // a name at any depth
  CHECK(selected({"/*"}) == ". a a/b a/b/file a/b/other a/link=a/b/other ab z z-link=a/b/other");
  CHECK(selected({"a*/"}) == ". a a/b a/b/file a/b/other a/link=a/b/other");  // directories only
  CHECK(selected({"**/[fl]i*"}) == ". a a/b a/b/file a/link");
  CHECK(selected({"?-*"}) == ". z-link");  // as a link in its target's place
  CHECK(selected({"ab", "a/b/o*"}) == ". a a/b a/b/other ab");

  const std::vector<Entry> odd{entry(".", EntryType::directory), entry("[ab]"), entry("a"), entry("x*"), entry("xy")};
  const auto chosen = [&](const PathChoice& choice) {
    PathSelection selection{choice};
    do {
      for (const Entry& e : odd) selection.survey(e);
    } while (selection.look_again());
    selection.check_found();
    std::string out;
    for (Entry e : odd) {
      if (selection.select(e)) out += e.path + ' ';
    }
    return out;
  };
  CHECK(chosen({{"[ab]"}, {}, {}}) == ". [ab] ");  // an entry as it stands is that entry
  CHECK(chosen({{"x*"}, {}, {}}) == ". x* ");
  CHECK(chosen({{"[a]"}, {}, {}}) == ". a ");
  CHECK(chosen({{"x[*]"}, {}, {}}) == ". x* ");
  CHECK(chosen({{"x?"}, {}, {}}) == ". x* xy ");
  CHECK(chosen({{}, {"x*"}, {}}) == ". x* ");
  CHECK(test::failure_of([&] { chosen({{}, {"x?"}, {}}); }) == ErrorKind::not_found);
}

TEST_CASE("path selection: excludes win, and hard links find another place for their file") {
  const auto without = [](const std::vector<std::string>& excludes, const std::vector<std::string>& paths = {}) {
    PathSelection selection{PathChoice{paths, {}, excludes}};
    return selected(selection);
  };
  CHECK(without({"b/"}) == ". a a/link ab z z-link=a/link");
  CHECK(without({"other"}) == ". a a/b a/b/file a/link ab z z-link=a/link");
  CHECK(without({"/a", "z*"}) == ". ab");
  CHECK(without({"a/b/*", "!a/b/file"}, {"a"}) == ". a a/b a/b/file a/link");
  CHECK(without({"*", "!nothing"}) == ".");
  PathSelection nothing{PathChoice{{"a/b/file"}, {}, {"b"}}};
  selected(nothing);
  CHECK(test::message_of([&] { nothing.check_found(); }) ==
        "unable to restore paths: none of them is left after --exclude");
}

TEST_CASE("path selection: all that is missing is named") {
  PathSelection selection{PathChoice{{"ab", "no*", "none"}, {"a/?"}, {}}};
  selected(selection);
  CHECK(test::message_of([&] { selection.check_found(); }) ==
        "unable to restore 3 paths: they are not in the snapshot: 'a/?', 'none', 'no*'");
}
