#include "capture/sqlite/schema.hpp"

#include "codec/digest.hpp"

#include <sqlite3.h>

namespace cairn::sqlite {

std::string schema_digest(const Connection& connection) {
  constexpr int k_columns = 4;
  // A schema that a person wrote is parsed in far less; a schema made to harm must not take the capture's time.
  int steps_left = 1000;
  sqlite3_progress_handler(
      connection.handle(), 100'000, [](void* left) { return --*static_cast<int*>(left) < 0 ? 1 : 0; }, &steps_left);
  const std::unique_ptr<sqlite3, void (*)(sqlite3*)> handler{
      connection.handle(), [](sqlite3* db) { sqlite3_progress_handler(db, 0, nullptr, nullptr); }};
  sqlite3_stmt* raw = nullptr;
  int result = sqlite3_prepare_v2(connection.handle(),
                                  "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name, tbl_name",
                                  -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
  if (result != SQLITE_OK) return {};
  Sha256 hash;
  while ((result = sqlite3_step(raw)) == SQLITE_ROW) {
    Bytes row;
    for (int column = 0; column < k_columns; ++column) {
      const void* text = sqlite3_column_blob(raw, column);
      const auto length = static_cast<std::size_t>(sqlite3_column_bytes(raw, column));
      put_u64(row, length);
      if (length > 0) append(row, {static_cast<const std::uint8_t*>(text), length});
    }
    hash.update(row);
  }
  return result == SQLITE_DONE ? hash.finish().hex() : std::string{};
}

}  // namespace cairn::sqlite
