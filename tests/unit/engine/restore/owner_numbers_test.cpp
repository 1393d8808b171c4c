#include "engine/restore/owner_numbers.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("owner numbers: by name where there is one, else by number") {
  OwnerNumbers names;
  Entry entry;
  entry.uid = 4711;
  entry.gid = 4712;
  entry.user = "root";
  entry.group = "root";
  names.localise(entry);
  CHECK(entry.uid == 0);
  CHECK(entry.gid == 0);
  entry.uid = 4711;
  entry.gid = 4712;
  entry.user = "no-such-user-here";
  entry.group = "";
  names.localise(entry);
  names.localise(entry);
  CHECK(entry.uid == 4711);
  CHECK(entry.gid == 4712);
}
