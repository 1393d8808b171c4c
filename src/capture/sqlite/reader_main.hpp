// The child process that reads databases.
//
// SQLite runs in a process of its own, which has the rights of a database's owner and no more: what his files make it
// do it does as he, and if it hangs, is killed by a signal or takes memory, that is the failure of this one database.
// The child is this program again, started under another name; it makes itself harmless before it opens anything, takes
// requests from its parent (protocol.hpp) one after the other, and ends when the parent does. Under a third name it is
// the child that answers a query (query_child.hpp).
//
// Every program that captures databases calls this first thing in main().
#pragma once

namespace cairn::sqlite {

// The status that main() has to return, if this process was started as a reader; else -1, and nothing was done.
int run_as_reader(int argc, const char* const* argv);

// argv[0] of a reader and of a child that answers a query, and the descriptor on which its parent talks to it.
inline constexpr const char* k_reader_name = "cairn-sqlite-reader";
inline constexpr const char* k_query_name = "cairn-sqlite-query";
inline constexpr int k_reader_socket = 3;

}  // namespace cairn::sqlite
