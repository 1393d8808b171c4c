#include "engine/snapshot/entry_spool.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

LocalPart part(std::uint32_t source) {
  return {source + 1ULL, {{source, 1, 2}, {source, 5, 6}}};
}

// Heads, each with the sources of its parts.
std::vector<std::string> read_all(EntrySpool& spool) {
  std::vector<std::string> all;
  EntrySpool::Stored stored;
  LocalPart read;
  while (spool.next_entry(stored)) {
    std::string text = stored.head;
    for (std::uint64_t i = 0; i < stored.parts; ++i) {
      spool.next_part(read);
      REQUIRE(read.extents.size() == 2);
      text += " " + std::to_string(read.extents[1].source);
    }
    all.push_back(text);
  }
  return all;
}

}  // namespace

TEST_CASE("entry spool: entries come back with their parts, each time") {
  EntrySpool spool{fs::temp_directory_path()};
  spool.add_part(part(1));
  spool.add_part(part(2));
  spool.add_entry("a", true);
  spool.add_entry("b", false);
  spool.add_part(part(3));
  spool.drop_parts();
  spool.add_part(part(4));
  spool.add_entry("c", true);
  for (int i = 0; i < 2; ++i) {
    spool.rewind();
    CHECK(read_all(spool) == std::vector<std::string>{"a 1 2", "b", "c 4"});
  }
}

TEST_CASE("entry spool: an entry that comes last is read at its place, or not at all") {
  EntrySpool spool{fs::temp_directory_path()};
  const auto first = spool.keep_place();
  spool.add_part(part(1));
  spool.add_entry("b", true);
  const auto second = spool.keep_place();
  const auto never = spool.keep_place();
  const auto third = spool.keep_place();
  spool.add_part(part(2));
  spool.add_entry("f", true);
  const auto last = spool.keep_place();
  spool.go_to_place(first);
  spool.add_part(part(10));
  spool.add_part(part(11));
  spool.add_entry("a", true);
  spool.go_to_place(second);
  spool.add_entry("c", true);
  spool.go_to_place(never);
  spool.add_part(part(12));
  spool.drop_parts();
  spool.go_to_place(third);
  spool.add_part(part(13));
  spool.add_entry("e", true);
  spool.go_to_place(last);
  spool.add_part(part(14));
  spool.add_entry("g", true);
  for (int i = 0; i < 2; ++i) {
    spool.rewind();
    CHECK(read_all(spool) == std::vector<std::string>{"a 10 11", "b 1", "c", "e 13", "f 2", "g 14"});
  }
}
