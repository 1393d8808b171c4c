#include "engine/restore/path_selection.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

PathSelection::PathSelection(const std::vector<std::string>& paths) {
  for (std::string_view path : paths) {
    const std::string_view given = path;
    while (path.starts_with("./")) path.remove_prefix(2);
    while (path.starts_with("/")) path.remove_prefix(1);
    while (path.size() > 1 && path.ends_with("/")) path.remove_suffix(1);
    if (!is_valid_entry_path(path)) {
      throw Error(ErrorKind::usage, fmt::format("unable to restore path {}: not a path in a snapshot", quote(given)),
                  "paths are relative to the root of the snapshot; 'cairn list REF --files' shows them");
    }
    if (path == ".") {
      m_paths.clear();
      return;
    }
    m_paths.emplace_back(path);
  }
}

bool PathSelection::covers(std::string_view path) const noexcept {
  for (const auto& p : m_paths) {
    if (path == p || (path.size() > p.size() && path.starts_with(p) && path[p.size()] == '/')) return true;
  }
  return m_paths.empty();
}

bool PathSelection::leads_to(std::string_view directory) const noexcept {
  if (directory == ".") return true;
  for (const auto& p : m_paths) {
    if (p.size() > directory.size() && p.starts_with(directory) && p[directory.size()] == '/') return true;
  }
  return false;
}

void PathSelection::survey(const Entry& entry) {
  if (m_paths.empty()) return;
  for (const auto& p : m_paths) {
    if (entry.path == p) m_found.insert(p);
  }
  if (entry.type == EntryType::hard_link && covers(entry.path) && !covers(entry.link_target)) {
    m_stand_ins.emplace(entry.link_target, entry.path);
  }
}

void PathSelection::check_found() const {
  for (const auto& p : m_paths) {
    if (!m_found.contains(p)) {
      throw Error(ErrorKind::not_found, fmt::format("unable to restore path {}: it is not in the snapshot", quote(p)),
                  "'cairn list REF --files' shows what is");
    }
  }
}

bool PathSelection::select(Entry& entry) const {
  if (m_paths.empty()) return true;
  if (entry.type == EntryType::hard_link) {
    if (!covers(entry.path)) return false;
    const auto found = m_stand_ins.find(entry.link_target);
    if (found == m_stand_ins.end()) return true;
    if (found->second == entry.path) return false;  // restored already, in its target's place
    entry.link_target = found->second;
    return true;
  }
  if (covers(entry.path)) return true;
  if (entry.type == EntryType::directory) return leads_to(entry.path);
  const auto found = m_stand_ins.find(entry.path);
  if (found == m_stand_ins.end()) return false;
  entry.path = found->second;
  return true;
}

}  // namespace cairn
