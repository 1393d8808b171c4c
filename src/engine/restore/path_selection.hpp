// Which entries of a snapshot a restore takes. Pure.
#pragma once

#include "capture/exclude.hpp"
#include "repo/entry.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// A choice of paths as the user gives it. An empty one means everything.
struct PathChoice {
  // Entries and what is below them. One with a character of patterns ('*', '?', '[', '\') that is no entry as it stands
  // is a pattern: see PatternList, but that neither '!' nor '#' nor a blank at the end means anything.
  std::vector<std::string> paths;
  std::vector<std::string> literal_paths;  // never patterns
  // Patterns, as a snapshot's excludes, of what is left out of that.
  std::vector<std::string> excludes;

  bool everything() const noexcept { return paths.empty() && literal_paths.empty() && excludes.empty(); }
};

// One thread. Every entry is shown to survey(); then select() answers for it. What it answers is final unless
// look_again() in the end: then every entry is shown once more, and the answers of that time count.
class PathSelection {
 public:
  // Leading "/" or "./" and trailing "/" of paths are dropped; a path that cannot be an entry is Error(usage).
  explicit PathSelection(const PathChoice& choice);
  explicit PathSelection(const std::vector<std::string>& paths) : PathSelection(PathChoice{paths, {}, {}}) {}

  // Notes what was found, and hard links that are selected while their target is not. Entries in the order of the list.
  void survey(const Entry& entry);
  // Whether something was found that earlier answers did not know of: a link in the place of a target that is not
  // selected, a directory above what a pattern matches, an entry whose name looks like a pattern. At most twice.
  bool look_again();
  // Error(not_found), naming all of them, where paths that were asked for are not in the snapshot, or where nothing is
  // left of it.
  void check_found() const;

  // Whether the entry is restored, perhaps under another path: a file whose own name is not selected but one of its
  // hard links is restored as that link, and further links then point there. Directories above something selected are.
  bool select(Entry& entry) const;
  bool everything() const noexcept { return m_all && m_excludes.empty(); }
  // Whether it was asked for, by its name or by one above it, and is not excluded. A directory that is selected and not
  // covered only leads to what was asked for.
  bool covers(std::string_view path, EntryType type = EntryType::file) const;
  // Whether a directory lies above something that was asked for. What a pattern matches counts once it was surveyed.
  bool leads_to(std::string_view directory) const;

 private:
  struct Pattern {
    std::string given;
    PatternList list;
    bool is_literal = false;  // an entry has that very name
    bool found = false;
  };
  void add(std::string_view path, bool may_be_pattern);
  bool asked_for(std::string_view path, EntryType type) const;
  bool is_named(std::string_view path, EntryType type) const;
  bool is_excluded(std::string_view path, EntryType type) const;
  void note_found(const Entry& entry);
  void note_leading(std::string_view path);

  bool m_all = false;  // no path was given, or the root
  std::set<std::string, std::less<>> m_paths;
  std::vector<Pattern> m_patterns;
  PatternList m_excludes;
  bool m_changed = false;
  bool m_meaning_changed = false;  // of a path
  bool m_any = false;              // something is selected
  std::set<std::string, std::less<>> m_found;
  std::set<std::string, std::less<>> m_leading;                 // directories above what a pattern matches
  std::map<std::string, std::string, std::less<>> m_stand_ins;  // unselected target, the link that takes its place
};

}  // namespace cairn
