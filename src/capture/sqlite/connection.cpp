#include "capture/sqlite/connection.hpp"

#include "capture/sqlite/companions.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

// SQLite's unix layer takes at most 0x1ffff bytes in one xRead.
constexpr std::size_t k_largest_read = 65536;
constexpr int k_wal_index_region = 32768;
constexpr auto k_poll = std::chrono::milliseconds{1};
constexpr int k_longest_text = 16 << 20;
constexpr sqlite3_int64 k_heap_limit = 96 << 20;
constexpr std::size_t k_backfill_offset = 2 * k_wal_index_header_size;

ErrorKind kind_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return ErrorKind::busy;
    default:
      return ErrorKind::failed;
  }
}

}  // namespace

SqliteError::SqliteError(std::string_view verb, const fs::path& path, int result, const std::string& text,
                         std::string hint)
    : SourceError(kind_of(result), fmt::format("unable to {} database {}: {}", verb, quote(path.native()), text),
                  hint.empty() && kind_of(result) == ErrorKind::busy
                      ? "another process holds it; see whether it runs in exclusive locking mode, or wait longer"
                      : std::move(hint)),
      m_code(result) {}

bool SqliteError::needs_staging() const noexcept {
  return code() == SQLITE_READONLY || code() == SQLITE_CANTOPEN;
}

bool SqliteError::is_of_content() const noexcept {
  // 0: found by this program, not by SQLite.
  return code() == SQLITE_OK || code() == SQLITE_CORRUPT || code() == SQLITE_NOTADB;
}

bool SqliteError::is_for_want_of_space() const noexcept {
  return code() == SQLITE_FULL;
}

std::uint64_t SqliteFile::size() const {
  sqlite3_int64 size = 0;
  const int result = m_file->pMethods->xFileSize(m_file, &size);
  if (result != SQLITE_OK) throw SqliteError("read", m_path, result, sqlite3_errstr(result));
  return static_cast<std::uint64_t>(size);
}

SqliteFile::Whole SqliteFile::read(ByteSpan out, std::uint64_t offset) const {
  Whole whole = Whole::yes;
  while (!out.empty()) {
    const std::size_t now = std::min(out.size(), k_largest_read);
    const int result =
        m_file->pMethods->xRead(m_file, out.data(), static_cast<int>(now), static_cast<sqlite3_int64>(offset));
    if (result == SQLITE_IOERR_SHORT_READ) {
      whole = Whole::no;  // SQLite has zeroed the rest
    } else if (result != SQLITE_OK) {
      throw SqliteError("read", m_path, result, sqlite3_errstr(result));
    }
    out = out.subspan(now);
    offset += now;
  }
  return whole;
}

void Connection::Close::operator()(sqlite3* db) const noexcept {
  sqlite3_close(db);
}

Connection::Connection(const std::string& path, fs::path shown, Mode mode, Patience& patience)
    : m_shown(std::move(shown)), m_patience(patience) {
  const bool writes = mode == Mode::own_copy;
  const bool at_rest = mode == Mode::at_rest;
  const std::string name = at_rest ? "file:" + path + "?immutable=1" : path;
  const int access = writes                                        ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                     : mode == Mode::alone || mode == Mode::beside ? SQLITE_OPEN_READWRITE
                     : at_rest                                     ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                                                                   : SQLITE_OPEN_READONLY;
  sqlite3* db = nullptr;
  // FULLMUTEX is not needed: one thread at a time uses it.
  const int result =
      sqlite3_open_v2(name.c_str(), &db, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, "unix");
  m_db.reset(db);
  if (result != SQLITE_OK) fail("open", result);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, wait_for_turn, this);
  // As the last connection we would otherwise checkpoint, and delete the log.
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, writes ? 0 : 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // SQLite takes no lock on a database that ends too early, unless it may be repaired: here it is replaced.
  const bool may_be_damaged = mode == Mode::beside;
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, writes || may_be_damaged ? 0 : 1, nullptr);
  if (may_be_damaged) sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
  // A check may have to read a value of any length; what it takes of memory is bounded all the same.
  if (!at_rest) sqlite3_limit(db, SQLITE_LIMIT_LENGTH, k_longest_text);
  sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, k_longest_text);
  sqlite3_wal_autocheckpoint(db, 0);
  execute("PRAGMA temp_store = MEMORY");
  if (writes) execute("PRAGMA synchronous = OFF");
  // Reads the schema, which may not be readable: then it is what SQLite was built with, and the caller synchronises.
  if (mode == Mode::beside) sqlite3_exec(db, "PRAGMA synchronous = EXTRA", nullptr, nullptr, nullptr);
}

Connection::~Connection() = default;

// SQLite's own handler soon sleeps for 100 ms at a time, and in rollback mode never meets the moment between two
// commits of busy writers: it was seen to wait for 20 s where this one gets its turn at once.
int Connection::wait_for_turn(void* connection, int) noexcept {
  return static_cast<Connection*>(connection)->m_patience.wait(k_poll) ? 1 : 0;
}

void Connection::fail(std::string_view verb, int result) const {
  const bool out_of_memory = m_db == nullptr;
  throw SqliteError(verb, m_shown, result, out_of_memory ? sqlite3_errstr(result) : sqlite3_errmsg(m_db.get()));
}

void Connection::execute(const char* sql) {
  const int result = sqlite3_exec(m_db.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail("read", result);
}

std::int64_t Connection::begin_read() {
  execute("BEGIN");
  sqlite3_stmt* raw = nullptr;
  int result = sqlite3_prepare_v2(m_db.get(), "PRAGMA schema_version", -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
  if (result == SQLITE_OK) result = sqlite3_step(raw);
  if (result != SQLITE_ROW) {
    // The transaction holds nothing yet; it must not stand in the way of the next attempt.
    const SqliteError error{"read", m_shown, result, sqlite3_errmsg(m_db.get())};
    end_read();
    throw error;
  }
  return sqlite3_column_int64(raw, 0);
}

void Connection::end_read() {
  if (sqlite3_get_autocommit(m_db.get()) == 0) sqlite3_exec(m_db.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

// A log that lies there is opened by the first transaction, and is the pager's journal from then on; a rollback journal
// is not open while nothing is written. (PRAGMA journal_mode would parse the schema.)
bool Connection::uses_wal() const {
  sqlite3_file* file = nullptr;
  const int result = sqlite3_file_control(m_db.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (result != SQLITE_OK || file == nullptr) fail("read the journal of", result);
  return file->pMethods != nullptr;
}

void Connection::copy_log_back() {
  int frames = 0;
  int copied = 0;
  const int result = sqlite3_wal_checkpoint_v2(m_db.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);
  if (result != SQLITE_OK) fail("copy back the log of", result);
}

void Connection::settle() {
  // In this mode SQLite keeps the index of the log to itself, and cuts a journal's header away instead of removing it:
  // it takes no right to the directory.
  execute("PRAGMA locking_mode = EXCLUSIVE");
  // Where it was opened for reading only, as it may not be written, this is what fails.
  execute("BEGIN EXCLUSIVE");
  execute("COMMIT");
  if (!uses_wal()) return;
  int frames = 0;
  int copied = 0;
  const int result = sqlite3_wal_checkpoint_v2(m_db.get(), "main", SQLITE_CHECKPOINT_FULL, &frames, &copied);
  if (result != SQLITE_OK) fail("copy back the log of", result);
  if (frames != copied) throw SqliteError("copy back the log of", m_shown, SQLITE_BUSY, "somebody reads it");
}

SqliteFile Connection::main_file() const {
  sqlite3_file* file = nullptr;
  const int result = sqlite3_file_control(m_db.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (result != SQLITE_OK || file == nullptr || file->pMethods == nullptr) fail("read", result);
  return {file, m_shown};
}

SqliteFile Connection::journal_file() const {
  sqlite3_file* file = nullptr;
  const int result = sqlite3_file_control(m_db.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (result != SQLITE_OK || file == nullptr || file->pMethods == nullptr) fail("read the log of", result);
  return {file, fs::path{m_shown.native() + k_log}};
}

bool Connection::maps_wal_index() {
  const SqliteFile file = main_file();
  sqlite3_file* handle = file.handle();
  if (handle->pMethods->iVersion < 2 || handle->pMethods->xShmMap == nullptr) return false;
  volatile void* region = nullptr;
  // SQLITE_READONLY (mapped, but its read mark is somebody else's) and SQLITE_READONLY_CANTINIT (a private index on
  // the heap) are for SQLite's own reader to deal with.
  const int result = handle->pMethods->xShmMap(handle, 0, k_wal_index_region, 0, &region);
  if (result != SQLITE_OK || region == nullptr) return false;
  m_index = static_cast<const volatile std::uint32_t*>(region);
  return true;
}

// Other processes write this memory; 32-bit loads are what SQLite itself relies on.
std::uint32_t Connection::shared_word(std::size_t offset) const noexcept {
  return __atomic_load_n(m_index + offset / sizeof(std::uint32_t), __ATOMIC_RELAXED);
}

std::optional<WalIndexHeader> Connection::wal_index_header() const {
  constexpr std::size_t k_words = k_wal_index_header_size / sizeof(std::uint32_t);
  const SqliteFile file = main_file();
  std::uint32_t copies[2][k_words];
  // A writer fills the second copy first, then the first, with a barrier between: read in the opposite order.
  for (std::size_t copy = 0; copy < 2; ++copy) {
    file.handle()->pMethods->xShmBarrier(file.handle());
    for (std::size_t i = 0; i < k_words; ++i) {
      copies[copy][i] = shared_word(copy * k_wal_index_header_size + i * sizeof(std::uint32_t));
    }
  }
  file.handle()->pMethods->xShmBarrier(file.handle());
  if (std::memcmp(copies[0], copies[1], sizeof copies[0]) != 0) return std::nullopt;
  return parse_wal_index_header({reinterpret_cast<const std::uint8_t*>(copies[0]), sizeof copies[0]});
}

std::uint32_t Connection::backfilled() const {
  return shared_word(k_backfill_offset);
}

void use_bounded_memory() {
  sqlite3_hard_heap_limit64(k_heap_limit);
}

}  // namespace cairn::sqlite
