#include "engine/restore/removal_finder.hpp"

#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

#include <sys/stat.h>

namespace cairn {

namespace {

// What is in lost+found there is the file system's, and may be all that fsck saved.
bool is_root_of_mount(int directory) noexcept {
  struct statx told {};
  return ::statx(directory, "", AT_EMPTY_PATH, STATX_TYPE, &told) == 0 &&
         (told.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

RemovalFinder::RemovalFinder(const RestoreTarget& target, const PathSelection& selection, Found found)
    : m_target(target), m_selection(selection), m_found(std::move(found)) {
  const auto root = see(target.directory(), "");
  if (!root) throw_errno("stat", target.path().native(), errno);
  m_root = *root;
  enter(".", open_directory_below(target.directory(), ".", target.path().native()));
}

void RemovalFinder::enter(const std::string& path, UniqueFd directory) {
  Level level{path, std::move(directory), {}, 0};
  level.names = names_in(level.directory.get(), (m_target.path() / path).native());
  if (path == ".") {
    std::erase_if(level.names,
                  [](const std::string& name) { return name.starts_with(RestoreTarget::k_staging_prefix); });
  }
  m_levels.push_back(std::move(level));
}

// Takes what comes before an entry in the order of the list, or all that is left.
void RemovalFinder::pass_before(const std::string* path) {
  while (!m_levels.empty()) {
    Level& level = m_levels.back();
    if (level.next == level.names.size()) {
      m_levels.pop_back();
      continue;
    }
    const std::string& name = level.names[level.next];
    const std::string at = join_path(level.path, name);
    if (path != nullptr && compare_paths(at, *path) >= 0) return;
    ++level.next;
    take_extra(level.directory.get(), name, at);
  }
}

void RemovalFinder::pass(const std::string& path, bool is_directory) {
  check_interrupted();
  if (path == ".") return;
  pass_before(&path);
  if (m_levels.empty()) return;
  Level& level = m_levels.back();
  if (level.next == level.names.size()) return;
  const std::string& name = level.names[level.next];
  if (join_path(level.path, name) != path) return;
  ++level.next;
  const bool covered = m_selection.covers(path, is_directory ? EntryType::directory : EntryType::file);
  if (!covered && !(is_directory && m_selection.leads_to(path))) return;
  UniqueFd below = open_beneath(level.directory.get(), name, O_RDONLY | O_DIRECTORY);
  if (!below) {
    // No directory, or gone; anything else is in the way of a look into it.
    if (errno == ENOTDIR || errno == ELOOP || errno == ENOENT) return;
    throw_errno("open directory", (m_target.path() / path).native(), errno);
  }
  if (is_directory) {
    enter(path, std::move(below));
  } else {
    if (!remove_below(std::move(below), path, true)) throw_conflict(m_target.path(), path, true);
  }
}

void RemovalFinder::finish() {
  pass_before(nullptr);
}

bool RemovalFinder::is_chosen(const std::string& path, const struct stat& status) const {
  return m_selection.covers(path, S_ISDIR(status.st_mode) ? EntryType::directory : EntryType::file);
}

void RemovalFinder::take_extra(int parent, const std::string& name, const std::string& path) {
  const auto status = status_at(parent, name);
  if (!status || !is_chosen(path, *status)) return;
  if (path == "lost+found" && S_ISDIR(status->st_mode) && is_root_of_mount(m_target.directory())) return;
  if (S_ISDIR(status->st_mode)) {
    UniqueFd below = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
    if (!below) throw_errno("open directory", (m_target.path() / path).native(), errno);
    if (!remove_below(std::move(below), path, false)) return;
  }
  report(parent, name, path, *status, false);
}

// Everything in it, what a directory holds before the directory. False where something in it stays, as it is excluded.
bool RemovalFinder::remove_below(UniqueFd directory, const std::string& path, bool in_the_way) {
  struct Open {
    UniqueFd directory;
    std::string path;
    std::vector<std::string> names;
    std::size_t next = 0;
    bool stays = false;
  };
  std::vector<Open> open;
  const auto go_into = [&](UniqueFd fd, const std::string& at) {
    Open below{std::move(fd), at, {}};
    below.names = names_in(below.directory.get(), (m_target.path() / at).native());
    open.push_back(std::move(below));
  };
  go_into(std::move(directory), path);
  for (;;) {
    check_interrupted();
    Open& last = open.back();
    if (last.next == last.names.size()) {
      const std::string at = last.path;
      const bool stays = last.stays;
      open.pop_back();
      if (open.empty()) return !stays;
      Open& above = open.back();
      above.stays = above.stays || stays;
      if (stays) continue;
      const std::string& name = above.names[above.next - 1];
      if (const auto status = status_at(above.directory.get(), name)) {
        report(above.directory.get(), name, at, *status, in_the_way);
      }
      continue;
    }
    const std::string& name = last.names[last.next++];
    const std::string at = join_path(last.path, name);
    const auto status = status_at(last.directory.get(), name);
    if (!status) continue;
    if (!is_chosen(at, *status)) {
      last.stays = true;
      continue;
    }
    if (!S_ISDIR(status->st_mode)) {
      report(last.directory.get(), name, at, *status, in_the_way);
      continue;
    }
    const auto there = see(last.directory.get(), name);
    if (there) require_within_reach(*there, m_root, m_target.path() / at);
    UniqueFd below = open_beneath(last.directory.get(), name, O_RDONLY | O_DIRECTORY);
    if (!below) throw_errno("open directory", (m_target.path() / at).native(), errno);
    go_into(std::move(below), at);
  }
}

void RemovalFinder::report(int parent, const std::string& name, const std::string& path, const struct stat& status,
                           bool in_the_way) {
  const auto there = see(parent, name);
  if (there) require_within_reach(*there, m_root, m_target.path() / path);
  const bool directory = S_ISDIR(status.st_mode);
  if (!directory) check_database(parent, name, m_target.path() / path);
  m_found({path, directory, in_the_way, id_of(status)});
}

}  // namespace cairn
