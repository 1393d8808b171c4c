#include "capture/sqlite/settle.hpp"

#include "capture/sqlite/supported.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <unistd.h>

namespace cairn::sqlite {

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
