#include "repo/entry.hpp"

#include "repo/entry_order.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

Entry entry(const std::string& path, EntryType type = EntryType::file, const std::string& target = {}) {
  Entry e;
  e.path = path;
  e.type = type;
  e.link_target = target;
  return e;
}

std::optional<ErrorKind> refusal(const std::vector<Entry>& entries, EntryOrder::Shape shape = EntryOrder::Shape::tree) {
  return failure_of([&] {
    EntryOrder order{shape};
    for (const auto& e : entries) order.check(e);
    order.check_end();
  });
}

constexpr auto k_dir = EntryType::directory;

}  // namespace

TEST_CASE("entry paths: order is by component, a directory before what it holds") {
  const std::vector<std::string> order{".",   "a",  "a/b", "a/b/c", "a/c",   "a\x01", "a-b",
                                       "a.b", "aa", "b",   "b\x7f", "b\x80", "b\xff", "c"};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t k = 0; k < order.size(); ++k) {
      const int result = compare_paths(order[i], order[k]);
      CHECK((result < 0) == (i < k));
      CHECK((result == 0) == (i == k));
    }
  }
}

TEST_CASE("entry paths: what could leave the target or name one thing twice is invalid") {
  for (const std::string& good : {std::string{"."}, std::string{"a"}, std::string{"a/b"}, std::string{"..."},
                                  std::string{".a"}, std::string{"a."}, std::string{"\n"}, std::string{"\xff"},
                                  std::string(255, 'x'), std::string{" "}, std::string{"..a/b.."}}) {
    CHECK(is_valid_entry_path(good));
  }
  for (const std::string& bad :
       {std::string{}, std::string{"/"}, std::string{"/a"}, std::string{"a/"}, std::string{"a//b"}, std::string{".."},
        std::string{"../a"}, std::string{"a/.."}, std::string{"a/../b"}, std::string{"./a"}, std::string{"a/."},
        std::string{"a/./b"}, std::string{"./"}, std::string(256, 'x'), "a/" + std::string(256, 'x'),
        std::string{"a\0b", 3}, std::string{"\0", 1}}) {
    CAPTURE(bad);
    CHECK_FALSE(is_valid_entry_path(bad));
  }
  std::string deep = "a";
  while (deep.size() < 65535) deep += "/a";
  CHECK(is_valid_entry_path(deep));
  CHECK_FALSE(is_valid_entry_path(deep + "/a"));
}

TEST_CASE("entry order: a tree as a walk gives it") {
  CHECK_FALSE(refusal({entry(".", k_dir)}));
  CHECK_FALSE(refusal({entry(".", k_dir), entry("a", k_dir), entry("a/b", k_dir), entry("a/b/c"), entry("a/b-c"),
                       entry("a-", k_dir), entry("a-/x"), entry("ab"), entry("b", k_dir),
                       entry("c", EntryType::symlink, "b"), entry("d", EntryType::hard_link, "a/b/c")}));
}

TEST_CASE("entry order: what a restore must never meet") {
  CHECK(refusal({}) == ErrorKind::damaged);
  CHECK(refusal({entry("a")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", EntryType::symlink, "/")}) == ErrorKind::damaged);
  // Twice, descending.
  CHECK(refusal({entry(".", k_dir), entry(".", k_dir)}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a"), entry("a")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("b"), entry("a")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", k_dir), entry("a-"), entry("a/b")}) == ErrorKind::damaged);
  // Below nothing, a file, or a link that leads out of the target.
  CHECK(refusal({entry(".", k_dir), entry("a/b")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a"), entry("a/b")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", EntryType::symlink, "/etc"), entry("a/passwd")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", EntryType::hard_link, "."), entry("a/b")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", k_dir), entry("a/b/c")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", k_dir), entry("a/b", k_dir), entry("a/bc/d")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("ab", k_dir), entry("ac/x")}) == ErrorKind::damaged);
  // Links to itself and to what comes later.
  CHECK(refusal({entry(".", k_dir), entry("a", EntryType::hard_link, "a")}) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir), entry("a", EntryType::hard_link, "b"), entry("b")}) == ErrorKind::damaged);
}

TEST_CASE("entry order: a single file is alone") {
  constexpr auto k_one = EntryOrder::Shape::single_file;
  CHECK_FALSE(refusal({entry("db")}, k_one));
  CHECK(refusal({}, k_one) == ErrorKind::damaged);
  CHECK(refusal({entry("db"), entry("e")}, k_one) == ErrorKind::damaged);
  CHECK(refusal({entry(".", k_dir)}, k_one) == ErrorKind::damaged);
  CHECK(refusal({entry("a/db")}, k_one) == ErrorKind::damaged);
  CHECK(refusal({entry("db", EntryType::symlink, "/dev/sda")}, k_one) == ErrorKind::damaged);
}
