#include "util/pinned_path.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <iterator>
#include <optional>
#include <unistd.h>
#include <utility>

#include <climits>
#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr int k_most_links = 40;  // as the kernel
constexpr int k_directory_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// A step that is left to do: a component, or a look at where a link has led.
struct Step {
  std::string name;
  bool of_link = false;                      // the component comes from a link's text
  std::optional<uid_t> end_of_link_of = {};  // name is the link's path, for messages
};

struct stat status_of(int fd, const fs::path& shown) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno("stat", shown.native(), errno);
  return status;
}

class Walk {
 public:
  explicit Walk(const fs::path& path) {
    start(path.is_absolute());
    add(path, false);
  }

  PinnedPath run() && {
    while (!m_steps.empty()) {
      const Step step = std::move(m_steps.front());
      m_steps.pop_front();
      step.end_of_link_of ? check_end(step) : take(step);
    }
    m_found.path = m_found.directory_path;
    for (const auto& name : m_found.names) m_found.path /= name;
    return std::move(m_found);
  }

 private:
  void start(bool absolute) {
    const char* const from = absolute ? "/" : ".";
    m_found.directory = open_file(from, O_PATH | O_DIRECTORY);
    std::error_code unknown;
    m_found.directory_path = absolute ? fs::path{"/"} : fs::current_path(unknown);
    if (unknown) m_found.directory_path = ".";
  }
  void add(const fs::path& path, bool of_link) {
    std::vector<Step> steps;
    for (const fs::path& part : path.relative_path()) steps.push_back({part.native(), of_link});
    m_steps.insert(m_steps.begin(), std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end()));
  }

  void take(const Step& step) {
    const fs::path shown = m_found.directory_path / step.name;
    if (m_found.there != 0) throw_errno("open", shown.native(), ENOTDIR);
    if (step.name.empty() || step.name == ".") return;  // empty: after a '/' at the end
    if (step.name == "..") return go_up();
    if (!m_found.names.empty()) return m_found.names.push_back(step.name);
    const UniqueFd there = open_beneath(m_found.directory.get(), step.name, O_PATH);
    if (!there) {
      if (errno != ENOENT) throw_errno("stat", shown.native(), errno);
      m_found.leads_to_nothing = m_found.leads_to_nothing || step.of_link;
      return m_found.names.push_back(step.name);
    }
    const struct stat status = status_of(there.get(), shown);
    if (S_ISLNK(status.st_mode)) return follow(there.get(), status, shown);
    if (S_ISDIR(status.st_mode)) return enter(step.name, shown);
    m_found.there = status.st_mode;
    m_found.names.push_back(step.name);
  }
  // Opened once more, as a directory: that is what has the kernel mount what is to be mounted there.
  void enter(const std::string& name, const fs::path& shown) {
    UniqueFd next{::openat(m_found.directory.get(), name.c_str(), k_directory_flags)};
    if (!next) throw_errno("open", shown.native(), errno);
    m_found.directory = std::move(next);
    m_found.directory_path = shown;
  }
  void go_up() {
    if (!m_found.names.empty()) return m_found.names.pop_back();
    UniqueFd next{::openat(m_found.directory.get(), "..", k_directory_flags)};
    if (!next) throw_errno("open", (m_found.directory_path / "..").native(), errno);
    m_found.directory = std::move(next);
    m_found.directory_path = m_found.directory_path.parent_path();
  }

  void follow(int link, const struct stat& status, const fs::path& shown) {
    if (++m_links > k_most_links) throw_errno("stat", shown.native(), ELOOP);
    const struct stat above = status_of(m_found.directory.get(), m_found.directory_path);
    const bool anybodys = (above.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH);
    if (anybodys && status.st_uid != ::geteuid() && status.st_uid != above.st_uid) {
      throw_errno("follow the symbolic link", shown.native(), EACCES);
    }
    std::string text(PATH_MAX, '\0');
    const ssize_t size = ::readlinkat(link, "", text.data(), text.size());
    if (size < 0) throw_errno("read the symbolic link", shown.native(), errno);
    text.resize(static_cast<std::size_t>(size));
    if (::geteuid() == 0 && status.st_uid != 0) {
      m_steps.push_front({shown.native(), true, status.st_uid});
    }
    const fs::path target{text};
    if (target.is_absolute()) start(true);
    add(target, true);
  }
  // A user has root follow his links to what is his, and nowhere else.
  void check_end(const Step& link) const {
    if (status_of(m_found.directory.get(), m_found.directory_path).st_uid == *link.end_of_link_of) return;
    throw Error(
        ErrorKind::failed,
        fmt::format("unable to follow {}: it is a symbolic link of user {}, and leads to {}, which is another's",
                    quote(link.name), *link.end_of_link_of, quote(m_found.directory_path.native())),
        "if that is where it shall go, name that directory itself");
  }

  PinnedPath m_found;
  std::deque<Step> m_steps;
  int m_links = 0;
};

}  // namespace

PinnedPath pin_path(const fs::path& path) {
  return Walk{path}.run();
}

}  // namespace cairn
