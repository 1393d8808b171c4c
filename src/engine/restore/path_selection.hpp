// Which entries of a snapshot a restore takes. Pure.
#pragma once

#include "repo/entry.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// One thread. First every entry is shown to survey(); then select() answers. What it answers meanwhile is final unless
// there are stand-ins in the end.
class PathSelection {
 public:
  // Entries and what is below them; empty: everything. Leading "/" or "./" and trailing "/" are dropped; a path that
  // cannot be an entry is Error(usage).
  explicit PathSelection(const std::vector<std::string>& paths);

  // Notes what was found, and hard links that are selected while their target is not.
  void survey(const Entry& entry);
  // Whether a link is restored in the place of a target that is not selected.
  bool has_stand_ins() const noexcept { return !m_stand_ins.empty(); }
  // Error(not_found) where a path that was asked for is not in the snapshot.
  void check_found() const;

  // Whether the entry is restored, perhaps under another path: a file whose own name is not selected but one of its
  // hard links is restored as that link, and further links then point there. Directories above something selected are.
  bool select(Entry& entry) const;
  bool everything() const noexcept { return m_paths.empty(); }
  // Whether it was asked for, by its name or by one above it. A directory that is selected and not covered only leads
  // to what was asked for.
  bool covers(std::string_view path) const noexcept;

 private:
  bool leads_to(std::string_view directory) const noexcept;
  std::vector<std::string> m_paths;
  std::set<std::string> m_found;
  std::map<std::string, std::string, std::less<>> m_stand_ins;  // unselected target, the link that takes its place
};

}  // namespace cairn
