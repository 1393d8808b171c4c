// The publisher that makes what is at the target equal to the snapshot.
#include "capture/sqlite/companions.hpp"
#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/database_logs.hpp"
#include "engine/restore/link_copy.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/replace_file.hpp"
#include "engine/restore/target_names.hpp"
#include "engine/restore/write_access.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <optional>
#include <set>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr const char* k_link_prefix = ".cairn-link-";  // in staging, once all that it held is in place

class InPlacePublisher : public Publisher {
 public:
  explicit InPlacePublisher(const PublishParts& parts)
      : Publisher(parts), m_single(parts.target.shape() == RestoreTarget::Shape::single_file) {}

 private:
  std::string shown_name(const std::string& path) const { return m_single ? target().path().native() : shown(path); }

  // Refusals, all of them before the first move.
  void look() override {
    look_at_staged();
    for (StagedDirectory& directory : directories()) {
      if (directory.there) look_at_there(directory);
    }
    look_at_staying();
    look_at_removals();
  }

  void look_at_staged() {
    if (m_single) return look_at_single();
    std::vector<std::string> todo{"."};
    while (!todo.empty()) {
      check_interrupted();
      const std::string path = std::move(todo.back());
      todo.pop_back();
      look_at(path, todo);
    }
  }

  void look_at_single() {
    const auto root = see(target().directory(), "");
    const auto there = see(target().directory(), target().name());
    if (root && there) require_within_reach(*there, *root, target().path());
    if (root && there && status_at(staging().fd(), k_single_name)) {
      require_replaceable(*there, *root, target().path());
    }
    if (there && S_ISDIR(there->mode)) throw_replaced(target().path());
    check_database(target().directory(), target().name(), target().path());
  }

  void look_at(const std::string& path, std::vector<std::string>& todo) {
    const UniqueFd from = open_directory_below(staging().fd(), path, staging().path().native());
    const UniqueFd to = open_directory_below(target().directory(), path, shown(path));
    const auto root = see(target().directory(), "");
    const auto here = see(to.get(), "");
    const auto id = id_of(to.get());
    if (!root || !here || !id) throw_errno("stat", target().path().native(), errno);
    const StagedDirectory* const snapshots = path == "." ? nullptr : described(path);
    if (snapshots != nullptr) require_not_given_away(to.get(), snapshots->uid, shown(path));
    m_merged.emplace(path, *id);
    const std::vector<std::string> names = names_in(from.get(), staging().path().native());
    if (!names.empty()) require_writable(to.get(), path);
    for (const std::string& name : names) {
      const std::string entry = join_path(path, name);
      const auto staged = status_at(from.get(), name);
      const bool directory = staged && S_ISDIR(staged->st_mode);
      const auto there = see(to.get(), name);
      if (there) require_within_reach(*there, *root, shown(entry));
      if (there) require_replaceable(*there, *here, shown(entry));
      if (!directory) check_database(to.get(), name, shown(entry));
      if (directory && there && S_ISDIR(there->mode)) todo.push_back(entry);
    }
  }

  // Metadata is put on this one, and no other that gets its name later.
  void look_at_there(StagedDirectory& directory) const {
    const std::string text = text_of(directory.path);
    const UniqueFd fd = open_directory_below(target().directory(), directory.path, text);
    if (directory.path != ".") require_not_given_away(fd.get(), directory.uid, text);
    const auto id = id_of(fd.get());
    if (!id) throw_errno("stat", text, errno);
    directory.id = *id;
  }

  void require_writable(int directory, const std::string& path) const {
    const WriteJudgement judged = judge_writing(look_at_access(directory, text_of(path)), own_rights());
    if (judged.writing == Writing::refused) throw_refusal(judged.refusal, text_of(path));
  }

  // A file that is not made anew must be what it was when that was decided.
  void look_at_staying() {
    for (const StagedLink& link : tree().links) m_linked.emplace(link.target, std::nullopt);
    plan()->steps.rewind();
    while (const auto planned = plan()->steps.next_entry()) {
      check_interrupted();
      if (!is_staying(*planned)) continue;
      const LocalFile seen = plan()->local->get(planned->seen);
      if (stamp_now(seen) != seen.stamp) throw LocalChanged(seen.shown());
      const auto linked = m_linked.find(planned->entry.path);
      if (linked != m_linked.end()) linked->second = seen.stamp.id;
    }
  }

  bool is_staying(const PlannedEntry& planned) const {
    const bool stays = planned.action == EntryAction::keep || planned.action == EntryAction::metadata;
    return stays && planned.seen != LocalFiles::k_none && planned.entry.type != EntryType::directory &&
           planned.entry.type != EntryType::hard_link && !is_remade(planned.entry.path);
  }

  void look_at_removals() {
    const auto root = see(target().directory(), "");
    if (!root) throw_errno("stat", target().path().native(), errno);
    plan()->steps.rewind();
    while (const auto removal = plan()->steps.next_removal()) {
      check_interrupted();
      const SplitPath at = split_path(removal->path);
      const UniqueFd parent = open_directory_below(target().directory(), at.parent, shown(at.parent));
      if (const auto id = id_at(parent.get(), at.name); !id || *id != removal->id) throw_changed(removal->path);
      if (const auto there = see(parent.get(), at.name)) require_within_reach(*there, *root, shown(removal->path));
      if (!removal->directory) check_database(parent.get(), at.name, shown(removal->path));
      require_writable(parent.get(), at.parent);
      if (is_log_name(removal->path)) m_removed_logs.insert(removal->path);
    }
  }

  [[noreturn]] void throw_changed(const std::string& path) const { throw LocalChanged(shown(path)); }

  bool has_directory(const std::string& path) const override {
    const StagedDirectory* const directory = described(path);
    return m_merged.contains(path) || (directory != nullptr && directory->there);
  }

  void sync() override {
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
    if (m_single && ::syncfs(staging().fd()) != 0) throw_errno("sync", staging().path().native(), errno);
  }

  void move() override {
    try {
      remove(true);
      move_staged();
      make_links();
      put_metadata_on_staying();
      remove(false);
    } catch (const Error& e) {
      throw Error(e.kind(), e.message() + "; what was moved before is in place, the rest is as it was",
                  e.hint().empty() ? "restore again with --in-place" : e.hint());
    }
    // Staging first: it lies in the root, whose times come last.
    if (m_single && leaves_replaced() && status_at(staging().fd(), k_single_name)) {
      staging().release();
    } else {
      staging().discard();
    }
    finish_there();
    sync_target();
  }

  void sync_target() const {
    if (::syncfs(target().directory()) != 0) throw_errno("sync", target().path().native(), errno);
  }

  // in_the_way: what something of the snapshot takes the place of; else the rest. Logs of databases go
  // after these, and directories when they are empty.
  void remove(bool in_the_way) {
    for (const int turn : {0, 1, 2}) {
      // A loss of power leaves no database that lacks what its log held.
      if (turn == 1 && !m_removed_logs.empty()) sync_target();
      plan()->steps.rewind();
      while (const auto removal = plan()->steps.next_removal()) {
        const int its = removal->directory ? 2 : is_log_name(removal->path) ? 1 : 0;
        if (removal->in_the_way == in_the_way && its == turn) remove(*removal);
      }
    }
  }

  void remove(const PlannedRemoval& removal) {
    if (m_gone_logs.contains(removal.path)) return;
    const SplitPath at = split_path(removal.path);
    const UniqueFd parent = open_directory_below(target().directory(), at.parent, shown(at.parent));
    if (const auto id = id_at(parent.get(), at.name); !id || *id != removal.id) throw_changed(removal.path);
    make_writable(parent.get(), at.parent);
    if (::unlinkat(parent.get(), at.name.c_str(), removal.directory ? AT_REMOVEDIR : 0) != 0) {
      throw_errno("remove", shown(removal.path), errno);
    }
    if (removal.directory) mended().settle(removal.id);
  }

  // Only a directory of this user's own, for the time of the restore.
  void make_writable(int directory, const std::string& path) {
    const std::string text = text_of(path);
    if (judge_writing(look_at_access(directory, text), own_rights()).writing != Writing::mendable) return;
    const auto id = id_of(directory);
    if (!id) throw_errno("stat", text, errno);
    mended().mend(target().directory(), path, *id, text);
  }

  void move_staged() {
    if (m_single) return move_single();
    std::vector<std::string> todo{"."};
    while (!todo.empty()) {
      const std::string path = std::move(todo.back());
      todo.pop_back();
      merge_directory(path, todo);
    }
  }

  void move_single() {
    if (!status_at(staging().fd(), k_single_name)) return;
    replace_file({staging().fd(), k_single_name, target().directory(), target().name(), target().path().native(),
                  keep_as(), leaves_replaced()},
                 reporter());
    sync_names(target().directory(), target().path().parent_path());
  }

  void merge_directory(const std::string& path, std::vector<std::string>& todo) {
    const UniqueFd from = open_directory_below(staging().fd(), path, staging().path().native());
    const UniqueFd to = open_there(path);
    const std::vector<std::string> names = names_in(from.get(), staging().path().native());
    if (!names.empty()) make_writable(to.get(), path);
    for (const std::string& name : names) {
      std::string entry = join_path(path, name);
      if (m_merged.contains(entry)) {
        todo.push_back(std::move(entry));
      } else {
        move_name(from.get(), name, to.get(), name, entry);
      }
    }
  }

  void move_name(int from, const std::string& staged, int to, const std::string& name, const std::string& entry) {
    const auto made = status_at(from, staged);
    if (!made) throw_errno("stat", shown(entry), errno);
    const bool directory = S_ISDIR(made->st_mode);
    if (!directory) remove_directory(to, name, entry);
    DatabaseLogs logs{to, reporter()};
    change_name({from, staged, to, name, shown(entry), {}}, logs, reporter(),
                [&](const std::optional<struct stat>& there) {
                  if (there && id_at(to, name) != id_of(*there)) throw_replaced(shown(entry));
                  // rename(2) puts no directory in the place of what is none.
                  const bool gives_way = there && directory;
                  if (gives_way && ::unlinkat(to, name.c_str(), 0) != 0) throw_errno("replace", shown(entry), errno);
                  const int result = there && !directory ? ::renameat(from, staged.c_str(), to, name.c_str())
                                                         : rename_new_at(from, staged, to, name);
                  if (result == 0) return;
                  if (errno == EEXIST) throw_appeared(shown(entry));
                  throw_errno("replace", shown(entry), errno);
                });
    note_gone_logs(to, name, entry);
    logs.remove_or_tell([&](const std::string& log) {
      const std::string path = join_path(split_path(entry).parent, log);
      if (!m_removed_logs.contains(path)) return false;
      m_gone_logs.insert(path);
      return true;
    });
  }

  // Logs that went into their database before it was replaced are not there to be removed any more.
  void note_gone_logs(int directory, const std::string& name, const std::string& entry) {
    if (m_removed_logs.empty()) return;
    for (const char* suffix : sqlite::k_companions) {
      const std::string path = join_path(split_path(entry).parent, name + suffix);
      if (m_removed_logs.contains(path) && !status_at(directory, name + suffix)) m_gone_logs.insert(path);
    }
  }

  // Nor anything else in the place of a directory. One that holds something stays, and so does what was to take its
  // place.
  void remove_directory(int directory, const std::string& name, const std::string& entry) const {
    const auto there = status_at(directory, name);
    if (!there || !S_ISDIR(there->st_mode)) return;
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0) throw_errno("replace", shown(entry), errno);
  }

  // A directory that the target had when it was looked at. Another one that has its name by now is none of our
  // business: it may be one that only this user may enter, and would become somebody else's.
  UniqueFd open_there(const std::string& path) const {
    UniqueFd fd = open_directory_below(target().directory(), path, shown(path));
    const auto known = known_id(path);
    if (known && id_of(fd.get()) != known) throw_replaced(shown(path));
    return fd;
  }

  // Nothing of one that was made because something lies in it.
  std::optional<FileId> known_id(const std::string& path) const {
    const auto merged = m_merged.find(path);
    if (merged != m_merged.end()) return merged->second;
    const StagedDirectory* const directory = described(path);
    return directory != nullptr ? std::optional{directory->id} : std::nullopt;
  }

  // Under another name first: a name leads to the old file or to the new one. Whoever may change names where the file
  // lies does not get another one linked to where he may not.
  void make_links() {
    std::uint64_t number = 0;
    for (const StagedLink& link : tree().links) {
      check_interrupted();
      const SplitPath from = split_path(link.target);
      const SplitPath to = split_path(link.path);
      const UniqueFd from_directory = open_there(from.parent);
      const UniqueFd to_directory = open_there(to.parent);
      const auto id = m_linked.at(link.target);
      if (!id) throw_errno("create hard link", shown(link.path), ENOENT);
      if (id_at(from_directory.get(), from.name) != id) throw_replaced(shown(link.target));
      // Two names of one file are left as they are by rename(2), both of them.
      if (id_at(to_directory.get(), to.name) == id) continue;
      const std::string name = k_link_prefix + std::to_string(number++);
      if (::linkat(from_directory.get(), from.name.c_str(), staging().fd(), name.c_str(), 0) != 0) {
        copy_instead(from_directory.get(), from.name, *id, name, link.path);
      } else if (id_at(staging().fd(), name) != id) {
        throw_replaced(shown(link.target));
      }
      make_writable(to_directory.get(), to.parent);
      move_name(staging().fd(), name, to_directory.get(), to.name, link.path);
      m_linked_into.insert(to.parent);
    }
  }

  // errno says why there is no link.
  void copy_instead(int directory, const std::string& from, const FileId& id, const std::string& to,
                    const std::string& path) {
    const int error = errno;
    const auto status = status_at(directory, from);
    const bool unknown = error == EPERM || error == ENOTSUP || error == ENOSYS || error == EINVAL || error == EMLINK;
    if (!unknown || !status || !S_ISREG(status->st_mode)) throw_errno("create hard link", shown(path), error);
    if (copy_for_link(directory, from, staging().fd(), to, shown(path)) != id) throw_replaced(shown(path));
    tally().note_copy();
  }

  void put_metadata_on_staying() {
    plan()->steps.rewind();
    while (const auto planned = plan()->steps.next_entry()) {
      if (planned->action == EntryAction::metadata && is_staying(*planned)) put_metadata_on(*planned);
    }
  }

  void put_metadata_on(const PlannedEntry& planned) {
    const LocalFile seen = plan()->local->get(planned.seen);
    const Entry& entry = planned.entry;
    const UniqueFd fd = open_for_capture(seen.root->directory.get(), seen.path);
    if (!fd) throw_errno("open", seen.shown(), errno);
    if (id_of(fd.get()) != seen.stamp.id) throw_replaced(seen.shown());
    replace_xattrs(fd.get(), entry.xattrs);
    tally().note(apply_metadata(
        fd.get(),
        {.mode = entry.mode, .uid = entry.uid, .gid = entry.gid, .mtime = entry.mtime, .xattrs = entry.xattrs},
        seen.shown()));
  }

  // Of a directory that was moved as it is to be, and then got a name more.
  void put_time_back(const StagedDirectory& directory) const {
    const std::string text = shown(directory.path);
    const UniqueFd fd = open_directory_below(target().directory(), directory.path, text);
    if (id_of(fd.get()) != directory.id) throw_replaced(text);
    tally().note(apply_time(fd.get(), directory.mtime, text));
  }

  // Metadata that could not be put on directories before, or that moving changed. Deepest first.
  void finish_there() {
    for (const StagedDirectory& directory : tree().directories) {
      if (!has_directory(directory.path)) {
        if (m_linked_into.contains(directory.path)) put_time_back(directory);
        close_moved(target().directory(), directory);
        continue;
      }
      const UniqueFd fd = open_there(directory.path);
      if (directory.existing == ExistingDirectory::changed) {
        replace_xattrs(fd.get(), directory.xattrs);
        put_metadata(fd.get(), directory, shown(directory.path));
        if (const auto id = id_of(fd.get())) mended().settle(*id);
      }
    }
    // Those that only lead to what was asked for.
    mended().put_back();
  }

  const bool m_single;
  std::map<std::string, FileId> m_merged;  // directories in which something is staged, the root among them
  // Files that stay and get another name, by the name that they have.
  std::map<std::string, std::optional<FileId>> m_linked;
  std::set<std::string> m_linked_into;   // directories that got a link
  std::set<std::string> m_removed_logs;  // that the plan removes
  std::set<std::string> m_gone_logs;     // of them, those that went with their databases
};

}  // namespace

std::unique_ptr<Publisher> make_in_place_publisher(const PublishParts& parts) {
  return std::make_unique<InPlacePublisher>(parts);
}

}  // namespace cairn
