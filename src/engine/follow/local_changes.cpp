#include "engine/follow/local_changes.hpp"

#include "capture/sqlite/companions.hpp"
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/target_names.hpp"
#include "util/interrupt.hpp"
#include "util/open_directories.hpp"

#include <algorithm>
#include <string_view>

#include <sys/stat.h>

namespace cairn {

namespace {

class TouchedNames {
 public:
  TouchedNames(const RestoreTarget& target, const StandbyState* state)
      : m_single(target.shape() == RestoreTarget::Shape::single_file),
        m_target(target),
        m_state(state),
        m_open(target.directory()) {}

  std::set<std::string> find(PreparedRestore& plan) {
    plan.steps.rewind();
    while (const auto planned = plan.steps.next_entry()) {
      check_interrupted();
      if (planned->action == EntryAction::change) look(planned->entry.path);
    }
    while (const auto removal = plan.steps.next_removal()) {
      check_interrupted();
      removal->directory ? look_at_directory(removal->path) : look(removal->path);
    }
    return std::move(m_touched);
  }

 private:
  void look(const std::string& path) {
    const SplitPath at = m_single ? SplitPath{".", m_target.name()} : split_path(path);
    const auto directory = m_open.open(at.parent);
    const auto there = directory ? status_at(directory->get(), at.name) : std::nullopt;
    // What a directory holds is looked at for itself.
    if (!there || S_ISDIR(there->st_mode) || is_empty_companion(at, *there)) return;
    const auto known = m_state == nullptr ? std::nullopt : m_state->find(path);
    const bool same = known && known->stamp && *known->stamp == stamp_of(*there);
    if (!same || has_log_with_bytes(directory->get(), at.name)) m_touched.insert(path);
  }

  void look_at_directory(const std::string& path) {
    const auto known = m_state == nullptr ? std::nullopt : m_state->find(path);
    if (!known || known->type != EntryType::directory) m_touched.insert(path);
  }

  // Whoever only reads a database may leave these.
  bool is_empty_companion(const SplitPath& at, const struct stat& there) const {
    if (m_single || m_state == nullptr || !is_log_name(at.name)) return false;
    for (const std::string_view suffix : sqlite::k_companions) {
      if (!at.name.ends_with(suffix)) continue;
      const std::string database = join_path(at.parent, at.name.substr(0, at.name.size() - suffix.size()));
      return m_state->find(database) && (there.st_size == 0 || suffix == sqlite::k_index);
    }
    return false;
  }

  static bool has_log_with_bytes(int directory, const std::string& name) {
    return std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(), [&](const char* suffix) {
      const auto log = sqlite::status_beside(directory, name, suffix);
      return log && log->st_size != 0 &&
             (is_sqlite_file(directory, name) || is_sqlite_log_file(directory, name + suffix));
    });
  }

  const bool m_single;
  const RestoreTarget& m_target;
  const StandbyState* m_state;
  OpenDirectories m_open;
  std::set<std::string> m_touched;
};

}  // namespace

std::set<std::string> touched_names(PreparedRestore& plan, const RestoreTarget& target, const StandbyState* state) {
  if (!target.exists() || target.directory() < 0) return {};
  return TouchedNames{target, state}.find(plan);
}

void leave_out_equal(std::set<std::string>& names, PreparedRestore& other) {
  other.steps.rewind();
  while (const auto planned = other.steps.next_entry()) {
    check_interrupted();
    const bool stays = planned->action == EntryAction::keep || planned->action == EntryAction::metadata;
    if (stays) names.erase(planned->entry.path);
  }
}

}  // namespace cairn
