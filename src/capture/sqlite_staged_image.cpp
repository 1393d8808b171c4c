// Images that are copied first, under a read transaction: the file as it is in rollback mode, by the online backup
// where no zero-copy read of a log is possible; or file by file, where SQLite may not open the database in its place.
#include "capture/sqlite_image.hpp"
#include "capture/sqlite_schema.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

namespace cairn::sqlite {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_copy_bytes = 1 << 18;
constexpr std::size_t k_pieces_in_flight = 4;
constexpr auto k_poll = std::chrono::milliseconds{10};
// File times move in steps of the kernel's tick (10 ms at most): a file that changed less than two ago could change
// again and show the same time.
constexpr auto k_time_steps = std::chrono::milliseconds{20};

// Pages of a private file that nobody else opens.
class StagedImage : public PageImage {
 public:
  // first_page_header, if not empty, replaces the beginning of page 1 (what the backup wrote there of its own).
  StagedImage(std::unique_ptr<TemporaryDirectory> directory, const fs::path& file, Report report,
              Bytes first_page_header)
      : m_directory(std::move(directory)),
        m_path(file),
        m_fd(open_file(file, O_RDONLY)),
        m_patch(std::move(first_page_header)),
        m_report(std::move(report)) {
    struct stat status {};
    if (::fstat(m_fd.get(), &status) != 0) throw_errno("examine", m_path.native(), errno);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0) return;  // rolled back to nothing
    std::array<std::uint8_t, k_header_size> bytes{};
    read_at(m_fd.get(), bytes, 0, m_path);
    std::copy(m_patch.begin(), m_patch.end(), bytes.begin());
    const auto header = parse_header(bytes);
    if (!header) throw SqliteError("read", m_path, 0, "its header is damaged");
    m_page_size = header->page_size;
    m_page_count = header->pages(size);
    if (size / m_page_size < m_page_count) {
      throw SqliteError("read", m_path, 0, fmt::format("the file ends before page {}", m_page_count));
    }
  }

  std::uint32_t page_size() const override { return m_page_size; }
  std::uint64_t page_count() const override { return m_page_count; }
  void read(std::uint64_t first, ByteSpan out) override {
    if (read_at(m_fd.get(), out, first * m_page_size, m_path) != out.size()) {
      throw SqliteError("read", m_path, 0, "the staged copy became shorter");
    }
    if (first == 0) std::copy(m_patch.begin(), m_patch.end(), out.begin());
  }
  bool release() override { return true; }
  const Report& report() const override { return m_report; }

 private:
  std::unique_ptr<TemporaryDirectory> m_directory;
  fs::path m_path;
  UniqueFd m_fd;
  Bytes m_patch;
  std::uint32_t m_page_size = 4096;
  std::uint64_t m_page_count = 0;
  Report m_report;
};

// What fails on the live files is the source's failure; on the copies it is our own.
template <class F>
auto of_source(F action) {
  try {
    return action();
  } catch (const SourceError&) {
    throw;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    throw SourceError(error.kind(), error.message(), error.hint());
  }
}

// What decides whether a file is the same as before a copy.
struct Stamp {
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified = 0;
  std::int64_t changed = 0;
  bool operator==(const Stamp&) const = default;
};

constexpr std::int64_t nanoseconds(const struct timespec& t) {
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

Stamp stamp_of(const struct stat& status) {
  return {status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

std::optional<Stamp> stamp_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return stamp_of(status);
  if (errno == ENOENT) return std::nullopt;
  of_source([&] { throw_errno("examine", path.native(), errno); });
  return std::nullopt;
}

bool file_exists(const fs::path& path) {
  return stamp_of(path).has_value();
}

// SQLite's shared lock on a database, as a lock of this descriptor alone: in rollback mode no writer gets past it, and
// nobody in exclusive mode lets it through.
void lock_shared(int fd, const fs::path& path, Deadline deadline) {
  const auto set = [&](short type, std::uint64_t start, std::uint64_t length) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(start);
    lock.l_len = static_cast<off_t>(length);
    while (::fcntl(fd, F_OFD_SETLK, &lock) != 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EACCES) of_source([&] { throw_errno("lock", path.native(), errno); });
      if (Clock::now() > deadline) throw SqliteError("read", path, SQLITE_BUSY, "database is locked");
      check_interrupted();
      std::this_thread::sleep_for(k_poll);
    }
  };
  set(F_RDLCK, k_pending_byte, 1);
  set(F_RDLCK, k_pending_byte + 2, 510);
  set(F_UNLCK, k_pending_byte, 1);
}

// read: fills what it is given from an offset on, and says how much was there.
void copy_file(const std::function<std::size_t(ByteSpan, std::uint64_t)>& read, const fs::path& to_path) {
  const UniqueFd to = open_file(to_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  // Writers wait for as long as the copy takes: the one piece is written while the next is read.
  ThreadPool writer{1};
  OrderedWindow<bool> pieces{writer, k_pieces_in_flight, UINT64_MAX, [](bool) {}};
  std::uint64_t offset = 0;
  while (true) {
    check_interrupted();
    Bytes piece(k_copy_bytes);
    piece.resize(of_source([&] { return read(piece, offset); }));
    if (piece.empty()) break;
    const std::uint64_t at = offset;
    offset += piece.size();
    pieces.push(0, [&to, &to_path, at, piece = std::move(piece)] {
      write_at(to.get(), piece, at, to_path);
      return true;
    });
  }
  pieces.drain();
}

void copy_file(int from, const fs::path& from_path, const fs::path& to_path) {
  copy_file([&](ByteSpan out, std::uint64_t offset) { return read_at(from, out, offset, from_path); }, to_path);
}

std::size_t read_some(const SqliteFile& file, ByteSpan out, std::uint64_t offset) {
  const std::uint64_t size = file.size();
  if (offset >= size) return 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset));
  if (file.read(out.first(count), offset) == SqliteFile::Whole::no) {
    throw SqliteError("read", file.path(), 0, "it became shorter");
  }
  return count;
}

// True where nothing moved during the copy, or so shortly before that it could not be seen to.
bool copy_once(const fs::path& database, const fs::path& copy, Deadline deadline) {
  constexpr std::array<const char*, 3> k_suffixes{"", "-wal", "-journal"};
  const UniqueFd main_fd = of_source([&] { return open_file(database, O_RDONLY | O_NOFOLLOW); });
  lock_shared(main_fd.get(), database, deadline);
  std::array<std::optional<Stamp>, 3> before;
  const std::int64_t started = std::chrono::system_clock::now().time_since_epoch().count();
  for (std::size_t i = 0; i < before.size(); ++i) {
    before[i] = stamp_of(fs::path{database.native() + k_suffixes[i]});
    if (before[i] && started - before[i]->changed <= Nanoseconds{k_time_steps}.count()) return false;
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    const fs::path from{database.native() + k_suffixes[i]};
    const fs::path to{copy.native() + k_suffixes[i]};
    fs::remove(to);
    if (!before[i]) continue;
    if (i == 0) {
      copy_file(main_fd.get(), from, to);
      continue;
    }
    const auto fd = of_source([&] { return open_file_if_exists(from, O_RDONLY | O_NOFOLLOW); });
    if (!fd) return false;
    copy_file(fd->get(), from, to);
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (stamp_of(fs::path{database.native() + k_suffixes[i]}) != before[i]) return false;
  }
  return true;
}

[[noreturn]] void fail_backup(const fs::path& source, sqlite3* copy, int result) {
  if ((result & 0xff) == SQLITE_FULL) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to copy database {}: no space in the staging directory", quote(source.native())));
  }
  throw SqliteError("copy", source, result, sqlite3_errmsg(copy));
}

void backup(Connection& from, const fs::path& to) {
  Connection copy{to, Connection::Mode::own_copy, std::chrono::milliseconds{0}};
  copy.execute("PRAGMA journal_mode = OFF");
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", from.handle(), "main");
  if (backup == nullptr) fail_backup(from.path(), copy.handle(), sqlite3_errcode(copy.handle()));
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE) fail_backup(from.path(), copy.handle(), stepped);
  if (finished != SQLITE_OK) fail_backup(from.path(), copy.handle(), finished);
}

}  // namespace

std::unique_ptr<PageImage> copy_by_backup(std::unique_ptr<Connection> connection, const fs::path& staging_parent) {
  auto directory = std::make_unique<TemporaryDirectory>(staging_parent);
  const fs::path copy_path = directory->path() / "copy.db";
  PageImage::Report report;
  report.mode = "backup";
  report.cut_point = std::chrono::system_clock::now();
  const auto begun = Clock::now();
  const std::int64_t schema_version = connection->begin_read();
  Bytes first(k_header_size);
  const SqliteFile main_file = connection->main_file();
  if (main_file.size() == 0) {  // became empty since it was looked at
    write_file_atomic(copy_path, {});
    return std::make_unique<StagedImage>(std::move(directory), copy_path, report, Bytes{});
  }
  main_file.read(first, 0);
  const auto header = parse_header(first);
  const bool rollback_mode = header && header->read_version == 1;
  if (rollback_mode) {
    // Nobody writes to the file as long as this transaction lasts: what is in it is the committed state.
    copy_file([&](ByteSpan out, std::uint64_t offset) { return read_some(main_file, out, offset); }, copy_path);
    first.clear();
  } else {
    backup(*connection, copy_path);
  }
  report.schema_digest = schema_digest(*connection);
  connection.reset();
  (rollback_mode ? report.commits_blocked : report.wal_pinned) = Clock::now() - begun;

  // The backup puts a schema version, a change counter and a library version of its own into the copy.
  if (!rollback_mode) {
    const UniqueFd fd = open_file(copy_path, O_RDONLY);
    read_at(fd.get(), first, 0, copy_path);
    for (std::size_t i = 0; i < 4; ++i) {
      first[40 + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(schema_version) >> (24 - 8 * i));
    }
  }
  return std::make_unique<StagedImage>(std::move(directory), copy_path, report, std::move(first));
}

std::unique_ptr<PageImage> copy_resting_files(const fs::path& database, const fs::path& staging_parent,
                                              Deadline deadline) {
  auto directory = std::make_unique<TemporaryDirectory>(staging_parent);
  const fs::path copy_path = directory->path() / "copy.db";
  const bool had_index = file_exists(fs::path{database.native() + "-shm"});
  PageImage::Report report;
  report.mode = "staged";
  // A second time, because the first may only have come too soon after the last change: as root SQLite gives a journal
  // to its owner, and so changes it, whenever it looks at one.
  for (int more = 1;; --more) {
    report.cut_point = std::chrono::system_clock::now();
    if (copy_once(database, copy_path, deadline)) break;
    if (more == 0) {
      if (Clock::now() < deadline) return nullptr;
      throw SqliteError("copy", database, SQLITE_BUSY, "it kept changing while it was copied");
    }
    std::this_thread::sleep_for(k_time_steps);
  }
  if (!had_index && file_exists(fs::path{database.native() + "-shm"})) return nullptr;
  {
    Connection copy{copy_path, Connection::Mode::own_copy, std::chrono::milliseconds{0}};
    copy.begin_read();  // rolls back a hot journal, recovers a log
    report.schema_digest = schema_digest(copy);
    copy.end_read();
    copy.execute("PRAGMA wal_checkpoint(TRUNCATE)");  // of no effect with a rollback journal
  }
  return std::make_unique<StagedImage>(std::move(directory), copy_path, report, Bytes{});
}

}  // namespace cairn::sqlite
