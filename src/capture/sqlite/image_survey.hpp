// The content of a database in names and numbers: in the child that reads databases (reader_main.hpp).
#pragma once

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/protocol.hpp"

#include <functional>

namespace cairn::sqlite {

// Inside a transaction of the connection, on a database whose pages are sound: the elements of the schema, the rows of
// each table that is none of a module's, rows whose foreign keys lead nowhere, and what only ever grows. Throws
// SqliteError.
void survey_image(Connection& connection, const std::function<void(const CheckedItem&)>& item);

}  // namespace cairn::sqlite
