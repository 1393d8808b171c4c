#include "engine/restore/owner_numbers.hpp"

#include "engine/restore/apply_metadata.hpp"

#include <unistd.h>

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

TEST_CASE("owner numbers: by number whatever the name, and nobody's") {
  Entry entry;
  entry.uid = 4711;
  entry.gid = 4712;
  entry.user = "root";
  entry.group = "root";
  entry.mode = 06755;
  OwnerNumbers numbers{Owners::by_number};
  numbers.localise(entry);
  CHECK(entry.uid == 4711);
  CHECK(entry.gid == 4712);
  CHECK(entry.mode == 06755);

  OwnerNumbers none{Owners::none};
  Entry own = entry;
  own.user = own.group = "";
  own.uid = ::geteuid();
  own.gid = ::getegid();
  none.localise(own);
  CHECK(own.uid == k_keep_owner);
  CHECK(own.mode == 06755);
  entry.user = entry.group = "";
  Entry directory = entry;
  directory.type = EntryType::directory;
  none.localise(entry);
  CHECK(entry.uid == k_keep_owner);
  CHECK(entry.gid == k_keep_owner);
  CHECK(entry.mode == 0755);  // the rights of another user are not lent to whoever restores
  none.localise(directory);
  CHECK(directory.mode == 06755);
}
