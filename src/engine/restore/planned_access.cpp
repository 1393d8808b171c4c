#include "engine/restore/planned_access.hpp"

#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>

namespace cairn {

namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

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
  // A single file lies in what the constructor looked at, and below a target that is not there yet nothing is.
  if (!m_target.below_anchor().empty() || path == ".") return;
  if (action == EntryAction::create || action == EntryAction::replace) check_directory(parent_of(path));
  if (action != EntryAction::metadata) return;
  const auto directory = m_open.open(path);
  if (!directory) return;  // it has gone: the publisher looks once more
  const std::string shown = (m_target.path() / path).native();
  const auto there = see(directory->get(), "");
  if (!there) throw_errno("stat", shown, errno);
  if (const auto refusal = refusal_to_change(there->protection)) throw_refusal(*refusal, shown);
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
