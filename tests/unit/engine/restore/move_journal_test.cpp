#include "engine/restore/move_journal.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <cerrno>
#include <string>

using namespace cairn;
using namespace cairn::test;

namespace {

// Staging and a target, with a directory in each.
struct Moving : TreeFixture {
  Moving() {
    for (const fs::path& root : {staged, target}) fs::create_directories(root / "sub");
    from = open_file(staged, O_RDONLY | O_DIRECTORY);
    to = open_file(target, O_RDONLY | O_DIRECTORY);
    sub_from = open_file(staged / "sub", O_RDONLY | O_DIRECTORY);
    sub_to = open_file(target / "sub", O_PATH | O_DIRECTORY);
  }
  fs::path staged = directory.path() / "staged";
  UniqueFd from;
  UniqueFd to;
  UniqueFd sub_from;
  UniqueFd sub_to;
};

}  // namespace

TEST_CASE_FIXTURE(Moving, "move journal: all that was moved is taken back") {
  put(target / "old", "old");
  put(target / "sub/old", "old in sub");
  put(target / "log", "log");
  const struct timespec times[2] = {{1000, 0}, {2000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (target / "sub").c_str(), times, 0) == 0);
  put(staged / "old", "new");
  put(staged / "fresh", "new");
  fs::create_directory(staged / "tree");
  put(staged / "tree/file", "new");
  put(staged / "sub/old", "new in sub");
  MoveJournal journal{from.get(), to.get(), directory.path()};
  journal.enter(".", from.get(), to.get());
  fs::rename(target / "log", target / "log-aside");
  journal.note_renamed("log", "log-aside");
  for (const char* name : {"old", "fresh", "tree"}) CHECK(journal.place(name) == 0);
  journal.enter("sub", sub_from.get(), sub_to.get());
  CHECK(journal.place("old") == 0);
  CHECK(get(target / "old") == "new");
  CHECK(get(target / "sub/old") == "new in sub");
  CHECK(get(target / "tree/file") == "new");
  // What was there is not lost as long as it may have to be put back.
  CHECK(get(staged / "old") == "old");

  const Undone undone = journal.undo();
  CHECK(undone.moved == 5);
  CHECK(undone.left == 0);
  CHECK_FALSE(undone.kept_in_staging);
  CHECK(names_in(target) == std::vector<std::string>{"log", "old", "sub"});
  CHECK(get(target / "old") == "old");
  CHECK(get(target / "sub/old") == "old in sub");
  CHECK(names_in(staged) == std::vector<std::string>{"fresh", "old", "sub", "tree"});
  CHECK(get(staged / "old") == "new");
  struct stat status {};
  REQUIRE(::stat((target / "sub").c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 2000);
}

TEST_CASE_FIXTURE(Moving, "move journal: a directory is never given away, nor replaced") {
  fs::create_directories(target / "file");
  put(target / "file/mine", "mine");
  put(staged / "file", "new");
  fs::create_directories(target / "tree");
  fs::create_directories(staged / "tree");
  MoveJournal journal{from.get(), to.get(), directory.path()};
  journal.enter(".", from.get(), to.get());
  CHECK(journal.place("file") == EISDIR);
  CHECK(get(target / "file/mine") == "mine");
  CHECK(get(staged / "file") == "new");
  CHECK(journal.place("tree") == EEXIST);
  CHECK(journal.place("absent") == ENOENT);
  CHECK(journal.undo().moved == 0);
}

TEST_CASE_FIXTURE(Moving, "move journal: what somebody else put there meanwhile is left, and told") {
  put(target / "a", "old");
  put(staged / "a", "new");
  put(staged / "b", "new");
  MoveJournal journal{from.get(), to.get(), directory.path()};
  journal.enter(".", from.get(), to.get());
  CHECK(journal.place("a") == 0);
  CHECK(journal.place("b") == 0);
  put(directory.path() / "other", "another's");
  fs::rename(directory.path() / "other", target / "a");
  const Undone undone = journal.undo();
  CHECK(undone.moved == 2);
  CHECK(undone.left == 1);
  CHECK(undone.first == "'a': something else took its place meanwhile");
  CHECK(undone.kept_in_staging);
  CHECK(get(target / "a") == "another's");
  CHECK(get(staged / "a") == "old");
  CHECK_FALSE(fs::exists(target / "b"));
}

TEST_CASE_FIXTURE(Moving, "move journal: a record that is too long for memory") {
  constexpr int k_names = 20000;
  const std::string tail(60, 'n');
  for (int i = 0; i < k_names; ++i) {
    const std::string name = std::to_string(i) + tail;
    REQUIRE(::symlinkat("new", sub_from.get(), name.c_str()) == 0);
    if (i % 2 == 0) REQUIRE(::symlinkat("old", open_file(target / "sub", O_RDONLY).get(), name.c_str()) == 0);
  }
  MoveJournal journal{from.get(), to.get(), directory.path()};
  journal.enter(".", from.get(), to.get());
  journal.enter("sub", sub_from.get(), sub_to.get());
  for (int i = 0; i < k_names; ++i) REQUIRE(journal.place(std::to_string(i) + tail) == 0);
  CHECK(names_in(target / "sub").size() == k_names);
  const Undone undone = journal.undo();
  CHECK(undone.moved == k_names);
  CHECK(undone.left == 0);
  CHECK(names_in(target / "sub").size() == k_names / 2);
  CHECK(fs::read_symlink(target / "sub" / ("0" + tail)) == "old");
  CHECK(names_in(staged / "sub").size() == k_names);
}
