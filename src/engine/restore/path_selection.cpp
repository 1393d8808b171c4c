#include "engine/restore/path_selection.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_list_hint = "'cairn list REF --files' shows what is";

PatternList::Kind kind_of(EntryType type) noexcept {
  return type == EntryType::directory ? PatternList::Kind::directory : PatternList::Kind::other;
}

// As a pattern in which only what chooses among names has a meaning.
std::string pattern_text(std::string_view given) {
  std::string text{given};
  if (text.starts_with('!') || text.starts_with('#')) text.insert(0, 1, '\\');
  if (text.ends_with(' ')) text.insert(text.size() - 1, 1, '\\');
  return text;
}

// Calls visit(path, type) with each directory above the path, from the top, and with itself, until it returns true.
template <class Visit>
bool any_on_the_way(std::string_view path, EntryType type, Visit visit) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (visit(path.substr(0, slash), EntryType::directory)) return true;
  }
  return visit(path, type);
}

}  // namespace

PathSelection::PathSelection(const PathChoice& choice)
    : m_all(choice.paths.empty() && choice.literal_paths.empty()), m_excludes(choice.excludes) {
  for (const auto& path : choice.paths) add(path, true);
  for (const auto& path : choice.literal_paths) add(path, false);
  if (!m_all) return;
  m_paths.clear();
  m_patterns.clear();
}

void PathSelection::add(std::string_view path, bool may_be_pattern) {
  const std::string_view given = path;
  const bool directory_only = path.ends_with('/');
  while (path.starts_with("./")) path.remove_prefix(2);
  const bool anchored = path.starts_with('/');
  while (path.starts_with("/")) path.remove_prefix(1);
  while (path.size() > 1 && path.ends_with("/")) path.remove_suffix(1);
  if (!is_valid_entry_path(path)) {
    throw Error(ErrorKind::usage, fmt::format("unable to restore path {}: not a path in a snapshot", quote(given)),
                "paths are relative to the root of the snapshot; 'cairn list REF --files' shows them");
  }
  if (path == ".") {
    m_all = true;
  } else if (may_be_pattern && path.find_first_of("*?[\\") != std::string_view::npos) {
    const std::string text = (anchored ? "/" : "") + pattern_text(path) + (directory_only ? "/" : "");
    m_patterns.push_back({std::string{path}, PatternList{{text}}});
  } else {
    m_paths.emplace(path);
  }
}

bool PathSelection::is_named(std::string_view path, EntryType type) const {
  if (m_paths.contains(path)) return true;
  return std::any_of(m_patterns.begin(), m_patterns.end(), [&](const Pattern& pattern) {
    return path == pattern.given || (!pattern.is_literal && pattern.list.matches(path, kind_of(type)));
  });
}

bool PathSelection::asked_for(std::string_view path, EntryType type) const {
  if (m_all) return true;
  return any_on_the_way(path, type, [&](std::string_view at, EntryType kind) { return is_named(at, kind); });
}

bool PathSelection::is_excluded(std::string_view path, EntryType type) const {
  if (m_excludes.empty() || path == ".") return false;
  return any_on_the_way(path, type,
                        [&](std::string_view at, EntryType kind) { return m_excludes.matches(at, kind_of(kind)); });
}

bool PathSelection::covers(std::string_view path, EntryType type) const {
  return asked_for(path, type) && !is_excluded(path, type);
}

bool PathSelection::leads_to(std::string_view directory) const {
  if (directory == ".") return true;
  const std::string prefix = std::string{directory} + '/';
  const auto below = m_paths.lower_bound(prefix);
  return (below != m_paths.end() && below->starts_with(prefix)) || m_leading.contains(directory);
}

void PathSelection::note_leading(std::string_view path) {
  for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/')) {
    path = path.substr(0, slash);
    // The directories that lead to it were noted when they went by.
    if (m_leading.contains(path) || asked_for(path, EntryType::directory)) return;
    m_leading.emplace(path);
    // It has gone by already.
    m_changed = true;
  }
}

void PathSelection::note_found(const Entry& entry) {
  if (m_paths.contains(entry.path)) m_found.insert(entry.path);
  for (Pattern& pattern : m_patterns) {
    if (entry.path == pattern.given) {
      pattern.found = true;
      if (!std::exchange(pattern.is_literal, true)) m_changed = m_meaning_changed = true;
    }
    if (!pattern.list.matches(entry.path, kind_of(entry.type)) && entry.path != pattern.given) continue;
    pattern.found = true;
  }
}

void PathSelection::survey(const Entry& entry) {
  if (everything()) return;
  note_found(entry);
  if (!covers(entry.path, entry.type)) return;
  m_any = true;
  if (!m_patterns.empty() && !m_all) note_leading(entry.path);
  if (entry.type == EntryType::hard_link && !covers(entry.link_target)) {
    m_changed = m_stand_ins.emplace(entry.link_target, entry.path).second || m_changed;
  }
}

bool PathSelection::look_again() {
  if (!std::exchange(m_changed, false)) return false;
  m_any = false;
  if (std::exchange(m_meaning_changed, false)) {
    m_leading.clear();
    m_stand_ins.clear();
  }
  return true;
}

void PathSelection::check_found() const {
  std::vector<std::string> missing;
  for (const auto& path : m_paths) {
    if (!m_found.contains(path)) missing.push_back(quote(path));
  }
  for (const Pattern& pattern : m_patterns) {
    if (!pattern.found) missing.push_back(quote(pattern.given));
  }
  if (missing.size() == 1) {
    throw Error(ErrorKind::not_found,
                fmt::format("unable to restore path {}: it is not in the snapshot", missing.front()),
                std::string{k_list_hint});
  }
  if (!missing.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("unable to restore {} paths: they are not in the snapshot: {}", missing.size(),
                            fmt::join(missing, ", ")),
                std::string{k_list_hint});
  }
  if (!everything() && !m_any) {
    throw Error(ErrorKind::not_found, "unable to restore paths: none of them is left after --exclude");
  }
}

bool PathSelection::select(Entry& entry) const {
  if (everything()) return true;
  const bool covered = covers(entry.path, entry.type);
  if (entry.type == EntryType::hard_link) {
    if (!covered) return false;
    const auto found = m_stand_ins.find(entry.link_target);
    if (found == m_stand_ins.end()) return true;
    if (found->second == entry.path) return false;  // restored already, in its target's place
    entry.link_target = found->second;
    return true;
  }
  if (covered) return true;
  if (entry.type == EntryType::directory) return leads_to(entry.path) && !is_excluded(entry.path, entry.type);
  const auto found = m_stand_ins.find(entry.path);
  if (found == m_stand_ins.end()) return false;
  entry.path = found->second;
  return true;
}

}  // namespace cairn
