#include "capture/sqlite/database.hpp"

#include "capture/file_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/format.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_hole_unit = 65536;

[[noreturn]] void fail(std::string_view verb, const std::string& shown, std::string_view cause) {
  throw SourceError(ErrorKind::failed, fmt::format("unable to {} {}: {}", verb, quote(shown), cause));
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

  void find_hole();

  std::unique_ptr<sqlite::PageImage> m_image;
  std::uint64_t m_size;
  std::uint64_t m_position = 0;
  // The next hole; [m_position, m_hole_begin) is data. Both are m_size where no hole follows.
  std::uint64_t m_hole_begin = 0;
  std::uint64_t m_hole_end = 0;
  bool m_still = false;
  Bytes m_page;  // the page that a read ended within, for callers whose buffer is no multiple of the page size
  std::optional<sqlite::Header> m_header;
};

// Holes are named where they cover whole units, as those of all files (Content::Piece).
void SqliteContent::find_hole() {
  const std::uint64_t page_size = m_image->page_size();
  std::uint64_t from = (m_position + page_size - 1) / page_size;
  while (from < m_image->page_count()) {
    const auto hole = m_image->next_hole(from);
    const std::uint64_t begin = (hole.begin * page_size + k_hole_unit - 1) / k_hole_unit * k_hole_unit;
    const bool to_end = hole.end >= m_image->page_count();
    const std::uint64_t end = to_end ? m_size : hole.end * page_size / k_hole_unit * k_hole_unit;
    if (begin < end) {
      m_hole_begin = begin;
      m_hole_end = end;
      return;
    }
    if (to_end) break;
    from = hole.end;
  }
  m_hole_begin = m_hole_end = m_size;
}

Content::Piece SqliteContent::read(ByteSpan out) {
  const std::uint32_t page_size = m_image->page_size();
  std::size_t done = 0;
  if (m_position < m_size && m_position >= m_hole_end) find_hole();
  if (m_position < m_size && m_position == m_hole_begin) {
    const std::uint64_t length = m_hole_end - m_position;
    m_position = m_hole_end;
    if (m_position == m_size) m_still = m_image->release();
    return {.kind = Piece::Kind::hole, .length = length};
  }
  while (done < out.size() && m_position < m_hole_begin) {
    check_interrupted();
    const std::size_t room = out.size() - done;
    const std::uint64_t page = m_position / page_size;
    const std::size_t within = static_cast<std::size_t>(m_position % page_size);
    std::size_t now = 0;
    if (within == 0 && room >= page_size) {
      now = static_cast<std::size_t>(std::min<std::uint64_t>(room / page_size * page_size, m_hole_begin - m_position));
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

}  // namespace

std::unique_ptr<Content> make_database_content(std::unique_ptr<sqlite::PageImage> image) {
  return std::make_unique<SqliteContent>(std::move(image));
}

bool is_sqlite_database_file(const fs::path& file) {
  const SourcePath place = find_source(file);
  if (!S_ISREG(place.status.st_mode)) return false;
  const UniqueFd fd = open_for_capture(place.directory.get(), place.name);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) fail("open", file.native(), errno_text(errno));
  if (!S_ISREG(status.st_mode)) return false;
  Bytes head(sqlite::k_header_size);
  const ssize_t n = retry_interrupted([&] { return ::pread(fd.get(), head.data(), head.size(), 0); });
  if (n < 0) fail("read", file.native(), errno_text(errno));
  head.resize(static_cast<std::size_t>(n));
  return is_sqlite_database(head, static_cast<std::uint64_t>(status.st_size));
}

SqliteOpener::SqliteOpener(std::shared_ptr<sqlite::Readers> readers, UniqueFd directory, std::string name,
                           std::string shown)
    : m_readers(std::move(readers)),
      m_directory(std::move(directory)),
      m_name(std::move(name)),
      m_shown(std::move(shown)),
      m_cut_point(std::chrono::system_clock::now()) {}

SqliteOpener::SqliteOpener(std::shared_ptr<sqlite::Readers> readers, SourcePath place)
    : SqliteOpener(std::move(readers), std::move(place.directory), std::move(place.name), place.real.native()) {}

SqliteOpener::SqliteOpener(const fs::path& database, const SqliteOptions& options)
    : SqliteOpener(std::make_shared<sqlite::Readers>(options), find_source(database)) {}

std::unique_ptr<Content> SqliteOpener::open(Entry& entry) {
  struct stat status {};
  if (::fstatat(m_directory.get(), m_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    fail("open", m_shown, errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) fail("open database", m_shown, "not a regular file");
  auto image = m_readers->open({m_directory.get(), m_name, id_of(status), m_shown}, m_round);
  {
    const std::lock_guard lock{m_mutex};
    m_cut_point = image->report().cut_point;
  }
  apply_status(entry, status, m_names);
  entry.xattrs = read_xattrs_at(m_directory.get(), m_name, m_shown);
  entry.size = image->page_count() * image->page_size();
  return make_database_content(std::move(image));
}

std::uint64_t SqliteOpener::size_of(const char* suffix) const noexcept {
  const auto status = sqlite::status_beside(m_directory.get(), m_name, suffix);
  return status ? static_cast<std::uint64_t>(status->st_size) : 0;
}

bool SqliteOpener::always_read() const {
  return std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(), [&](const char* suffix) {
    return sqlite::status_beside(m_directory.get(), m_name, suffix).has_value();
  });
}

Time SqliteOpener::cut_point() const {
  const std::lock_guard lock{m_mutex};
  return m_cut_point;
}

std::uint64_t SqliteOpener::estimate() const {
  return size_of("") + size_of(sqlite::k_log);
}

SqliteSource::SqliteSource(const fs::path& database, const SqliteOptions& options)
    : m_name(database.filename().native()) {
  SourcePath place = find_source(database);
  if (!S_ISREG(place.status.st_mode)) fail("open database", database.native(), "not a regular file");
  m_path = place.real;
  m_opener = std::make_shared<SqliteOpener>(std::make_shared<sqlite::Readers>(options), std::move(place.directory),
                                            std::move(place.name), m_path.native());
  // There is nothing else to be captured meanwhile.
  m_opener->last_round();
}

std::optional<SourceItem> SqliteSource::next() {
  if (m_done) return std::nullopt;
  m_done = true;
  SourceItem item;
  item.entry.path = m_name;
  item.entry.size = m_opener->estimate();
  item.content = m_opener;
  return item;
}

}  // namespace cairn
