// Exclude patterns: lines of patterns, an empty line, lines of paths.
#include "capture/exclude.hpp"

#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  std::vector<std::string> patterns;
  std::vector<std::string_view> paths;
  bool in_paths = false;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    if (line.empty()) {
      in_paths = true;
    } else if (in_paths) {
      paths.push_back(line);
    } else {
      patterns.emplace_back(line);
    }
  }
  const PatternList all{patterns};
  for (const auto path : paths) {
    for (const auto kind : {PatternList::Kind::directory, PatternList::Kind::other}) {
      // The last pattern that says something decides.
      auto expected = PatternList::Match::none;
      for (const auto& pattern : patterns) {
        const auto said = PatternList{{pattern}}.match(path, kind);
        if (said != PatternList::Match::none) expected = said;
      }
      require(all.match(path, kind) == expected, "the last pattern that matches decides");
    }
    for (const auto& pattern : patterns) static_cast<void>(matches_glob(pattern, path));
    require(matches_glob("*", path), "a star matches any name");
  }
}

std::vector<std::string> seeds() {
  return {"*.tmp\n!keep.tmp\n\na.tmp\nkeep.tmp\n", "/a/**/b\n# no\n\\#x\nd/\n\na/x/y/b\nd\n#x\n",
          "[a-c]x\n[!a]?\n[]a]\n**/z\nz/**\n\nax\nbz\n]\nq/z\nz/q\n", "a\\ \nb  \n[[:alpha:]]\n[z\n\\\n\na \nb\n"};
}

const fuzz::Registration k_registration{{"exclude", run, seeds}};

}  // namespace
