#include "capture/pinned_path.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <vector>

#include <climits>
#include <fmt/format.h>

namespace cairn {

namespace {

constexpr int k_most_links = 40;  // as Linux has it
constexpr int k_open = O_PATH | O_NOFOLLOW | O_CLOEXEC;

class PathWalk {
 public:
  explicit PathWalk(const fs::path& path) : m_shown(path) {
    if (path.empty()) fail(ENOENT);
    fs::path whole = path;
    if (path.is_relative()) {
      std::error_code error;
      whole = fs::current_path(error) / path;
      if (error) fail(error.value());
    }
    prepend(whole.native());
    go_to_root();
  }

  PinnedPath walk() {
    while (!m_ahead.empty()) {
      const std::string name = m_ahead.front();
      m_ahead.pop_front();
      step(name);
    }
    PinnedPath found;
    found.real = "/";
    for (const auto& level : m_levels) found.real /= level.name;
    found.status = status_of(m_here.get());
    check_links(found.status);
    if (m_levels.empty()) {
      found.name = ".";
      found.directory = std::move(m_here);
    } else {
      found.name = m_levels.back().name;
      found.directory = std::move(m_levels.back().parent);
    }
    return found;
  }

 private:
  struct Level {
    UniqueFd parent;
    std::string name;
  };

  [[noreturn]] void fail(int error_number) const {
    throw SourceError(ErrorKind::failed,
                      fmt::format("unable to open {}: {}", quote(m_shown.native()), errno_text(error_number)));
  }

  struct stat status_of(int fd) const {
    struct stat status {};
    if (::fstat(fd, &status) != 0) fail(errno);
    return status;
  }

  void go_to_root() {
    m_levels.clear();
    m_here = UniqueFd{::open("/", k_open | O_DIRECTORY)};
    if (!m_here) fail(errno);
  }

  void prepend(std::string_view path) {
    std::vector<std::string> names;
    const bool directory = path.ends_with('/');
    while (!path.empty()) {
      const auto slash = std::min(path.find('/'), path.size());
      if (slash != 0) names.emplace_back(path.substr(0, slash));
      path.remove_prefix(std::min(slash + 1, path.size()));
    }
    if (directory) names.emplace_back(".");  // has to be one
    m_ahead.insert(m_ahead.begin(), names.begin(), names.end());
  }

  void step(const std::string& name) {
    const struct stat here = status_of(m_here.get());
    if (!S_ISDIR(here.st_mode)) fail(ENOTDIR);
    if (name == ".") return;
    if (name == "..") {
      if (m_levels.empty()) return;
      m_here = std::move(m_levels.back().parent);
      m_levels.pop_back();
      return;
    }
    UniqueFd next{retry_interrupted([&] { return ::openat(m_here.get(), name.c_str(), k_open); })};
    if (!next) fail(errno);
    const struct stat status = status_of(next.get());
    if (!S_ISLNK(status.st_mode)) {
      m_levels.push_back({std::move(m_here), name});
      m_here = std::move(next);
      return;
    }
    if (++m_links > k_most_links) fail(ELOOP);
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) m_link_owners.push_back(status.st_uid);
    std::array<char, PATH_MAX> text;
    const ssize_t length = ::readlinkat(next.get(), "", text.data(), text.size());
    if (length <= 0 || static_cast<std::size_t>(length) == text.size()) fail(length < 0 ? errno : ENAMETOOLONG);
    const std::string_view target{text.data(), static_cast<std::size_t>(length)};
    prepend(target);
    if (target.starts_with('/')) go_to_root();
  }

  void check_links(const struct stat& found) const {
    const auto stranger =
        std::find_if(m_link_owners.begin(), m_link_owners.end(), [&](uid_t owner) { return owner != found.st_uid; });
    if (stranger == m_link_owners.end()) return;
    throw SourceError(
        ErrorKind::failed,
        fmt::format("unable to open {}: a symbolic link of user {} leads there, and it belongs to user {}",
                    quote(m_shown.native()), *stranger, found.st_uid),
        "name the path that the link leads to, if that is meant");
  }

  fs::path m_shown;
  std::deque<std::string> m_ahead;
  std::vector<Level> m_levels;
  UniqueFd m_here;
  std::vector<uid_t> m_link_owners;
  int m_links = 0;
};

}  // namespace

PinnedPath pin_path(const fs::path& path) {
  return PathWalk{path}.walk();
}

}  // namespace cairn
