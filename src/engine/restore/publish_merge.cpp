// The publisher of a tree into a directory that is there.
#include "engine/restore/database_logs.hpp"
#include "engine/restore/move_journal.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/replace_file.hpp"
#include "engine/restore/target_names.hpp"
#include "engine/restore/write_access.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
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
    const UniqueFd to = open_target(path);
    const auto root = see(target().directory(), "");
    const auto here = see(to.get(), "");
    const auto id = id_of(to.get());
    if (!root || !here || !id) throw_errno("stat", target().path().native(), errno);
    // The target itself is open since it was looked at.
    const StagedDirectory* const snapshots = path == "." ? nullptr : described(path);
    if (snapshots != nullptr) require_not_given_away(to.get(), snapshots->uid, shown(path));
    m_merged.emplace(path, *id);
    bool gets_names = false;
    for (const std::string& name : names_in(from.get(), staging().path().native())) {
      const std::string entry = join_path(path, name);
      const auto staged = status_at(from.get(), name);
      const bool directory = staged && S_ISDIR(staged->st_mode);
      const auto there = see(to.get(), name);
      if (there && directory != S_ISDIR(there->mode)) throw_conflict(target().path(), entry, S_ISDIR(there->mode));
      if (there) require_within_reach(*there, *root, shown(entry));
      if (there) require_replaceable(*there, *here, shown(entry));
      if (!directory) {
        check_database(to.get(), name, shown(entry));
      } else if (there) {
        todo.push_back(entry);
      }
      gets_names = gets_names || !directory || !there;
    }
    look_at_rights(path, to.get(), gets_names);
  }

  // Whether what is to happen in a directory, and to it, may happen.
  void look_at_rights(const std::string& path, int directory, bool gets_names) {
    const std::string text = text_of(path);
    const DirectoryAccess access = look_at_access(directory, text);
    const Rights rights = own_rights();
    bool mend = false;
    if (gets_names) {
      const WriteJudgement judged = judge_writing(access, rights);
      if (judged.writing == Writing::refused) throw_refusal(judged.refusal, text);
      mend = judged.writing == Writing::mendable;
    }
    if (is_changed(path)) {
      if (const auto refusal = refusal_to_change(access.protection)) throw_refusal(*refusal, text);
      if (access.read_error != 0 && access.protection.owner != rights.user) {
        throw_refusal({"it may not be opened: " + errno_text(access.read_error), ""}, text);
      }
      mend = mend || access.read_error != 0;
    }
    if (mend) m_to_mend.push_back(path);
  }

  // Whether the target's directory gets the metadata of the snapshot's.
  bool is_changed(const std::string& path) const {
    const StagedDirectory* const directory = described(path);
    return directory != nullptr && directory->existing == ExistingDirectory::changed;
  }

  UniqueFd open_target(const std::string& path) const {
    UniqueFd fd = open_beneath(target().directory(), path, O_PATH | O_DIRECTORY);
    if (!fd) throw_errno("open directory", shown(path), errno);
    return fd;
  }

  bool has_directory(const std::string& path) const override { return m_merged.contains(path); }

  void sync() override {
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
  }

  void move() override {
    MoveJournal journal{staging().fd(), target().directory(), spool_directory()};
    try {
      for (const std::string& path : m_to_mend)
        mended().mend(target().directory(), path, m_merged.at(path), shown(path));
      move_all(journal);
    } catch (const Error& e) {
      throw Error(e.kind(), e.message() + take_back(journal), e.hint());
    } catch (...) {
      take_back(journal);
      throw;
    }
    for (const DatabaseLogs& logs : m_logs) logs.tell();
    try {
      // Staging first: it lies in the root, whose times come last.
      staging().discard();
      finish_merged();
      if (::syncfs(target().directory()) != 0) throw_errno("sync", target().path().native(), errno);
    } catch (const Error& e) {
      throw Error(e.kind(),
                  e.message() +
                      "; all files are in place, but not all directories may have their owners, modes and "
                      "times, and not all of it may be durable",
                  e.hint().empty() ? "restore again with --overwrite" : e.hint());
    }
  }

  fs::path spool_directory() const {
    fs::path directory = spool();
    if (directory.empty()) any_failure_of([&] { directory = temporary_directory(); });
    return directory.empty() ? staging().path() : directory;
  }

  // Puts back what was moved. Says in which state the target is.
  std::string take_back(MoveJournal& journal) {
    const Undone undone = journal.undo();
    const std::string kept = undone.kept_in_staging ? staging().keep().native() : std::string{};
    // But for the target itself, where staging is still to be removed from.
    mended().put_back_but([](const std::string& path) { return path == "."; });
    if (undone.left == 0) {
      return undone.moved == 0 ? "; nothing was moved: the target is as it was"
                               : "; what had been moved was put back: the target is as it was";
    }
    std::string text = fmt::format(
        "; of {} names that had been moved {} could not be put back and are as in the "
        "snapshot, the rest is as it was; the first is {}",
        undone.moved, undone.left, undone.first);
    if (!kept.empty()) text += "; the files that were there before them are in " + quote(kept);
    return text;
  }

  void move_all(MoveJournal& journal) {
    std::vector<std::string> todo{"."};
    while (!todo.empty()) {
      const std::string path = std::move(todo.back());
      todo.pop_back();
      merge_directory(journal, path, todo);
    }
  }

  void merge_directory(MoveJournal& journal, const std::string& path, std::vector<std::string>& todo) {
    const UniqueFd from = open_directory_below(staging().fd(), path, staging().path().native());
    const UniqueFd to = open_merged(path);
    journal.enter(path, from.get(), to.get());
    for (const std::string& name : names_in(from.get(), staging().path().native())) {
      std::string entry = join_path(path, name);
      if (has_directory(entry)) {
        todo.push_back(std::move(entry));
        continue;
      }
      DatabaseLogs logs{to.get(), reporter()};
      const Replacement change{from.get(), name, to.get(), name, shown(entry), {}};
      change_name(change, logs, reporter(), [&](const std::optional<struct stat>& there) {
        if (const int error = journal.place(name)) throw_errno("replace", shown(entry), error);
        // Where the file system exchanges names, what was replaced is staged now.
        const auto replaced = there ? id_at(from.get(), name) : std::nullopt;
        if (replaced && replaced != id_of(*there)) throw_replaced(shown(entry));
        for (const auto& log : logs.renamed()) journal.note_renamed(log.log, log.aside);
      });
      if (!logs.renamed().empty()) m_logs.push_back(std::move(logs));
    }
  }

  // A directory that the target had when it was looked at. Another one that has its name by now is none of our
  // business: it may be one that only this user may enter, and would become somebody else's.
  UniqueFd open_merged(const std::string& path) const {
    UniqueFd fd = open_target(path);
    if (id_of(fd.get()) != m_merged.at(path)) throw_replaced(shown(path));
    return fd;
  }

  // Directories get the metadata that they could not have while they were staged. Deepest first.
  void finish_merged() {
    mended().put_back_but([this](const std::string& path) { return is_changed(path); });
    for (const StagedDirectory& directory : tree().directories) {
      if (!has_directory(directory.path)) {
        close_moved(target().directory(), directory);
      } else if (directory.existing == ExistingDirectory::changed) {
        finish_one(directory);
      }
    }
  }

  void finish_one(const StagedDirectory& directory) {
    const bool root = directory.path == ".";
    const std::string text = text_of(directory.path);
    const UniqueFd below = root ? UniqueFd{} : open_directory_below(target().directory(), directory.path, text);
    const int fd = root ? target().directory() : below.get();
    const FileId& id = m_merged.at(directory.path);
    if (id_of(fd) != id) throw_replaced(text);
    put_metadata(fd, directory, text);
    mended().settle(id);
  }

  std::map<std::string, FileId> m_merged;  // directories that the target has already, the root among them
  std::vector<std::string> m_to_mend;      // of those: that are read-only for their owner, from the top down
  std::vector<DatabaseLogs> m_logs;        // that have another name now
};

}  // namespace

std::unique_ptr<Publisher> make_merge_publisher(const PublishParts& parts) {
  return std::make_unique<MergePublisher>(parts);
}

}  // namespace cairn
