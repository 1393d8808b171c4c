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
          tally.note({false, 2, "the first"});
          tally.note({});
          tally.note_device();
        }
      });
    }
  }
  tally.note({true, 1, "a later one"});
  CHECK(tally.devices() == 400);
  CHECK(tally.all() == 401 + 801 + 400);
  tally.tell(notes);
  CHECK(notes.warnings == std::vector<std::string>{"the owner of 401 restored entries could not be set: not permitted",
                                                   "801 extended attributes could not be set, the first the first",
                                                   "400 devices could not be made: not permitted"});
}
