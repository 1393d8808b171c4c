#include "capture/sqlite/image_check.hpp"

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/directories.hpp"
#include "capture/sqlite/image_survey.hpp"
#include "capture/sqlite/schema.hpp"

#include <memory>
#include <string>

#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

constexpr const char* k_name = "image";
// More lines than a person reads of a damaged database, and soon found.
constexpr const char* k_quick_check = "PRAGMA quick_check(3)";
constexpr const char* k_integrity_check = "PRAGMA integrity_check(3)";
constexpr std::size_t k_longest_finding = 300;

// The bytes or the medium are at fault, and not what this library knows or may take of memory.
bool is_of_image(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
      return true;
    default:
      return false;
  }
}

Checked finding(Checked::Verdict verdict, std::string text) {
  if (text.size() > k_longest_finding) text = text.substr(0, k_longest_finding) + "...";
  Checked checked;
  checked.verdict = verdict;
  checked.message = std::move(text);
  return checked;
}

Checked check_pages(const Connection& connection, const char* statement_text) {
  sqlite3* const db = connection.handle();
  sqlite3_stmt* raw = nullptr;
  int result = sqlite3_prepare_v2(db, statement_text, -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
  std::string found;
  bool sound = false;
  while (result == SQLITE_OK || result == SQLITE_ROW) {
    result = sqlite3_step(raw);
    if (result != SQLITE_ROW) break;
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
    const std::string line = text == nullptr ? "" : text;
    sound = line == "ok";
    if (!sound && found.empty()) found = line;
  }
  if (!found.empty()) return finding(Checked::Verdict::broken, found);
  if (result == SQLITE_DONE && sound) return {};
  const std::string text = sqlite3_errmsg(db);
  // SQLite calls it corrupt where it cannot parse a schema, which a newer one may.
  const bool unparsed = text.starts_with("malformed database schema");
  return finding(is_of_image(result) && !unparsed ? Checked::Verdict::broken : Checked::Verdict::unknown, text);
}

// Calls `use` with a connection to the image that is in a read transaction, and returns what that makes of it.
Checked with_image(UniqueFd file, const std::string& shown, const std::function<void(std::uint64_t)>& bytes,
                   const std::function<Checked(Connection&)>& use) {
  GivenFile given{k_name, std::move(file)};
  give_directories_to_sqlite(&given, nullptr);
  const ReadWatch watch{bytes};
  Patience none{Nanoseconds{0}};
  Checked checked;
  try {
    Connection connection{std::string{k_live_prefix} + k_name, shown, Connection::Mode::at_rest, none};
    connection.begin_read();
    checked = use(connection);
  } catch (const SqliteError& e) {
    checked = finding(is_of_image(e.code()) ? Checked::Verdict::broken : Checked::Verdict::unknown, e.message());
  }
  give_directories_to_sqlite(nullptr, nullptr);
  return checked;
}

}  // namespace

Checked check_image(UniqueFd file, const std::string& shown, const std::function<void(std::uint64_t)>& bytes) {
  return with_image(std::move(file), shown, bytes, [](const Connection& connection) {
    Checked checked = check_pages(connection, k_quick_check);
    if (checked.verdict == Checked::Verdict::sound) checked.schema_digest = schema_digest(connection);
    return checked;
  });
}

Checked examine_image(UniqueFd file, const std::string& shown, const std::function<void(std::uint64_t)>& bytes,
                      const std::function<void(const CheckedItem&)>& item) {
  return with_image(std::move(file), shown, bytes, [&](Connection& connection) {
    // Indexes are looked up row by row.
    connection.execute("PRAGMA cache_size = -49152");
    Checked checked = check_pages(connection, k_integrity_check);
    if (checked.verdict != Checked::Verdict::sound) return checked;
    checked.schema_digest = schema_digest(connection);
    if (!checked.schema_digest.empty()) survey_image(connection, item);
    return checked;
  });
}

}  // namespace cairn::sqlite
