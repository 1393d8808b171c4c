#include "capture/sqlite.hpp"

#include "capture/file_kind.hpp"
#include "capture/sqlite_format.hpp"
#include "capture/sqlite_image.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace cairn {

namespace {

using Clock = std::chrono::steady_clock;

// Somebody else in this process reads a database's first bytes, or opens it: neither takes long.
constexpr auto k_look_timeout = std::chrono::minutes{1};

[[noreturn]] void fail(std::string_view verb, const fs::path& path, std::string_view cause, std::string hint = {}) {
  throw SourceError(ErrorKind::failed, fmt::format("unable to {} {}: {}", verb, quote(path.native()), cause),
                    std::move(hint));
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail("open", path, errno_text(errno));
  return status;
}

// SQLite finds -wal and -journal beside the file that a symbolic link points to.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  if (error) fail("open", path, errno_text(error.value()));
  return real;
}

std::uint64_t size_if_exists(const fs::path& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool file_exists(const fs::path& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

fs::path beside(const fs::path& database, const char* suffix) {
  return fs::path{database.native() + suffix};
}

// The beginning and the end of the file, read through a descriptor of our own: only while nobody in this process has
// it open through SQLite.
struct Look {
  std::uint64_t size = 0;
  Bytes first;  // at most 100 bytes
  Bytes last;   // at most 34
};

Look look_at(const fs::path& path) {
  try {
    const UniqueFd fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("examine", path.native(), errno);
    Look look;
    look.size = static_cast<std::uint64_t>(status.st_size);
    look.first.resize(sqlite::k_header_size);
    look.first.resize(read_at(fd.get(), look.first, 0, path));
    if (look.size >= sqlite::k_libsql_footer_size) {
      look.last.resize(sqlite::k_libsql_footer_size);
      look.last.resize(read_at(fd.get(), look.last, look.size - look.last.size(), path));
    }
    return look;
  } catch (const Error& error) {
    throw SourceError(error.kind(), error.message(), error.hint());
  }
}

bool has_rollback_journal(const fs::path& database) {
  const fs::path journal = beside(database, "-journal");
  return file_exists(journal) && is_sqlite_log(look_at(journal).first);
}

// File systems whose locks are not seen by every process that may write there. Numbers: statfs(2), linux/magic.h.
const char* remote_file_system(const fs::path& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) fail("examine the file system of", path, errno_text(errno));
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case 0x00006969:
      return "NFS";
    case 0x0000517b:
    case 0xfe534d42:
    case 0xff534d42:
      return "SMB";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9P";
    case 0x00c36400:
      return "Ceph";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x786f4256:
      return "a VirtualBox shared folder";
    case 0xbacbacbc:
      return "a VMware shared folder";
    default:
      return nullptr;
  }
}

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw SourceError(ErrorKind::usage, fmt::format("unable to capture database {}: {}", quote(path.native()), why),
                    "stop its writers and pass --assume-local if you know that no other machine or program writes it");
}

void check_supported(const fs::path& path, const Look& look, const sqlite::Header& header) {
  if (const char* name = remote_file_system(path)) {
    refuse(path, fmt::format("it lies on {}, where the locks of other writers cannot be seen", name));
  }
  if (header.read_version > 2 || header.write_version > 2 || file_exists(beside(path, "-wal2"))) {
    refuse(path, "it is in a journal mode that SQLite does not have (wal2)");
  }
  if (sqlite::has_libsql_footer(look.last)) refuse(path, "it is kept by libSQL, whose log SQLite cannot read");
}

class SqliteContent : public Content {
 public:
  explicit SqliteContent(std::unique_ptr<sqlite::PageImage> image)
      : m_image(std::move(image)), m_size(m_image->page_count() * m_image->page_size()) {
    if (m_size == 0) m_still = m_image->release();
  }

  ChunkRule rule() const override {
    return {.kind = ChunkRule::Kind::fixed, .size = std::max<std::uint32_t>(m_image->page_size(), 4096)};
  }
  std::uint64_t expected_size() const override { return m_size; }
  Piece read(ByteSpan out) override;
  Outcome finish() override { return m_still ? Outcome::consistent : Outcome::changed; }
  std::string facts() const override;

 private:
  void read_pages(std::uint64_t first, ByteSpan out);

  std::unique_ptr<sqlite::PageImage> m_image;
  std::uint64_t m_size;
  std::uint64_t m_position = 0;
  bool m_still = false;
  Bytes m_page;  // the page that a read ended within, for callers whose buffer is no multiple of the page size
  std::optional<sqlite::Header> m_header;
};

Content::Piece SqliteContent::read(ByteSpan out) {
  const std::uint32_t page_size = m_image->page_size();
  std::size_t done = 0;
  while (done < out.size() && m_position < m_size) {
    check_interrupted();
    const std::size_t room = out.size() - done;
    const std::uint64_t page = m_position / page_size;
    const std::size_t within = static_cast<std::size_t>(m_position % page_size);
    std::size_t now = 0;
    if (within == 0 && room >= page_size) {
      now = static_cast<std::size_t>(std::min<std::uint64_t>(room / page_size * page_size, m_size - m_position));
      read_pages(page, out.subspan(done, now));
    } else {
      if (within == 0) {
        m_page.resize(page_size);
        read_pages(page, m_page);
      }
      now = std::min(room, page_size - within);
      std::copy_n(m_page.begin() + static_cast<std::ptrdiff_t>(within), now,
                  out.begin() + static_cast<std::ptrdiff_t>(done));
    }
    done += now;
    m_position += now;
  }
  if (done == 0) return {.kind = Piece::Kind::end};
  // Not in the destructor: a checkpoint of the application may be waiting for us.
  if (m_position == m_size) m_still = m_image->release();
  return {.kind = Piece::Kind::data, .length = done};
}

void SqliteContent::read_pages(std::uint64_t first, ByteSpan out) {
  m_image->read(first, out);
  if (first == 0) m_header = sqlite::parse_header(out);
}

std::string SqliteContent::facts() const {
  const sqlite::PageImage::Report& report = m_image->report();
  const auto milliseconds = [](Nanoseconds time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  JsonWriter json;
  json.begin_object().member("mode", report.mode);
  json.member("wal_pinned_ms", milliseconds(report.wal_pinned));
  json.member("commits_blocked_ms", milliseconds(report.commits_blocked));
  json.member("page_size", m_image->page_size()).member("page_count", m_image->page_count());
  if (m_header) {
    json.member("user_version", std::int64_t{m_header->user_version});
    json.member("application_id", std::int64_t{m_header->application_id});
    json.member("schema_version", m_header->schema_version);
    json.member("encoding", m_header->encoding_name());
    json.member("freelist_count", m_header->freelist_count);
    json.member("sqlite_version", m_header->sqlite_version_text());
  }
  if (!report.schema_digest.empty()) json.member("schema_sha256", report.schema_digest);
  json.end_object();
  const std::string text = std::move(json).text();
  return text.substr(1, text.size() - 2);
}

// A database of no pages.
class EmptyImage : public sqlite::PageImage {
 public:
  EmptyImage() {
    m_report.mode = "staged";
    m_report.cut_point = std::chrono::system_clock::now();
  }
  std::uint32_t page_size() const override { return 4096; }
  std::uint64_t page_count() const override { return 0; }
  void read(std::uint64_t, ByteSpan) override {}
  bool release() override { return true; }
  const Report& report() const override { return m_report; }

 private:
  Report m_report;
};

// Whether what SQLite makes beside the database ends up as its owner's. As root SQLite gives it to the owner, and says
// nothing where it may not: without CAP_CHOWN (a container, a hardened service) the application would find a -shm and a
// -wal that it cannot write. So it is tried, on a file without a name; where the file system has none, the answer is
// no.
bool may_make_files(const fs::path& directory, const struct stat& database) {
  if (::geteuid() == database.st_uid) return ::access(directory.c_str(), W_OK) == 0;
  if (::geteuid() != 0) return false;
  const UniqueFd nameless{::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  return nameless && ::fchown(nameless.get(), database.st_uid, database.st_gid) == 0;
}

bool may_open_in_place(const fs::path& path, const struct stat& status, const sqlite::Header& header) {
  if (header.read_version != 2) return true;
  const fs::path index = beside(path, "-shm");
  // A resting database gets -shm and -wal, and they must be its owner's; where the directory takes no files SQLite
  // would fail. With -shm there it is probably live, and must be read live.
  if (!file_exists(index)) return may_make_files(path.parent_path(), status);
  // The log of a writer that was killed before it wrote the first frame: SQLite (3.40) finds no salt in it, and where
  // it may not write -shm it tries for ten seconds and says "locking protocol".
  return size_if_exists(beside(path, "-wal")) != sqlite::k_wal_header_size || ::access(index.c_str(), W_OK) == 0;
}

fs::path staging_parent(const SqliteOptions& options) {
  return options.staging_parent ? *options.staging_parent : temporary_directory();
}

std::unique_ptr<sqlite::PageImage> open_image(const fs::path& path, const SqliteOptions& options) {
  const sqlite::Deadline deadline = Clock::now() + options.busy_timeout;
  const struct stat status = status_of(path);
  if (!S_ISREG(status.st_mode)) fail("open database", path, "not a regular file");
  const auto slot = std::make_shared<sqlite::CaptureSlot>(sqlite::FileId{status.st_dev, status.st_ino}, path, deadline);
  // An application may come and go meanwhile: each time round the way to read it is chosen anew, and every connection
  // of the time before is closed.
  while (true) {
    const Look look = look_at(path);
    // SQLite would delete a -wal beside a file of no bytes.
    if (look.size == 0) return std::make_unique<EmptyImage>();
    const auto header = sqlite::parse_header(look.first);
    // Without one it may be the first transaction of a new database, interrupted before page 1 was written: its journal
    // undoes it.
    if (!header && !has_rollback_journal(path)) {
      fail("open database", path, "not a SQLite database",
           file_exists(beside(path, "-wal"))
               ? "it may be encrypted: take it through its own program, as a command source"
               : "");
    }
    if (header && !options.assume_local) check_supported(path, look, *header);
    if (header && may_open_in_place(path, status, *header)) {
      try {
        auto connection =
            std::make_unique<sqlite::Connection>(path, sqlite::Connection::Mode::read_only, options.busy_timeout);
        auto image = sqlite::open_wal_image(connection, slot, deadline);
        slot->add_companions(path);
        if (image) return image;
        return sqlite::copy_by_backup(std::move(connection), staging_parent(options));
      } catch (const sqlite::SqliteError& error) {
        if (!error.needs_staging()) throw;
      }
    }
    if (auto image = sqlite::copy_resting_files(path, staging_parent(options), deadline)) return image;
    check_interrupted();
  }
}

}  // namespace

bool is_sqlite_database_file(const fs::path& file) {
  const struct stat status = status_of(file);
  if (!S_ISREG(status.st_mode)) return false;
  if (sqlite::is_under_capture(status.st_dev, status.st_ino)) return true;
  const sqlite::CaptureSlot slot{{status.st_dev, status.st_ino}, file, Clock::now() + k_look_timeout};
  const Look look = look_at(file);
  return is_sqlite_database(look.first, look.size);
}

SqliteOpener::SqliteOpener(fs::path database, SqliteOptions options)
    : m_database(std::move(database)), m_options(std::move(options)), m_cut_point(std::chrono::system_clock::now()) {}

std::unique_ptr<Content> SqliteOpener::open(Entry& entry) {
  const fs::path path = real_path(m_database);
  const struct stat status = status_of(path);
  auto image = open_image(path, m_options);
  {
    const std::lock_guard lock{m_mutex};
    m_cut_point = image->report().cut_point;
  }
  apply_status(entry, status, m_names);
  // By the directory, not through a descriptor of the database.
  const UniqueFd parent = open_file(path.parent_path(), O_PATH | O_DIRECTORY);
  entry.xattrs = read_xattrs_at(parent.get(), path.filename().native(), path.native());
  entry.size = image->page_count() * image->page_size();
  return std::make_unique<SqliteContent>(std::move(image));
}

bool SqliteOpener::always_read() const {
  return file_exists(beside(m_database, "-wal")) || file_exists(beside(m_database, "-journal"));
}

Time SqliteOpener::cut_point() const {
  const std::lock_guard lock{m_mutex};
  return m_cut_point;
}

SqliteSource::SqliteSource(const fs::path& database, SqliteOptions options)
    : m_path(real_path(database)),
      m_name(database.filename().native()),
      m_opener(std::make_shared<SqliteOpener>(m_path, std::move(options))) {
  if (!S_ISREG(status_of(m_path).st_mode)) fail("open database", m_path, "not a regular file");
}

std::uint64_t SqliteSource::estimate() {
  return size_if_exists(m_path) + size_if_exists(beside(m_path, "-wal"));
}

std::optional<SourceItem> SqliteSource::next() {
  if (m_done) return std::nullopt;
  m_done = true;
  SourceItem item;
  item.entry.path = m_name;
  item.entry.size = size_if_exists(m_path);
  item.content = m_opener;
  return item;
}

}  // namespace cairn
