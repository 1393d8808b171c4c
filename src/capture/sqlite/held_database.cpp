#include "capture/sqlite/held_database.hpp"

#include "capture/file_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/supported.hpp"
#include "util/file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/mman.h>

namespace cairn::sqlite {

namespace {

[[noreturn]] void fail(const std::string& shown, int error_number) {
  const auto message = fmt::format("unable to open {}: {}", quote(shown), errno_text(error_number));
  if (error_number == EACCES || error_number == EPERM) throw UnreachableError(ErrorKind::failed, message);
  throw SourceError(ErrorKind::failed, message);
}

// The beginning and the end of a file.
struct Look {
  std::uint64_t size = 0;
  Bytes first;  // at most 100 bytes
  Bytes last;   // at most 34
};

Look look_at(int fd, const std::string& shown) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail(shown, errno);
  Look look;
  look.size = static_cast<std::uint64_t>(status.st_size);
  look.first.resize(k_header_size);
  look.first.resize(read_at(fd, look.first, 0, shown));
  if (look.size >= k_libsql_footer_size) {
    look.last.resize(k_libsql_footer_size);
    look.last.resize(read_at(fd, look.last, look.size - look.last.size(), shown));
  }
  return look;
}

[[noreturn]] void refuse(const std::string& shown, const std::string& why) {
  throw SourceError(ErrorKind::usage, fmt::format("unable to capture database {}: {}", quote(shown), why),
                    "stop its writers and pass --assume-local if you know that no other machine or program writes it");
}

void check_supported(int fd, const std::string& shown, const Look& look, const Header& header, bool has_wal2) {
  if (const char* name = remote_file_system(fd, shown)) {
    refuse(shown, fmt::format("it lies on {}, where the locks of other writers cannot be seen", name));
  }
  if (header.read_version > 2 || header.write_version > 2 || has_wal2) {
    refuse(shown, "it is in a journal mode that SQLite does not have (wal2)");
  }
  if (has_libsql_footer(look.last)) refuse(shown, "it is kept by libSQL, whose log SQLite cannot read");
}

// Files that are at hand by names.
class NamedFiles : public SourceFiles {
 public:
  NamedFiles(LiveDirectory& directory, std::string shown) : m_directory(directory), m_shown(std::move(shown)) {}
  int open(const char* suffix) override { return m_directory.open(m_directory.beside(suffix), O_RDONLY, 0); }
  bool status(const char* suffix, struct stat& out) override {
    return m_directory.status(m_directory.beside(suffix), out);
  }
  std::string shown(const char* suffix) const override { return m_shown + suffix; }

 private:
  LiveDirectory& m_directory;
  std::string m_shown;
};

// Files that are at hand by descriptors.
class GivenFiles : public SourceFiles {
 public:
  GivenFiles(int database, int log, int journal, std::string shown)
      : m_files{database, log, journal}, m_shown(std::move(shown)) {}
  int open(const char* suffix) override {
    const int fd = of(suffix);
    return fd < 0 ? missing() : ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  }
  bool status(const char* suffix, struct stat& out) override {
    const int fd = of(suffix);
    return fd < 0 ? missing() == 0 : ::fstat(fd, &out) == 0;
  }
  std::string shown(const char* suffix) const override { return m_shown + suffix; }

 private:
  static int missing() noexcept {
    errno = ENOENT;
    return -1;
  }
  int of(const char* suffix) const noexcept {
    if (*suffix == '\0') return m_files[0];
    if (std::strcmp(suffix, k_log) == 0) return m_files[1];
    return std::strcmp(suffix, k_journal) == 0 ? m_files[2] : -1;
  }
  std::array<int, 3> m_files;
  std::string m_shown;
};

bool has_rollback_journal(SourceFiles& files) {
  const UniqueFd fd{files.open(k_journal)};
  return fd && is_sqlite_log(look_at(fd.get(), files.shown(k_journal)).first);
}

// Without a header it may be the first transaction of a new database, interrupted before page 1 was written: its
// journal undoes it.
void check_is_database(SourceFiles& files, const std::optional<Header>& header) {
  if (header || has_rollback_journal(files)) return;
  const bool accompanied = files.exists(k_log) || files.exists(k_journal);
  throw SqliteError("open", files.shown(""), SQLITE_NOTADB, "not a SQLite database",
                    accompanied ? "it may be encrypted: take it through its own program, as a command source" : "");
}

bool may_open_in_place(LiveDirectory& directory, SourceFiles& files, const Header& header, const struct stat& database,
                       bool demanding) {
  // A log makes it a database in WAL mode whatever its header says.
  const std::uint64_t log_size = files.size_of(k_log);
  if (header.read_version != 2 && log_size == 0) return true;
  if (!files.exists(k_index)) {
    // A resting database gets -shm and -wal, which all must be able to use who use the database, and the directory has
    // to take them. With -shm there it is probably live, and must be read live.
    const bool for_group = (database.st_mode & (S_IRGRP | S_IWGRP)) != 0;
    return ::geteuid() == database.st_uid && directory.may_add_files() &&
           (!for_group || directory.group_of_new_files() == database.st_gid);
  }
  const bool writable = directory.may(directory.beside(k_index), R_OK | W_OK);
  if (!writable && demanding) fail(files.shown(k_index), EACCES);
  // The log of a writer that was killed before it wrote the first frame: SQLite (3.40) finds no salt in it, and where
  // it may not write -shm it tries for ten seconds and says "locking protocol".
  return log_size != k_wal_header_size || writable;
}

UniqueFd write_overlay(const std::vector<OverlayPage>& overlay, const std::string& shown) {
  UniqueFd fd{::memfd_create("overlay", MFD_CLOEXEC)};
  if (!fd) fail(shown, errno);
  static_assert(sizeof(OverlayPage) == 2 * sizeof(std::uint32_t));
  write_at(fd.get(), {reinterpret_cast<const std::uint8_t*>(overlay.data()), overlay.size() * sizeof(OverlayPage)}, 0,
           "overlay");
  return fd;
}

HeldDatabase in_place(std::unique_ptr<WalHold> hold, const LiveDirectory& directory, const std::string& shown) {
  HeldDatabase held;
  held.opened.kind = Opened::Kind::overlay;
  held.opened.mode = "wal";
  held.opened.page_size = hold->page_size();
  held.opened.page_count = hold->page_count();
  held.opened.overlaid = hold->overlay().size();
  held.opened.cut_point = hold->cut_point();
  held.opened.schema_digest = hold->schema_digest();
  held.descriptors.push_back(directory.database_fd());
  if (!hold->overlay().empty()) {
    held.overlay = write_overlay(hold->overlay(), shown);
    held.descriptors.push_back(directory.log_fd());
    held.descriptors.push_back(held.overlay.get());
  }
  held.hold = std::move(hold);
  return held;
}

HeldDatabase empty_database() {
  HeldDatabase held;
  held.opened.mode = "staged";
  held.opened.cut_point = std::chrono::system_clock::now();
  return held;
}

}  // namespace

HeldDatabase hold_database(LiveDirectory& directory, const OpenRequest& request, const CopyTarget& copies,
                           Patience& patience) {
  NamedFiles files{directory, request.shown};
  // An application may come and go meanwhile: each time round the way to read it is chosen anew, and every connection
  // of the time before is closed.
  while (true) {
    struct stat status {};
    Look look;
    std::optional<Header> header;
    {
      const UniqueFd fd{files.open("")};
      if (!fd) fail(request.shown, errno);
      if (::fstat(fd.get(), &status) != 0) fail(request.shown, errno);
      look = look_at(fd.get(), request.shown);
      // SQLite would delete a -wal beside a file of no bytes.
      if (look.size == 0) return empty_database();
      header = parse_header(look.first);
      check_is_database(files, header);
      if (header && !request.assume_local) {
        check_supported(fd.get(), request.shown, look, *header, files.exists("-wal2"));
      }
    }
    if (header && may_open_in_place(directory, files, *header, status, request.demanding)) {
      try {
        auto connection = std::make_unique<Connection>(k_live_prefix + directory.database(), request.shown,
                                                       Connection::Mode::read_only, patience);
        if (auto hold = hold_wal(connection, patience)) return in_place(std::move(hold), directory, request.shown);
        HeldDatabase held;
        held.opened = copy_by_backup(std::move(connection), directory.database_fd(), copies, patience);
        return held;
      } catch (const SqliteError& error) {
        if (!error.needs_staging()) throw;
      }
    }
    if (auto opened = copy_resting_files(files, copies, patience)) {
      HeldDatabase held;
      held.opened = std::move(*opened);
      return held;
    }
  }
}

HeldDatabase copy_database(int database, int log, int journal, const OpenRequest& request, const CopyTarget& copies,
                           Patience& patience) {
  GivenFiles files{database, log, journal, request.shown};
  while (true) {
    const Look look = look_at(database, request.shown);
    if (look.size == 0) return empty_database();
    const auto header = parse_header(look.first);
    check_is_database(files, header);
    if (header && !request.assume_local) check_supported(database, request.shown, look, *header, false);
    if (auto opened = copy_resting_files(files, copies, patience)) {
      HeldDatabase held;
      held.opened = std::move(*opened);
      return held;
    }
  }
}

}  // namespace cairn::sqlite
