// Whose rights a database is read with. Its files are its owner's to change at any moment, so nobody opens them who may
// do more than he.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace cairn::sqlite {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones
  auto operator<=>(const Identity&) const = default;
};

// This process's own; to become it changes nothing but that capabilities go.
Identity own_identity();

// A user of this host as a login would make him. Files that he makes get the group `file_group` where he is a member of
// it (SQLite wants what lies beside a database to be usable by all who use that), else his own. A number that no
// account has gets the group of the same number, where that is asked for, else nogroup, and no others. Thread-safe; may
// ask a directory service.
Identity identity_of_user(uid_t user, gid_t file_group);

// Makes this process that identity for ever: user and all groups where it is root, no capability, no new privileges,
// not to be traced. Gives an empty text, or says what failed; the process is then of no use. To be called while there
// is one thread.
std::string become(const Identity& identity);

}  // namespace cairn::sqlite
