#include "capture/directory_source.hpp"

#include "capture/file_kind.hpp"
#include "capture/source_path.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/unsized_content.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

// The first bytes of a regular file; empty where it cannot be read (opening it later says why).
Bytes read_head(int directory, const std::string& name) {
  const UniqueFd fd = open_for_capture(directory, name);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  Bytes head(k_file_head_size);
  const ssize_t n = retry_interrupted([&] { return ::pread(fd.get(), head.data(), head.size(), 0); });
  head.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return head;
}

bool is_regular(int directory, const std::string& name) noexcept {
  struct stat status {};
  return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

// Whether name is a SQLite database. An empty file is one of no pages if what lies beside it is SQLite's.
bool is_database(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_size == 0) {
    return std::any_of(sqlite::k_companions.begin(), sqlite::k_companions.end(),
                       [&](const char* suffix) { return is_sqlite_log(read_head(directory, name + suffix)); });
  }
  return is_sqlite_database(read_head(directory, name), static_cast<std::uint64_t>(status.st_size));
}

// A journal of SQLite's with something in it: that of an encrypted database has the same beginning.
bool is_hot_journal(int directory, const std::string& name) {
  return is_regular(directory, name) && is_sqlite_log(read_head(directory, name));
}

std::uint64_t allocated_size(const struct stat& status) noexcept {
  return std::min(static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_blocks) * 512);
}

}  // namespace

DirectorySource::DirectorySource(const DirectoryOptions& options)
    : m_tree(std::make_shared<SourceTree>()), m_reread(options.reread), m_cut_point(std::chrono::system_clock::now()) {
  SourcePath place = find_source(options.path);
  m_location = place.real.native();
  m_tree->databases = std::make_shared<sqlite::Readers>(options.sqlite);
  m_walk_options = {.exclude = PatternList{options.exclude},
                    .include = PatternList{options.include},
                    .one_file_system = options.one_file_system,
                    .exclude_caches = options.exclude_caches,
                    .omit = options.omit};
  if (S_ISBLK(place.status.st_mode) || S_ISCHR(place.status.st_mode)) {
    throw SourceError(ErrorKind::failed, fmt::format("unable to capture {}: it is a device", quote(m_location)),
                      "capture its content through a command source");
  }
  const bool single = !S_ISDIR(place.status.st_mode);
  m_tree->location = (single ? place.real.parent_path() : place.real).native();
  // The directory of a single file need not be readable.
  m_tree->root = single ? std::move(place.directory)
                        : UniqueFd{::openat(place.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!m_tree->root) {
    throw SourceError(ErrorKind::failed,
                      fmt::format("unable to open directory {}: {}", quote(options.path.native()), errno_text(errno)));
  }
  if (single) {
    m_single = std::move(place.name);
  } else {
    m_walk.emplace(m_tree->root.get(), m_tree->location, m_walk_options,
                   [this](const std::string& path, const std::string& message) { report(path, message); });
  }
}

std::uint64_t DirectorySource::estimate() {
  struct stat status {};
  if (shape() == SourceShape::file) {
    const bool known = m_single && ::fstatat(m_tree->root.get(), m_single->c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    return known ? allocated_size(status) : 0;
  }
  std::uint64_t sum = 0;
  std::set<FileKey> seen;
  DirectoryWalk walk{m_tree->root.get(), m_tree->location, m_walk_options,
                     [](const std::string&, const std::string&) { /* the capture itself will report it */ }};
  while (const auto found = walk.next()) {
    if (!S_ISREG(found->status.st_mode)) continue;
    if (found->status.st_nlink > 1 && !seen.insert({found->status.st_dev, found->status.st_ino}).second) continue;
    sum += allocated_size(found->status);
  }
  return sum;
}

std::optional<SourceItem> DirectorySource::next() {
  if (!m_walk) return next_single();
  while (const auto found = m_walk->next()) {
    bool has_wal = false;
    if (S_ISREG(found->status.st_mode)) {
      if (belongs_to_database(*found)) continue;
      has_wal = note_database(*found);
    }
    if (auto item = make_item(*found, has_wal)) return item;
  }
  return std::nullopt;
}

std::optional<SourceItem> DirectorySource::next_single() {
  if (!m_single) return std::nullopt;
  const std::string name = std::move(*m_single);
  m_single.reset();
  const int root = m_tree->root.get();
  DirectoryWalk::WalkedName found{.path = name, .name = name, .directory = root, .self = -1, .status = {}};
  if (::fstatat(root, name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) {
    throw SourceError(ErrorKind::failed, fmt::format("unable to stat {}: {}", quote(m_location), errno_text(errno)));
  }
  const bool is_file = S_ISREG(found.status.st_mode);
  const bool has_wal = is_file && is_regular(root, name + sqlite::k_log);
  const char* const log = has_wal                                                     ? sqlite::k_log
                          : is_file && is_hot_journal(root, name + sqlite::k_journal) ? sqlite::k_journal
                                                                                      : nullptr;
  if (log != nullptr && !is_database(root, name)) {
    report(name,
           fmt::format("{} has a {} beside it but is no SQLite database: stored without it", quote(m_location), log));
  }
  return make_item(found, has_wal);
}

// Looks at a regular file that has one of SQLite's companions. Returns whether a -wal lies beside it.
bool DirectorySource::note_database(const DirectoryWalk::WalkedName& found) {
  const bool accompanied = std::any_of(sqlite::k_companions.begin(), sqlite::k_companions.end(),
                                       [&](const char* suffix) { return m_walk->has_sibling(found.name + suffix); });
  if (!accompanied) return false;
  const bool has_wal = m_walk->has_sibling(found.name + sqlite::k_log);
  const bool database = is_database(found.directory, found.name);
  m_accompanied.emplace(found.path, database);
  const char* const log = has_wal                                                           ? sqlite::k_log
                          : is_hot_journal(found.directory, found.name + sqlite::k_journal) ? sqlite::k_journal
                                                                                            : nullptr;
  if (log != nullptr && !database) {
    report(found.path, fmt::format("{} has a {} beside it but is no SQLite database: both are stored as they are, "
                                   "and may not be one state",
                                   quote(path_below(m_location, found.path)), log));
  }
  return has_wal;
}

bool DirectorySource::belongs_to_database(const DirectoryWalk::WalkedName& found) const {
  for (const std::string_view suffix : sqlite::k_companions) {
    if (!found.name.ends_with(suffix) || found.name.size() == suffix.size()) continue;
    const auto known = m_accompanied.find(found.path.substr(0, found.path.size() - suffix.size()));
    if (known != m_accompanied.end()) return known->second;
    // A name that was not looked at although it is there: excluded by a pattern, so nobody captures it.
    const std::string base = found.name.substr(0, found.name.size() - suffix.size());
    return m_walk->has_sibling(base) && is_database(found.directory, base);
  }
  return false;
}

// True, and the entry made a hard_link, where an earlier entry is the same file.
bool DirectorySource::link_to_first_name(Entry& entry, const struct stat& status) {
  if (status.st_nlink < 2) return false;
  const FileKey key{status.st_dev, status.st_ino};
  const auto [at, is_first] = m_first_names.try_emplace(key, FirstName{entry.path, status.st_nlink - 1});
  if (is_first) return false;
  entry.type = EntryType::hard_link;
  entry.link_target = at->second.path;
  entry.size = 0;
  if (--at->second.names_left == 0) m_first_names.erase(at);
  return true;
}

std::optional<SourceItem> DirectorySource::make_item(const DirectoryWalk::WalkedName& found, bool has_wal) {
  SourceItem item;
  Entry& entry = item.entry;
  entry.path = found.path;
  apply_status(entry, found.status, m_tree->names);
  const FileId id = id_of(found.status);
  const bool always = has_wal || m_reread == DirectoryOptions::Reread::yes || may_be_unsized(found.status);
  const auto opener = [&](FileOpener::Xattrs xattrs) {
    return std::make_shared<FileOpener>(m_tree, found.path, id,
                                        always ? FileOpener::AlwaysRead::yes : FileOpener::AlwaysRead::no, xattrs);
  };
  const bool is_file = entry.type == EntryType::file;
  if (entry.type != EntryType::directory && link_to_first_name(entry, found.status)) {
    if (is_file) item.as_file = opener(FileOpener::Xattrs::unread);
    return item;
  }
  const std::string shown = path_below(m_tree->location, found.path);
  // An entry that is left out must not be what later names link to.
  const auto leave_out = [&] { m_first_names.erase(FileKey{found.status.st_dev, found.status.st_ino}); };
  try {
    if (entry.type == EntryType::symlink) entry.link_target = read_link_at(found.directory, found.name, shown);
  } catch (const SourceError& e) {
    if (e.kind() != ErrorKind::not_found) report(found.path, e.message());
    leave_out();
    return std::nullopt;
  }
  try {
    entry.xattrs =
        found.self >= 0 ? read_xattrs(found.self, shown) : read_xattrs_at(found.directory, found.name, shown);
  } catch (const SourceError& e) {
    // Vanished (see DirectoryWalk), or stored without its attributes.
    if (e.kind() == ErrorKind::not_found) {
      leave_out();
      return std::nullopt;
    }
    report(found.path, e.message());
  }
  if (is_file) {
    item.content = opener(FileOpener::Xattrs::read);
    item.has_links = found.status.st_nlink > 1;
  }
  return item;
}

void DirectorySource::report(const std::string& path, const std::string& message) {
  m_problems.push_back({path, message});
}

}  // namespace cairn
