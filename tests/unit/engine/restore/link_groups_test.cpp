#include "engine/restore/link_groups.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("link groups: a file stays where its names are the snapshot's, all of them and no others") {
  const FileId file{1, 10};
  LinkGroups groups;
  SUBCASE("as in the snapshot") {
    groups.add_file("a", file, 2);
    groups.add_link("b", "a", file);
    CHECK(groups.staying() == std::set<std::string>{"a", "b"});
  }
  SUBCASE("the target lacks a name") {
    groups.add_file("a", file, 2);
    groups.add_link("b", "a", file);
    groups.add_link("c", "a", {1, 11});
    CHECK(groups.staying() == std::set<std::string>{"a", "b"});
  }
  SUBCASE("it has one that the snapshot does not") {
    groups.add_file("a", file, 3);
    groups.add_link("b", "a", file);
    CHECK(groups.staying().empty());
  }
  SUBCASE("two files of the snapshot are one there") {
    groups.add_file("a", file, 2);
    groups.add_file("b", file, 2);
    CHECK(groups.staying().empty());
  }
  SUBCASE("a link is one to another file there") {
    groups.add_file("a", file, 2);
    groups.add_file("b", {1, 11}, 2);
    groups.add_link("c", "a", {1, 11});
    CHECK(groups.staying().empty());
  }
  SUBCASE("a link to what is made anew") {
    groups.add_link("b", "a", file);
    CHECK(groups.staying().empty());
  }
}
