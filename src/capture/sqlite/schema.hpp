// A digest of a database's schema: tells whether two snapshots hold the same tables, whatever their rows.
#pragma once

#include "capture/sqlite/connection.hpp"

#include <string>

namespace cairn::sqlite {

// Hexadecimal SHA-256 over type, name, table and text of every object, each with its length, in order of type and
// name. Empty where this SQLite cannot parse the schema (newer syntax, damage, or far more than anybody writes): the
// pages are captured all the same. Inside a transaction of connection.
std::string schema_digest(const Connection& connection);

}  // namespace cairn::sqlite
