// The publisher of a tree into a directory that is there.
#include "engine/restore/publisher.hpp"
#include "engine/restore/replace_file.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <cstdio>
#include <map>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace cairn {

namespace {

class MergePublisher : public Publisher {
 public:
  explicit MergePublisher(const PublishParts& parts) : Publisher(parts) {}

 private:
  // Finds what moving would run into, and which directories the target has already.
  void look() override {
    std::vector<std::string> todo{"."};
    while (!todo.empty()) {
      check_interrupted();
      const std::string path = std::move(todo.back());
      todo.pop_back();
      look_at(path, todo);
    }
  }

  void look_at(const std::string& path, std::vector<std::string>& todo) {
    const UniqueFd from = open_directory_below(staging().fd(), path, staging().path().native());
    const UniqueFd to = open_directory_below(target().directory(), path, shown(path));
    const auto root = see(target().directory(), "");
    const auto id = id_of(to.get());
    if (!root || !id) throw_errno("stat", target().path().native(), errno);
    // The target itself is open since it was looked at.
    const StagedDirectory* const snapshots = path == "." ? nullptr : described(path);
    if (snapshots != nullptr) require_not_given_away(to.get(), snapshots->uid, shown(path));
    m_merged.emplace(path, *id);
    for (const std::string& name : names_in(from.get(), staging().path().native())) {
      const std::string entry = join_path(path, name);
      const auto staged = status_at(from.get(), name);
      const bool directory = staged && S_ISDIR(staged->st_mode);
      const auto there = see(to.get(), name);
      if (there && directory != S_ISDIR(there->mode)) throw_conflict(target().path(), entry, S_ISDIR(there->mode));
      if (there) require_within_reach(*there, *root, shown(entry));
      if (!directory) {
        check_database(to.get(), name, shown(entry));
      } else if (there) {
        todo.push_back(entry);
      }
    }
  }

  bool has_directory(const std::string& path) const override { return m_merged.contains(path); }

  void sync() override {
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
  }

  void move() override {
    try {
      std::vector<std::string> todo{"."};
      while (!todo.empty()) {
        const std::string path = std::move(todo.back());
        todo.pop_back();
        merge_directory(path, todo);
      }
    } catch (const Error& e) {
      throw Error(e.kind(), e.message() + "; what was moved before is in place, the rest is as it was",
                  e.hint().empty() ? "restore again with --overwrite" : e.hint());
    }
    // Staging first: it lies in the root, whose times come last.
    staging().discard();
    finish_merged();
    if (::syncfs(target().directory()) != 0) throw_errno("sync", target().path().native(), errno);
  }

  void merge_directory(const std::string& path, std::vector<std::string>& todo) {
    const UniqueFd from = open_directory_below(staging().fd(), path, staging().path().native());
    const UniqueFd to = open_merged(path);
    for (const std::string& name : names_in(from.get(), staging().path().native())) {
      std::string entry = join_path(path, name);
      if (has_directory(entry)) {
        todo.push_back(std::move(entry));
        continue;
      }
      replace_file({from.get(), name, to.get(), name, shown(entry), {}}, reporter());
    }
  }

  // A directory that the target had when it was looked at. Another one that has its name by now is none of our
  // business: it may be one that only this user may enter, and would become somebody else's.
  UniqueFd open_merged(const std::string& path) const {
    UniqueFd fd = open_directory_below(target().directory(), path, shown(path));
    if (id_of(fd.get()) != m_merged.at(path)) throw_replaced(shown(path));
    return fd;
  }

  // What could not be put on directories while they were staged. Deepest first.
  void finish_merged() {
    for (const StagedDirectory& directory : tree().directories) {
      if (!has_directory(directory.path)) {
        close_moved(target().directory(), directory);
      } else if (directory.existing == ExistingDirectory::changed) {
        const bool root = directory.path == ".";
        const UniqueFd below = root ? UniqueFd{} : open_merged(directory.path);
        put_metadata(root ? target().directory() : below.get(), directory,
                     root ? target().path().native() : shown(directory.path));
      }
    }
  }

  std::map<std::string, FileId> m_merged;  // directories that the target has already, the root among them
};

}  // namespace

std::unique_ptr<Publisher> make_merge_publisher(const PublishParts& parts) {
  return std::make_unique<MergePublisher>(parts);
}

}  // namespace cairn
