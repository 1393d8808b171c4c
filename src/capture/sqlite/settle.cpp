#include "capture/sqlite/settle.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

// SQLite takes a log that it cannot read for an empty one.
void require_known_format(LiveDirectory& directory, const std::string& shown) {
  const UniqueFd fd{directory.open(directory.database(), O_RDONLY, 0)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) throw_errno("open", shown, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Bytes last(std::min<std::uint64_t>(size, k_libsql_footer_size));
  last.resize(read_at(fd.get(), last, size - last.size(), shown));
  struct stat ignored {};
  if (directory.status(directory.beside("-wal2"), ignored) || has_libsql_footer(last)) {
    throw SqliteError("open", shown, SQLITE_OK, "a fork of SQLite keeps it, whose log SQLite cannot read");
  }
}

}  // namespace

std::unique_ptr<Connection> settle_database(LiveDirectory& directory, const OpenRequest& request, Patience& patience) {
  require_known_format(directory, request.shown);
  auto connection = std::make_unique<Connection>(k_live_prefix + directory.database(), request.shown,
                                                 Connection::Mode::alone, patience);
  connection->settle();
  // Whatever SQLite was built to leave to the system.
  if (::fsync(directory.database_fd()) != 0) throw_errno("fsync", request.shown, errno);
  return connection;
}

}  // namespace cairn::sqlite
