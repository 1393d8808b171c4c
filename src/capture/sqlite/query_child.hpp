// The child process that answers one query.
//
// Why a child: who runs a query has credentials of the store and keys in memory, and a network; the database that is
// looked into may be made by whoever could write to the service. SQLite is hardened as its authors advise
// (query_session.hpp), and fixed now and then for files that are made to break it all the same. So it runs where there
// is nothing to be had: in a process that holds the wanted pages and no more, that is nobody where the parent is root,
// may open nothing (confinement.hpp), and has the memory and the time that it was given; what goes beyond is ended by
// the parent. Pages come from the parent by a window of shared memory, after it has checked their digests: for each
// range that SQLite wants one message goes there and one comes back. The child ends after its query: what one database
// made of it does not meet the next one.
#pragma once

#include "util/message_socket.hpp"

namespace cairn::sqlite {

// Takes one QueryRequest and answers it. Returns when the parent has gone or needs nothing more.
void serve_query(MessageSocket& parent);

}  // namespace cairn::sqlite
