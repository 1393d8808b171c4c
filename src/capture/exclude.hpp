// Patterns in the syntax of gitignore(5), matched against the paths of a walk. Pure: no file is looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// A list of patterns; the last one that matches decides, "!" turns the decision. As gitignore(5) has it:
//   - a blank pattern and one that begins with '#' match nothing; trailing spaces count only after a backslash;
//   - a '/' at the beginning or in the middle anchors the pattern at the root of the walk, otherwise it matches a name
//     at any depth; a '/' at the end matches directories only;
//   - '*', '?' and '[...]' match no '/'; "**" as a whole component matches any number of them (at least one at the
//     end); a backslash takes the next character as it is. Bytes are compared, case counts.
//   - a path below an excluded directory is excluded too, whatever later patterns say: the walk does not go there.
// Immutable after construction, so thread-safe. Matching takes time in the product of the two lengths at worst.
class PatternList {
 public:
  PatternList() = default;
  explicit PatternList(const std::vector<std::string>& patterns);

  bool empty() const noexcept { return m_patterns.empty(); }

  enum class Match { none, positive, negative };
  enum class Kind { directory, other };
  // The verdict of the last matching pattern on path itself (relative, '/' between components, never "."). The caller
  // asks for each directory on the way down.
  Match match(std::string_view path, Kind kind) const;
  bool matches(std::string_view path, Kind kind) const { return match(path, kind) == Match::positive; }

 private:
  struct Pattern {
    std::vector<std::string> components;  // "**" as a whole component matches any number of them
    bool negative = false;
    bool directories_only = false;
    bool anchored = false;
  };
  static bool matches_path(const Pattern& pattern, const std::vector<std::string_view>& components);
  void add(std::string_view text);

  std::vector<Pattern> m_patterns;
};

// One component against one pattern component (fnmatch(3) without '/'). An unfinished '[' or a lone backslash at the
// end matches nothing.
bool matches_glob(std::string_view pattern, std::string_view name) noexcept;

}  // namespace cairn
