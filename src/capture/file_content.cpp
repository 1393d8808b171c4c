#include "capture/file_content.hpp"

#include "capture/directory_walk.hpp"
#include "capture/file_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/database.hpp"
#include "capture/sqlite/format.hpp"
#include "capture/unsized_content.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_name_max = 255;

bool same_time(const struct timespec& a, const struct timespec& b) noexcept {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// Whether SQLite could not capture this database at any other time either: its bytes are at fault, or its name, which
// leaves no room for that of a log.
bool is_hopeless(const SourceError& error, std::string_view name) noexcept {
  if (error.kind() != ErrorKind::failed) return false;
  const auto* const told = dynamic_cast<const DatabaseError*>(&error);
  return (told != nullptr && told->is_of_content()) ||
         name.size() + std::string_view{sqlite::k_log}.size() > k_name_max;
}

}  // namespace

FileContent::FileContent(UniqueFd fd, std::string shown, const struct stat& opened, ChunkRule rule, std::string problem)
    : m_problem(std::move(problem)),
      m_fd(std::move(fd)),
      m_shown(std::move(shown)),
      m_opened(opened),
      m_rule(rule),
      m_size(static_cast<std::uint64_t>(opened.st_size)),
      // Fewer blocks than bytes: only then is it worth asking for holes. st_blocks counts 512 bytes each (stat(2)).
      m_sparse(static_cast<std::uint64_t>(opened.st_blocks) * 512 < m_size) {
  ::posix_fadvise(m_fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  if (!m_sparse) m_hole_begin = m_hole_end = m_size;
}

// Finds the next hole at or after m_position that is worth naming; small ones are read as the zeros they are.
void FileContent::find_hole() {
  std::uint64_t from = m_position;
  for (;;) {
    const off_t hole = ::lseek(m_fd.get(), static_cast<off_t>(from), SEEK_HOLE);
    // ENXIO: from is at or past the end, the file was shortened meanwhile. Anything else: no holes to be had here.
    if (hole < 0 || static_cast<std::uint64_t>(hole) >= m_size) break;
    const off_t data = ::lseek(m_fd.get(), hole, SEEK_DATA);
    if (data < 0 && errno != ENXIO) break;
    const auto begin = (static_cast<std::uint64_t>(hole) + k_hole_unit - 1) / k_hole_unit * k_hole_unit;
    const bool to_end = data < 0 || static_cast<std::uint64_t>(data) >= m_size;
    const auto end = to_end ? m_size : static_cast<std::uint64_t>(data) / k_hole_unit * k_hole_unit;
    if (begin < end) {
      m_hole_begin = begin;
      m_hole_end = end;
      return;
    }
    if (to_end) break;
    from = static_cast<std::uint64_t>(data);
  }
  m_hole_begin = m_hole_end = m_size;
}

Content::Piece FileContent::read(ByteSpan out) {
  if (m_position >= m_size) return {};
  if (m_sparse && m_position >= m_hole_end) find_hole();
  if (m_position == m_hole_begin) {
    const std::uint64_t length = m_hole_end - m_position;
    m_position = m_hole_end;
    return {Piece::Kind::hole, length};
  }
  const std::uint64_t length = std::min<std::uint64_t>(out.size(), m_hole_begin - m_position);
  const std::size_t n = read_for_capture(m_fd.get(), out.first(static_cast<std::size_t>(length)), m_position, m_shown);
  if (n == 0) {
    m_position = m_size;  // shortened meanwhile: finish() reports it
    return {};
  }
  m_position += n;
  return {Piece::Kind::data, n};
}

Content::Outcome FileContent::finish() {
  struct stat now {};
  if (::fstat(m_fd.get(), &now) != 0) throw_source_errno("stat", m_shown, errno);
  const bool same = now.st_size == m_opened.st_size && same_time(now.st_mtim, m_opened.st_mtim) &&
                    same_time(now.st_ctim, m_opened.st_ctim);
  return same ? Outcome::consistent : Outcome::changed;
}

std::unique_ptr<Content> FileOpener::open_database(Entry& entry, const std::string& shown, const struct stat& seen) {
  const std::size_t slash = m_path.rfind('/');
  const bool in_root = slash == std::string::npos;
  UniqueFd directory =
      open_beneath(m_tree->root.get(), in_root ? "." : std::string_view{m_path}.substr(0, slash), O_PATH | O_DIRECTORY);
  if (!directory) fail_open(shown, errno);
  SqliteOpener opener{m_tree->databases, std::move(directory), in_root ? m_path : m_path.substr(slash + 1), shown};
  if (m_was_busy) opener.last_round();
  try {
    auto content = opener.open(entry);
    if (entry.inode == seen.st_ino) return content;
  } catch (const SourceError& error) {
    m_was_busy = error.kind() == ErrorKind::busy;
    throw;
  }
  throw ReplacedError(ErrorKind::failed, fmt::format("unable to read {}: it was replaced meanwhile", quote(shown)));
}

// Whether nothing lies beside it that SQLite would read with it. Of a log without a byte that cannot be said: opening a
// resting database makes one.
bool FileOpener::is_alone() const {
  for (const char* suffix : sqlite::k_logs) {
    const UniqueFd beside = open_beneath(m_tree->root.get(), m_path + suffix, O_PATH);
    // A name that is too long is no file's.
    if (!beside && (errno == ENOENT || errno == ENAMETOOLONG)) continue;
    struct stat status {};
    if (!beside || ::fstat(beside.get(), &status) != 0 || status.st_size != 0) return false;
  }
  return true;
}

void FileOpener::fail_open(const std::string& shown, int error_number) const {
  const UniqueFd place = open_beneath(m_tree->root.get(), m_path, O_PATH);
  struct stat status {};
  if (place && ::fstat(place.get(), &status) == 0 && id_of(status) != m_id) {
    throw ReplacedError(ErrorKind::failed,
                        fmt::format("unable to open {}: {}", quote(shown), errno_text(error_number)));
  }
  throw_source_errno("open", shown, error_number);
}

// The file that is there now is the truth: the entry follows it.
UniqueFd FileOpener::open_plain(Entry& entry, const std::string& shown, struct stat& status) const {
  UniqueFd fd = open_for_capture(m_tree->root.get(), m_path);
  if (!fd) fail_open(shown, errno);
  if (::fstat(fd.get(), &status) != 0) throw_source_errno("stat", shown, errno);
  if (!S_ISREG(status.st_mode)) {
    throw ReplacedError(ErrorKind::failed,
                        fmt::format("unable to read {}: it is no regular file any more", quote(shown)));
  }
  const Time seen_ctime = entry.ctime;
  const std::uint64_t seen_inode = entry.inode;
  apply_status(entry, status, m_tree->names);
  // A change of the xattrs is a change of ctime.
  if (m_xattrs == Xattrs::unread || entry.ctime != seen_ctime || entry.inode != seen_inode) {
    entry.xattrs = read_xattrs(fd.get(), shown);
  }
  return fd;
}

std::unique_ptr<Content> FileOpener::open(Entry& entry) {
  std::string shown = path_below(m_tree->location, m_path);
  struct stat status {};
  UniqueFd fd = open_plain(entry, shown, status);
  const std::size_t slash = m_path.rfind('/');
  const auto name = std::string_view{m_path}.substr(slash == std::string::npos ? 0 : slash + 1);
  if (status.st_size == 0) {
    if (auto content = open_unsized(fd, shown, name)) return content;
  }
  std::array<std::uint8_t, k_file_head_size> buffer;
  const ByteView head{buffer.data(), read_for_capture(fd.get(), buffer, 0, shown)};
  if (!is_sqlite_database(head, entry.size)) {
    const ChunkRule rule = chunk_rule_for(name, head, entry.size);
    return std::make_unique<FileContent>(std::move(fd), std::move(shown), status, rule);
  }
  const std::uint32_t page_size = sqlite::parse_header(head)->page_size;
  fd.reset();
  try {
    return open_database(entry, shown, status);
  } catch (const SourceError& e) {
    if (!is_hopeless(e, name) || !is_alone()) throw;
    fd = open_plain(entry, shown, status);
    return std::make_unique<FileContent>(std::move(fd), std::move(shown), status,
                                         ChunkRule{ChunkRule::Kind::fixed, std::max(page_size, 4096U)},
                                         fmt::format("{}; its bytes are stored as they are", e.message()));
  }
}

}  // namespace cairn
