#include "capture/directory_walk.hpp"

#include "repo/entry.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr const char* k_cache_tag = "CACHEDIR.TAG";
constexpr std::string_view k_cache_signature = "Signature: 8a477f597d28d172789f06886806bc55";

// O_NOATIME is the owner's and root's alone; reading goes on without it.
UniqueFd open_quietly(int directory, const char* name, int flags) noexcept {
  flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = retry_interrupted([&] { return ::openat(directory, name, flags | O_NOATIME); });
  if (fd < 0 && errno == EPERM) fd = retry_interrupted([&] { return ::openat(directory, name, flags); });
  return UniqueFd{fd};
}

bool is_cache_tag(int directory) noexcept {
  struct stat status {};
  // The specification wants a regular file, not a link to one.
  if (::fstatat(directory, k_cache_tag, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return false;
  const UniqueFd fd = open_quietly(directory, k_cache_tag, 0);
  if (!fd) return false;
  std::array<char, k_cache_signature.size()> text;
  const ssize_t n = retry_interrupted([&] { return ::pread(fd.get(), text.data(), text.size(), 0); });
  return n >= 0 && std::string_view(text.data(), static_cast<std::size_t>(n)) == k_cache_signature;
}

}  // namespace

std::string path_below(const std::string& location, const std::string& entry_path) {
  if (entry_path == ".") return location;
  return location.ends_with('/') ? location + entry_path : location + "/" + entry_path;
}

DirectoryWalk::DirectoryWalk(int root, std::string location, const WalkOptions& options, Problem problem)
    : m_root(root), m_location(std::move(location)), m_options(options), m_problem(std::move(problem)) {}

std::optional<DirectoryWalk::WalkedName> DirectoryWalk::next() {
  m_lent.reset();
  if (!m_started) {
    m_started = true;
    struct stat status {};
    if (::fstat(m_root, &status) != 0) throw_errno("stat", m_location, errno);
    m_root_device = status.st_dev;
    Level level;
    level.fd = UniqueFd{::fcntl(m_root, F_DUPFD_CLOEXEC, 0)};
    if (!level.fd) throw_errno("open", m_location, errno);
    level.path = ".";
    level.status = status;
    level.included = m_options.include.empty();
    read_names(level);
    m_levels.push_back(std::move(level));
    return WalkedName{.path = ".", .name = ".", .directory = -1, .self = m_levels.front().fd.get(), .status = status};
  }
  if (m_held) return release();
  while (!m_levels.empty()) {
    Level& level = m_levels.back();
    if (level.next == level.names.size()) {
      leave();
      continue;
    }
    check_interrupted();
    const std::string name = level.names[level.next++];
    m_held = examine(name);
    if (m_held) return release();
  }
  return std::nullopt;
}

bool DirectoryWalk::has_sibling(const std::string& name) const {
  const auto& names = m_levels.back().names;
  return std::binary_search(names.begin(), names.end(), name);
}

// Hands out the directories above the held entry that were only walked through so far, then the entry.
std::optional<DirectoryWalk::WalkedName> DirectoryWalk::release() {
  for (Level& level : m_levels) {
    if (level.reported) continue;
    level.reported = true;
    if (level.path == m_held->path) continue;
    int fd = level.fd.get();
    if (fd < 0) {
      m_lent = reopen(level);
      fd = m_lent.get();
    }
    if (fd < 0) {
      m_problem(level.path, fmt::format("unable to read directory {}: it was replaced meanwhile",
                                        quote(path_below(m_location, level.path))));
      continue;
    }
    const std::size_t slash = level.path.rfind('/');
    return WalkedName{.path = level.path,
                      .name = level.path.substr(slash == std::string::npos ? 0 : slash + 1),
                      .directory = -1,
                      .self = fd,
                      .status = level.status};
  }
  auto found = std::move(m_held);
  m_held.reset();
  return found;
}

bool DirectoryWalk::is_excluded(const std::string& path, PatternList::Kind kind) const {
  return m_options.exclude.matches(path, kind);
}

bool DirectoryWalk::is_omitted(const struct stat& status) const {
  const FileId id = id_of(status);
  return std::find(m_options.omit.begin(), m_options.omit.end(), id) != m_options.omit.end();
}

std::optional<DirectoryWalk::WalkedName> DirectoryWalk::examine(const std::string& name) {
  const std::string& parent = m_levels.back().path;
  const std::string path = parent == "." ? name : parent + "/" + name;
  // A name that is replaced between the two looks at it gets a second and a third look, then it is a problem.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int directory = m_levels.back().fd.get();
    struct stat status {};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
      const int error = errno;
      const bool excluded =
          is_excluded(path, PatternList::Kind::directory) || is_excluded(path, PatternList::Kind::other);
      if (error != ENOENT && !excluded) report(path, "stat", error);
      return std::nullopt;
    }
    const bool is_directory = S_ISDIR(status.st_mode);
    const auto kind = is_directory ? PatternList::Kind::directory : PatternList::Kind::other;
    if (is_excluded(path, kind) || (is_directory && is_omitted(status))) return std::nullopt;
    const auto match = m_options.include.match(path, kind);
    const bool included =
        match == PatternList::Match::positive || (match == PatternList::Match::none && m_levels.back().included);
    if (!is_directory && !included) return std::nullopt;
    if (!is_valid_entry_path(path)) {
      m_problem(path, fmt::format("unable to store {}: the path is too long", quote(path_below(m_location, path))));
      return std::nullopt;
    }
    WalkedName found{.path = path, .name = name, .directory = directory, .self = -1, .status = status};
    if (!is_directory) return found;
    const bool foreign = m_options.one_file_system == WalkOptions::OneFileSystem::yes && status.st_dev != m_root_device;
    const Entered entered = foreign ? Entered::failed : enter(path, name, included);
    if (entered == Entered::vanished) return std::nullopt;
    if (entered == Entered::replaced) continue;
    if (entered == Entered::yes) {
      Level& level = m_levels.back();
      found.self = level.fd.get();
      found.directory = -1;
      found.status = level.status;
      level.reported = included;
    }
    if (included) return found;
    return std::nullopt;
  }
  m_problem(path,
            fmt::format("unable to read {}: it is being replaced all the time", quote(path_below(m_location, path))));
  return std::nullopt;
}

DirectoryWalk::Entered DirectoryWalk::enter(const std::string& path, const std::string& name, bool included) {
  Level level;
  level.fd = open_quietly(m_levels.back().fd.get(), name.c_str(), O_DIRECTORY);
  if (!level.fd) {
    if (errno == ENOENT) return Entered::vanished;
    if (errno == ENOTDIR || errno == ELOOP) return Entered::replaced;
    report(path, "open directory", errno);
    return Entered::failed;
  }
  if (::fstat(level.fd.get(), &level.status) != 0) {
    report(path, "stat", errno);
    return Entered::failed;
  }
  // An automount, or what took the name's place since it was looked at.
  if (is_omitted(level.status)) return Entered::replaced;
  level.path = path;
  level.included = included;
  read_names(level);
  m_levels.push_back(std::move(level));
  if (m_levels.size() > k_open_levels) m_levels[m_levels.size() - k_open_levels - 1].fd.reset();
  return Entered::yes;
}

void DirectoryWalk::read_names(Level& level) {
  if (const int error = read_directory(level.fd.get(), level.names)) report(level.path, "read directory", error);
  if (m_options.exclude_caches == WalkOptions::ExcludeCaches::yes &&
      std::binary_search(level.names.begin(), level.names.end(), k_cache_tag) && is_cache_tag(level.fd.get())) {
    level.names.assign(1, k_cache_tag);
  }
}

void DirectoryWalk::leave() {
  const UniqueFd below = std::move(m_levels.back().fd);
  m_levels.pop_back();
  if (m_levels.empty()) return;
  Level& level = m_levels.back();
  // The end of a chain of thousands leads back through levels that have nothing more to read, or only a step up.
  if (level.fd || level.next == level.names.size()) return;
  if (below) level.fd = same_directory(open_quietly(below.get(), "..", O_DIRECTORY), level);
  if (!level.fd) level.fd = reopen(level);
  if (level.fd) return;
  m_problem(level.path, fmt::format("unable to read the rest of directory {}: it was moved or replaced meanwhile",
                                    quote(path_below(m_location, level.path))));
  level.next = level.names.size();
}

UniqueFd DirectoryWalk::reopen(const Level& level) const {
  const UniqueFd place = open_beneath(m_root, level.path, O_PATH | O_DIRECTORY);
  if (!place) return {};
  return same_directory(open_quietly(place.get(), ".", O_DIRECTORY), level);
}

// Empty where it is another one.
UniqueFd DirectoryWalk::same_directory(UniqueFd fd, const Level& level) {
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return {};
  if (status.st_dev != level.status.st_dev || status.st_ino != level.status.st_ino) return {};
  return fd;
}

void DirectoryWalk::report(const std::string& path, std::string_view verb, int error_number) const {
  m_problem(path,
            fmt::format("unable to {} {}: {}", verb, quote(path_below(m_location, path)), errno_text(error_number)));
}

}  // namespace cairn
