#include "capture/sqlite/copies.hpp"

#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/schema.hpp"
#include "util/beneath.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

namespace cairn::sqlite {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_copy_bytes = 1 << 20;
constexpr std::size_t k_range_bytes = 64 << 20;
constexpr auto k_poll = std::chrono::milliseconds{10};
// File times move in steps of the kernel's tick (10 ms at most): a file that changed less than two ago could change
// again and show the same time.
constexpr auto k_time_steps = std::chrono::milliseconds{20};
constexpr const char* k_copy_name = "copy.db";

[[noreturn]] void fail(std::string_view verb, const std::string& shown, int error_number) {
  throw SourceError(ErrorKind::failed,
                    fmt::format("unable to {} {}: {}", verb, quote(shown), errno_text(error_number)));
}

[[noreturn]] void fail_copy(const std::string& shown, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  throw SourceError(ErrorKind::failed,
                    fmt::format("unable to copy database {}: {}", quote(shown),
                                full ? "no space in the staging directory" : errno_text(error_number)));
}

// A file that has all of these as before a copy is the same file.
struct Stamp {
  FileId file;
  off_t size = 0;
  std::int64_t modified = 0;
  std::int64_t changed = 0;
  bool operator==(const Stamp&) const = default;
};

constexpr std::int64_t nanoseconds(const struct timespec& t) {
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

Stamp stamp_of(const struct stat& s) {
  return {id_of(s), s.st_size, nanoseconds(s.st_mtim), nanoseconds(s.st_ctim)};
}

std::optional<struct stat> status_of(SourceFiles& files, const char* suffix) {
  struct stat status {};
  if (files.status(suffix, status)) return status;
  if (errno != ENOENT) fail("examine", files.shown(suffix), errno);
  return std::nullopt;
}

// SQLite's shared lock on a database, as a lock of this descriptor alone: in rollback mode no writer gets past it, and
// nobody in exclusive mode lets it through.
void lock_shared(int fd, const std::string& shown, Patience& patience) {
  const auto set = [&](short type, std::uint64_t start, std::uint64_t length) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(start);
    lock.l_len = static_cast<off_t>(length);
    while (::fcntl(fd, F_OFD_SETLK, &lock) != 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EACCES) fail("lock", shown, errno);
      if (!patience.wait(k_poll)) throw SqliteError("read", shown, SQLITE_BUSY, "database is locked");
    }
  };
  set(F_RDLCK, k_pending_byte, 1);
  set(F_RDLCK, k_pending_byte + 2, 510);
  set(F_UNLCK, k_pending_byte, 1);
}

// A descriptor that came from elsewhere shares its locks with whoever has the other end.
class SharedLock {
 public:
  SharedLock(int fd, const std::string& shown, Patience& patience) : m_fd(fd) { lock_shared(fd, shown, patience); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;
  ~SharedLock() {
    struct flock all {};
    all.l_type = F_UNLCK;
    all.l_whence = SEEK_SET;
    ::fcntl(m_fd, F_OFD_SETLK, &all);
  }

 private:
  int m_fd;
};

// A part of one file, inside the kernel where that can be.
void copy_range(int from, int to, std::uint64_t begin, std::uint64_t end, const std::string& shown) {
  bool in_kernel = true;
  Bytes buffer;
  while (begin < end) {
    if (in_kernel) {
      auto source = static_cast<off_t>(begin);
      auto target = static_cast<off_t>(begin);
      const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, k_range_bytes));
      const ssize_t n = retry_interrupted([&] { return ::copy_file_range(from, &source, to, &target, length, 0); });
      if (n > 0) {
        begin += static_cast<std::uint64_t>(n);
        continue;
      }
      if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) fail_copy(shown, errno);
      in_kernel = false;  // not between these file systems, or at the end: reading tells
      buffer.resize(k_copy_bytes);
    }
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, buffer.size()));
    const ssize_t n =
        retry_interrupted([&] { return ::pread(from, buffer.data(), length, static_cast<off_t>(begin)); });
    if (n < 0) fail("read", shown, errno);
    if (n == 0) throw SqliteError("read", shown, 0, "it became shorter");
    try {
      write_at(to, ByteView{buffer}.first(static_cast<std::size_t>(n)), begin, shown);
    } catch (const SystemError& error) {
      fail_copy(shown, error.number());
    }
    begin += static_cast<std::uint64_t>(n);
  }
}

// The first `size` bytes of a file; what takes no space there takes none in the copy.
void copy_contents(int from, int to, std::uint64_t size, const std::string& shown) {
  for (std::uint64_t at = 0; at < size;) {
    const off_t data = ::lseek(from, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    const std::uint64_t begin = data < 0 ? at : static_cast<std::uint64_t>(data);
    if (begin >= size) break;
    const off_t hole = data < 0 ? -1 : ::lseek(from, data, SEEK_HOLE);
    const std::uint64_t end = hole < 0 ? size : std::min(static_cast<std::uint64_t>(hole), size);
    copy_range(from, to, begin, end, shown);
    at = end;
  }
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) fail_copy(shown, errno);
}

UniqueFd make_copy(const CopyTarget& to, const std::string& name, const std::string& shown) {
  UniqueFd fd{to.directory.open(name, O_RDWR | O_CREAT | O_TRUNC, 0600)};
  if (!fd) fail_copy(shown, errno);
  return fd;
}

std::uint64_t allocated(const struct stat& status) noexcept {
  return std::min(static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_blocks) * 512);
}

std::optional<Header> read_header(int fd) {
  std::array<std::uint8_t, k_header_size> bytes{};
  if (::pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  return parse_header(bytes);
}

// How much of the main file is the database, where nothing lies beside it that says otherwise.
std::uint64_t database_size(int fd, std::uint64_t file_size) {
  const auto header = read_header(fd);
  return header ? std::min(file_size, header->pages(file_size) * header->page_size) : file_size;
}

// True where nothing moved during the copy, or so shortly before that it could not be seen to.
bool copy_once(SourceFiles& files, const CopyTarget& to, Patience& patience) {
  std::array<UniqueFd, k_files_of_state.size()> from;
  std::array<std::optional<struct stat>, k_files_of_state.size()> before;
  const std::int64_t started = std::chrono::system_clock::now().time_since_epoch().count();
  std::uint64_t expected = 0;
  std::optional<SharedLock> lock;
  for (std::size_t i = 0; i < from.size(); ++i) {
    before[i] = status_of(files, k_files_of_state[i]);
    if (!before[i]) continue;
    // SQLite would follow a link and wait at a FIFO; nobody can say what it would find there later.
    if (!S_ISREG(before[i]->st_mode)) {
      throw SqliteError("read", files.shown(""), 0,
                        fmt::format("{} is no regular file", quote(files.shown(k_files_of_state[i]))));
    }
    from[i] = UniqueFd{files.open(k_files_of_state[i])};
    if (!from[i] && errno != ENOENT) fail("open", files.shown(k_files_of_state[i]), errno);
    if (!from[i]) return false;
    if (i == 0) {
      lock.emplace(from[0].get(), files.shown(""), patience);
      before[0] = status_of(files, "");
      if (!before[0]) return false;
    }
    if (started - stamp_of(*before[i]).changed <= Nanoseconds{k_time_steps}.count()) return false;
    expected += allocated(*before[i]) * (i == 0 ? 1 : 2);  // what it says goes into the database
  }
  if (!from[0]) fail("open", files.shown(""), ENOENT);
  const auto whole = static_cast<std::uint64_t>(before[0]->st_size);
  const bool alone = (!before[1] || before[1]->st_size == 0) && (!before[2] || before[2]->st_size == 0);
  const std::uint64_t size = alone ? database_size(from[0].get(), whole) : whole;
  to.expect(std::min(expected, alone ? size : expected));
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::string name = std::string{k_copy_name} + k_files_of_state[i];
    to.directory.remove(name);
    if (!from[i]) continue;
    const UniqueFd copy = make_copy(to, name, files.shown(""));
    copy_contents(from[i].get(), copy.get(), i == 0 ? size : static_cast<std::uint64_t>(before[i]->st_size),
                  files.shown(k_files_of_state[i]));
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto after = status_of(files, k_files_of_state[i]);
    if (after.has_value() != before[i].has_value()) return false;
    if (after && stamp_of(*after) != stamp_of(*before[i])) return false;
  }
  return true;
}

[[noreturn]] void fail_backup(const fs::path& source, sqlite3* copy, int result) {
  if ((result & 0xff) == SQLITE_FULL) fail_copy(source.native(), ENOSPC);
  throw SqliteError("copy", source, result, sqlite3_errmsg(copy));
}

void backup(Connection& from, Patience& patience) {
  Connection copy{k_copy_path, from.path(), Connection::Mode::own_copy, patience};
  copy.execute("PRAGMA journal_mode = OFF");
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", from.handle(), "main");
  if (backup == nullptr) fail_backup(from.path(), copy.handle(), sqlite3_errcode(copy.handle()));
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE) fail_backup(from.path(), copy.handle(), stepped);
  if (finished != SQLITE_OK) fail_backup(from.path(), copy.handle(), finished);
}

}  // namespace

bool SourceFiles::exists(const char* suffix) {
  struct stat status {};
  return this->status(suffix, status);
}

std::uint64_t SourceFiles::size_of(const char* suffix) {
  struct stat status {};
  return this->status(suffix, status) ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Opened copy_by_backup(std::unique_ptr<Connection> connection, int database_fd, const CopyTarget& to,
                      Patience& patience) {
  Opened opened;
  opened.kind = Opened::Kind::staged;
  opened.mode = "backup";
  opened.cut_point = std::chrono::system_clock::now();
  const auto begun = Clock::now();
  const std::string shown = connection->path().native();
  const std::int64_t schema_version = connection->begin_read();
  const SqliteFile main_file = connection->main_file();
  const std::uint64_t file_size = main_file.size();
  // Seen inside the transaction: whether a log is read, and nothing else, decides which bytes are the state.
  const bool overlaid = connection->uses_wal();
  Bytes first(k_header_size);
  main_file.read(first, 0);
  const auto header = parse_header(first);
  if (overlaid) {
    to.expect(file_size + connection->journal_file().size());
    backup(*connection, patience);
  } else {
    // Nobody writes to the file as long as this transaction lasts: what is in it is the committed state.
    const std::uint64_t size = header ? std::min(file_size, header->pages(file_size) * header->page_size) : file_size;
    struct stat status {};
    if (::fstat(database_fd, &status) != 0) fail("examine", shown, errno);
    to.expect(std::min(size, allocated(status)));
    const UniqueFd copy = make_copy(to, k_copy_name, shown);
    copy_contents(database_fd, copy.get(), size, shown);
  }
  opened.schema_digest = schema_digest(*connection);
  connection.reset();
  (overlaid ? opened.pinned : opened.commits_blocked) = Clock::now() - begun;
  if (!overlaid) return opened;
  // The backup puts a schema version, a change counter and a library version of its own into the copy.
  const UniqueFd copy{to.directory.open(k_copy_name, O_RDONLY, 0)};
  if (!copy || ::pread(copy.get(), first.data(), first.size(), 0) < 0) fail_copy(shown, errno);
  for (std::size_t i = 0; i < 4; ++i) {
    first[40 + i] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(schema_version) >> (24 - 8 * i));
  }
  opened.first_page_begin = std::move(first);
  return opened;
}

std::optional<Opened> copy_resting_files(SourceFiles& files, const CopyTarget& to, Patience& patience) {
  const bool had_index = status_of(files, k_index).has_value();
  Opened opened;
  opened.kind = Opened::Kind::staged;
  opened.mode = "staged";
  // A second time, because the first may only have come too soon after the last change.
  for (int more = 1;; --more) {
    opened.cut_point = std::chrono::system_clock::now();
    if (copy_once(files, to, patience)) break;
    if (more == 0) {
      if (patience.wait(k_poll)) return std::nullopt;
      throw SqliteError("copy", files.shown(""), SQLITE_BUSY, "it kept changing while it was copied");
    }
    std::this_thread::sleep_for(k_time_steps);
  }
  if (!had_index && status_of(files, k_index).has_value()) return std::nullopt;
  Connection copy{k_copy_path, files.shown(""), Connection::Mode::own_copy, patience};
  copy.begin_read();  // rolls back a hot journal, recovers a log
  opened.schema_digest = schema_digest(copy);
  copy.end_read();
  copy.copy_log_back();  // it is read as one file
  return opened;
}

}  // namespace cairn::sqlite
