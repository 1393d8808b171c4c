// A database that this process, the child that reads databases, holds still, or has a copy of.
#pragma once

#include "capture/sqlite/copies.hpp"
#include "capture/sqlite/directories.hpp"
#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/wal_hold.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn::sqlite {

// This identity has not the rights that it takes.
class UnreachableError : public SourceError {
 public:
  using SourceError::SourceError;
};

struct HeldDatabase {
  Opened opened;
  std::vector<int> descriptors;   // that go with it; open as long as this lives
  UniqueFd overlay;               // one of them
  std::unique_ptr<WalHold> hold;  // null where nothing is held
};

// By its name in its directory. Chooses how it can be read by what SQLite's own connection does. Throws SourceError.
HeldDatabase hold_database(LiveDirectory& directory, const OpenRequest& request, const CopyTarget& copies,
                           Patience& patience);

// A copy of the files behind descriptors: of the database, of its -wal and its -journal (-1: there is none).
HeldDatabase copy_database(int database, int log, int journal, const OpenRequest& request, const CopyTarget& copies,
                           Patience& patience);

}  // namespace cairn::sqlite
