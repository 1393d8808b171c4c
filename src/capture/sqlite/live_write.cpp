#include "capture/sqlite/live_write.hpp"

#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/format.hpp"
#include "capture/sqlite/supported.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

constexpr const char* k_image = "image";
constexpr const char* k_image_path = "/copy/image";
// So often it is told, and may be given up.
constexpr std::uint64_t k_bytes_at_once = 4 << 20;

// SQLite's text encoding of a database, as its header numbers them; nothing where its schema cannot be read.
std::optional<std::uint32_t> encoding_of(const Connection& connection) {
  sqlite3_stmt* raw = nullptr;
  const int prepared = sqlite3_prepare_v2(connection.handle(), "PRAGMA encoding", -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
  if (prepared != SQLITE_OK || sqlite3_step(raw) != SQLITE_ROW) return std::nullopt;
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
  const std::string name = text == nullptr ? "" : text;
  return name == "UTF-8" ? 1U : name == "UTF-16le" ? 2U : 3U;
}

// Whoever has the database open would get nothing but errors from then on.
void require_same_encoding(const Connection& live, const SqliteFile& live_file, const SqliteFile& image,
                           const std::string& shown) {
  // One that holds nothing yet has none.
  if (live_file.size() == 0) return;
  Bytes first(k_header_size);
  image.read(first, 0);
  const auto header = parse_header(first);
  const auto encoding = encoding_of(live);
  if (!header || header->encoding == 0 || !encoding || header->encoding == *encoding) return;
  throw Error(ErrorKind::usage,
              fmt::format("unable to write database {}: its text encoding is another one than that of what is to go "
                          "into it",
                          quote(shown)));
}

// The pages of the image on their way. Unless it was finished, the destructor takes them back.
class Transfer {
 public:
  Transfer(const Connection& image, const Connection& live, std::string shown)
      : m_live(live),
        m_shown(std::move(shown)),
        m_backup(sqlite3_backup_init(live.handle(), "main", image.handle(), "main"), sqlite3_backup_finish) {
    if (!m_backup) fail(sqlite3_errcode(live.handle()));
  }

  // Takes the locks alone, and waits for them.
  void lock() {
    const int result = sqlite3_backup_step(m_backup.get(), 0);
    if (result != SQLITE_OK && result != SQLITE_DONE) fail(result);
  }
  // True after the last ones: they are committed then.
  bool step(int pages) {
    const int result = sqlite3_backup_step(m_backup.get(), pages);
    if (result == SQLITE_DONE) return true;
    if (result != SQLITE_OK) fail(result);
    return false;
  }
  void finish() {
    const int result = sqlite3_backup_finish(m_backup.release());
    if (result != SQLITE_OK) throw SqliteError("write", m_shown, result, sqlite3_errmsg(m_live.handle()));
  }

 private:
  [[noreturn]] void fail(int result) {
    // Only then the connection has the message; it takes back what was written.
    if (m_backup) sqlite3_backup_finish(m_backup.release());
    const bool other_size = (result & 0xff) == SQLITE_READONLY && m_live.uses_wal();
    throw SqliteError("write", m_shown, result,
                      other_size ? "it is in WAL mode, which cannot change the page size, or may not be written"
                                 : sqlite3_errstr(result));
  }

  const Connection& m_live;
  std::string m_shown;
  std::unique_ptr<sqlite3_backup, int (*)(sqlite3_backup*)> m_backup;
};

// What SQLite may have left to the system: that the main file and the names beside it are on the disk.
void sync(const LiveDirectory& directory, const std::string& shown) {
  if (::fsync(directory.database_fd()) == 0 && directory.sync()) return;
  throw Error(ErrorKind::failed, fmt::format("unable to make database {} durable, which has its new state by now: {}",
                                             quote(shown), errno_text(errno)));
}

LogCopied copy_log(const Connection& live) {
  LogCopied copied;
  int frames = 0;
  int done = 0;
  // It waits for nobody, and nobody for it.
  const int result = sqlite3_wal_checkpoint_v2(live.handle(), "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
  copied.whole = result == SQLITE_OK && frames == done;
  return copied;
}

}  // namespace

LogCopied write_live(LiveDirectory& directory, UniqueFd image, const OpenRequest& request, Patience& patience,
                     const LiveWriteSteps& steps) {
  directory.allow_journal();
  require_known_format(directory, request.shown);
  GivenFile given{k_image, std::move(image)};
  give_directories_to_sqlite(&directory, &given);
  Patience none{Nanoseconds{0}};
  Connection source{k_image_path, request.shown, Connection::Mode::at_rest, none};
  source.begin_read();
  Connection live{k_live_prefix + directory.database(), request.shown, Connection::Mode::beside, patience};
  const SqliteFile image_file = source.main_file();
  require_same_encoding(live, live.main_file(), image_file, request.shown);
  Bytes first(k_header_size);
  image_file.read(first, 0);
  const auto header = parse_header(first);
  if (!header) throw SqliteError("write", request.shown, SQLITE_NOTADB, "what is to go into it is no database");
  const int pages = static_cast<int>(std::max<std::uint64_t>(1, k_bytes_at_once / header->page_size));
  std::uint64_t left = image_file.size();

  Transfer transfer{source, live, request.shown};
  // Without a log nobody else begins to read or write from the moment in which it waits for those who read.
  const auto asked = Patience::Clock::now();
  transfer.lock();
  const auto locked = Patience::Clock::now();
  for (bool done = false; !done;) {
    if (steps.given_up()) {
      throw Error(ErrorKind::interrupted,
                  fmt::format("unable to write database {}: it was given up", quote(request.shown)));
    }
    done = transfer.step(pages);
    const std::uint64_t bytes = std::min(left, std::uint64_t{header->page_size} * static_cast<std::uint64_t>(pages));
    left -= bytes;
    steps.told(bytes);
  }
  transfer.finish();
  Committed committed;
  const bool has_log = live.uses_wal();
  committed.blocked = Patience::Clock::now() - (has_log ? locked : asked);
  if (has_log) {
    committed.log_bytes = live.journal_file().size();
  } else {
    sync(directory, request.shown);
  }
  steps.committed(committed);
  return has_log ? copy_log(live) : LogCopied{};
}

}  // namespace cairn::sqlite
