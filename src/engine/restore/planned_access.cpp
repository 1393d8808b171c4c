#include "engine/restore/planned_access.hpp"

#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>

namespace cairn {

namespace {

// Whether it has to be mended.
bool look_at_anchor(const RestoreTarget& target) {
  const std::string shown = target.anchor_path().native();
  const WriteJudgement judged = judge_writing(look_at_access(target.anchor(), shown), own_rights());
  if (judged.writing == Writing::refused) throw_refusal(judged.refusal, shown);
  if (judged.writing == Writing::mendable && !target.below_anchor().empty()) {
    throw_refusal({"its mode lets not even its owner make names in it", "chmod u+wx lets him"}, shown);
  }
  return judged.writing == Writing::mendable;
}

}  // namespace

PlannedAccess::PlannedAccess(const RestoreTarget& target) : m_target(target), m_open(target.anchor()) {
  look_at_anchor(target);
}

void PlannedAccess::check(const std::string& path, EntryAction action) {
  if (action == EntryAction::keep) return;
  if (m_target.shape() == RestoreTarget::Shape::single_file) {
    // It lies in what the constructor looked at.
    if (m_target.in_place() && m_target.exists()) {
      check_there(m_target.directory(), m_target.name(), m_target.path().native(), action);
    }
    return;
  }
  // Below a target that is not there yet nothing is.
  if (!m_target.below_anchor().empty() || path == ".") return;
  if (action != EntryAction::metadata) check_directory(split_path(path).parent);
  // But for a restore in place, RestoreTarget has looked at what gives way.
  if (action == EntryAction::create || (action == EntryAction::change && !m_target.in_place())) return;
  const auto directory = m_open.open(split_path(path).parent);
  if (!directory) return;  // it has gone: the publisher looks once more
  check_there(directory->get(), split_path(path).name, (m_target.path() / path).native(), action);
}

void PlannedAccess::check_there(int directory, const std::string& name, const std::string& shown,
                                EntryAction action) const {
  const auto there = see(directory, name);
  if (!there) return;  // as above
  if (action == EntryAction::metadata) {
    if (const auto refusal = refusal_to_change(there->protection)) throw_refusal(*refusal, shown);
    return;
  }
  const auto above = see(directory, "");
  if (!above) throw_errno("stat", shown, errno);
  require_replaceable(*there, *above, shown);
}

void PlannedAccess::check_removal(const std::string& path) {
  check_directory(split_path(path).parent);
  const auto directory = m_open.open(split_path(path).parent);
  if (!directory) return;
  const auto there = see(directory->get(), split_path(path).name);
  const auto above = see(directory->get(), "");
  if (!there || !above) return;
  if (const auto refusal = refusal_to_replace(there->protection, above->protection, own_rights())) {
    throw_refusal(*refusal, (m_target.path() / path).native());
  }
}

void PlannedAccess::check_directory(const std::string& path) {
  if (m_checked == path) return;
  m_checked = path;
  const auto directory = m_open.open(path);
  if (!directory) return;  // it comes with what is restored
  const std::string shown = path == "." ? m_target.path().native() : (m_target.path() / path).native();
  const WriteJudgement judged = judge_writing(look_at_access(directory->get(), shown), own_rights());
  if (judged.writing == Writing::refused) throw_refusal(judged.refusal, shown);
}

void mend_target(const RestoreTarget& target, MendedDirectories& mended) {
  if (!look_at_anchor(target)) return;
  const auto id = id_of(target.anchor());
  if (!id) throw_errno("stat", target.anchor_path().native(), errno);
  mended.mend(target.anchor(), ".", *id, target.anchor_path().native());
}

}  // namespace cairn
