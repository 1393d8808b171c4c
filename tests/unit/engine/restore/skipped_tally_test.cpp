#include "engine/restore/skipped_tally.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <thread>

using namespace cairn;

TEST_CASE("skipped tally: one warning a kind, with counts, from any thread") {
  test::Notes notes;
  SkippedTally tally;
  tally.tell(notes);
  CHECK(notes.warnings.empty());
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          tally.note({true, 0, ""});
          tally.note({.xattrs = 2, .first_xattr = "the first"});
          tally.note({.xattrs = 0, .first_xattr = {}, .acls = 1, .first_acl = "acl", .mode = "mode", .times = "time"});
          tally.note_copy();
          tally.note({});
          tally.note_device();
        }
      });
    }
  }
  tally.note({.owner = true, .xattrs = 1, .first_xattr = "a later one"});
  CHECK(tally.devices() == 400);
  CHECK(tally.all() == 401 + 801 + 3 * 400 + 400);
  tally.tell(notes);
  CHECK(notes.warnings == std::vector<std::string>{"the owner of 401 restored entries could not be set: not permitted",
                                                   "801 extended attributes could not be set, the first the first",
                                                   "400 access control lists could not be set, the first acl",
                                                   "the mode of 400 restored entries could not be set, the first mode",
                                                   "the times of 400 restored entries could not be set, the first time",
                                                   "400 hard links became copies: the file system does not make any",
                                                   "400 device files could not be made: not permitted"});
}

TEST_CASE("skipped tally: one of a kind is told as one") {
  test::Notes notes;
  SkippedTally tally;
  tally.note({.owner = true, .xattrs = 1, .first_xattr = "'user.a' of 'b': no"});
  tally.note({.xattrs = 0, .first_xattr = {}, .acls = 0, .first_acl = {}, .mode = "that of 'c': no", .times = {}});
  tally.note_copy();
  tally.note_device();
  tally.tell(notes);
  CHECK(notes.warnings == std::vector<std::string>{"the owner of 1 restored entry could not be set: not permitted",
                                                   "1 extended attribute could not be set: 'user.a' of 'b': no",
                                                   "the mode of 1 restored entry could not be set: that of 'c': no",
                                                   "1 hard link became a copy: the file system does not make any",
                                                   "1 device file could not be made: not permitted"});
}
