#include "engine/restore/removal_finder.hpp"

#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

// The files in its lost+found are the file system's, and may be all that fsck saved.
bool is_root_of_mount(int directory) noexcept {
  struct statx told {};
  return ::statx(directory, "", AT_EMPTY_PATH, STATX_TYPE, &told) == 0 &&
         (told.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

RemovalFinder::RemovalFinder(const RestoreTarget& target, const PathSelection& selection, std::set<FileId> own,
                             Found found)
    : m_target(target),
      m_selection(selection),
      m_own(std::move(own)),
      m_found(std::move(found)),
      m_open(target.directory()) {
  const auto root = see(target.directory(), "");
  if (!root) throw_errno("stat", target.path().native(), errno);
  m_root = *root;
  m_levels.push_back(level_of(".", open(".")));
}

RemovalFinder::Directory RemovalFinder::open(const std::string& path) {
  auto directory = m_open.open(path);
  if (!directory) throw_errno("open directory", (m_target.path() / path).native(), errno);
  return directory;
}

RemovalFinder::Level RemovalFinder::level_of(const std::string& path, const Directory& directory) const {
  const std::string shown = path == "." ? m_target.path().native() : (m_target.path() / path).native();
  const auto id = id_of(directory->get());
  if (id && m_own.contains(*id)) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to remove what {} holds: this restore itself needs it", quote(shown)),
                "--exclude leaves it as it is");
  }
  return {path, names_in(open_directory_below(directory->get(), ".", shown).get(), shown)};
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
    // Staging of restores is no part of the tree, unless the snapshot has it.
    if (level.path == "." && name.starts_with(RestoreTarget::k_staging_prefix)) continue;
    take_extra(open(level.path)->get(), name, at);
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
  const Directory below = m_open.open(path);
  if (!below) {
    // No directory, or gone; anything else is in the way of a look into it.
    if (errno == ENOTDIR || errno == ELOOP || errno == ENOENT) return;
    throw_errno("open directory", (m_target.path() / path).native(), errno);
  }
  if (is_directory) {
    m_levels.push_back(level_of(path, below));
  } else {
    if (!remove_below(path, true)) throw_conflict(m_target.path(), path, true);
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
  if (S_ISDIR(status->st_mode) && !remove_below(path, false)) return;
  report(parent, name, path, *status, false);
}

// Everything in it, what a directory holds before the directory. False where something in it stays, as it is excluded.
bool RemovalFinder::remove_below(const std::string& path, bool in_the_way) {
  std::vector<Level> levels;
  levels.push_back(level_of(path, open(path)));
  for (;;) {
    check_interrupted();
    Level& last = levels.back();
    if (last.next == last.names.size()) {
      const std::string at = std::move(last.path);
      const bool stays = last.stays;
      levels.pop_back();
      if (levels.empty()) return !stays;
      Level& above = levels.back();
      above.stays = above.stays || stays;
      if (stays) continue;
      const std::string& name = above.names[above.next - 1];
      const Directory parent = open(above.path);
      if (const auto status = status_at(parent->get(), name)) report(parent->get(), name, at, *status, in_the_way);
      continue;
    }
    const std::string& name = last.names[last.next++];
    const std::string at = join_path(last.path, name);
    const Directory parent = open(last.path);
    const auto status = status_at(parent->get(), name);
    if (!status) continue;
    if (!is_chosen(at, *status)) {
      last.stays = true;
      continue;
    }
    if (!S_ISDIR(status->st_mode)) {
      report(parent->get(), name, at, *status, in_the_way);
      continue;
    }
    const auto there = see(parent->get(), name);
    if (there) require_within_reach(*there, m_root, m_target.path() / at);
    levels.push_back(level_of(at, open(at)));
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
