#include "capture/exclude.hpp"

#include <optional>

namespace cairn {

namespace {

constexpr std::string_view k_any_depth = "**";

// The POSIX classes in the C locale: names are bytes, and a restore elsewhere must choose the same files.
bool in_class(std::string_view name, unsigned char c) noexcept {
  const bool lower = c >= 'a' && c <= 'z';
  const bool upper = c >= 'A' && c <= 'Z';
  const bool digit = c >= '0' && c <= '9';
  const bool graph = c > ' ' && c < 0x7f;
  if (name == "alnum") return lower || upper || digit;
  if (name == "alpha") return lower || upper;
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "cntrl") return c < ' ' || c == 0x7f;
  if (name == "digit") return digit;
  if (name == "graph") return graph;
  if (name == "lower") return lower;
  if (name == "print") return graph || c == ' ';
  if (name == "punct") return graph && !lower && !upper && !digit;
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "upper") return upper;
  if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  return false;
}

struct Bracket {
  bool matched;
  std::size_t length;  // of the expression in the pattern, both brackets included
};

// The bracket expression at the start of pattern against c; nothing where it does not end.
std::optional<Bracket> match_bracket(std::string_view pattern, unsigned char c) noexcept {
  std::size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool matched = false;
  for (bool first = true;; first = false) {
    if (i >= pattern.size()) return std::nullopt;
    if (pattern[i] == ']' && !first) return Bracket{matched != negated, i + 1};
    if (pattern[i] == '[' && i + 1 < pattern.size() && pattern[i + 1] == ':') {
      const std::size_t end = pattern.find(":]", i + 2);
      if (end != std::string_view::npos) {
        matched |= in_class(pattern.substr(i + 2, end - i - 2), c);
        i = end + 2;
        continue;
      }
    }
    if (pattern[i] == '\\' && ++i >= pattern.size()) return std::nullopt;
    const auto low = static_cast<unsigned char>(pattern[i++]);
    auto high = low;
    // A '-' at the end of the expression stands for itself.
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (pattern[i] == '\\' && ++i >= pattern.size()) return std::nullopt;
      high = static_cast<unsigned char>(pattern[i++]);
    }
    matched |= low <= c && c <= high;
  }
}

// Splits at '/', also at one behind a backslash (it can mean nothing else).
std::vector<std::string> split_pattern(std::string_view text) {
  std::vector<std::string> components(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      if (text[i] != '/') {
        components.back() += '\\';
        components.back() += text[i];
        continue;
      }
    }
    if (text[i] == '/') {
      components.emplace_back();
    } else {
      components.back() += text[i];
    }
  }
  return components;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0;
  std::size_t n = 0;
  // Where to go on after the last '*' took one byte more. Going back to the last one alone is enough, because an
  // earlier one cannot do better than where it first succeeded.
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  for (;;) {
    bool stuck = false;
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_name = n;
      continue;
    }
    if (n == name.size()) {
      // Nothing left to match: a longer '*' would not help either.
      return p == pattern.size();
    }
    if (p == pattern.size()) {
      stuck = true;
    } else if (pattern[p] == '?') {
      ++p, ++n;
    } else if (pattern[p] == '[') {
      const auto bracket = match_bracket(pattern.substr(p), static_cast<unsigned char>(name[n]));
      if (!bracket) return false;
      stuck = !bracket->matched;
      if (!stuck) p += bracket->length, ++n;
    } else {
      std::size_t literal = p;
      if (pattern[p] == '\\' && ++literal == pattern.size()) return false;
      stuck = pattern[literal] != name[n];
      if (!stuck) p = literal + 1, ++n;
    }
    if (stuck) {
      if (star == std::string_view::npos) return false;
      p = star;
      n = ++star_name;
    }
  }
}

PatternList::PatternList(const std::vector<std::string>& patterns) {
  for (const std::string& text : patterns) add(text);
}

void PatternList::add(std::string_view text) {
  if (text.starts_with('#')) return;
  while (text.ends_with(' ')) {
    // An odd number of backslashes before the space keeps it.
    std::size_t backslashes = 0;
    while (backslashes + 1 < text.size() && text[text.size() - 2 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 1) break;
    text.remove_suffix(1);
  }
  Pattern pattern;
  if (text.starts_with('!')) {
    pattern.negative = true;
    text.remove_prefix(1);
  }
  if (text.ends_with('/')) {
    pattern.directories_only = true;
    text.remove_suffix(1);
    if (text.ends_with('\\')) text.remove_suffix(1);
  }
  if (text.empty()) return;
  pattern.components = split_pattern(text);
  if (pattern.components.size() > 1) {
    pattern.anchored = true;
    if (pattern.components.front().empty()) pattern.components.erase(pattern.components.begin());
  }
  m_patterns.push_back(std::move(pattern));
}

bool PatternList::matches_path(const Pattern& pattern, const std::vector<std::string_view>& components) {
  if (!pattern.anchored) return matches_glob(pattern.components.front(), components.back());
  // The same walk as in matches_glob, with "**" for '*' and components for bytes.
  const auto& parts = pattern.components;
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string::npos;
  std::size_t star_name = 0;
  for (;;) {
    if (p < parts.size() && parts[p] == k_any_depth) {
      // At the end it means "everything inside", so it takes at least one component.
      if (p + 1 == parts.size()) return n < components.size();
      star = ++p;
      star_name = n;
      continue;
    }
    if (n == components.size()) return p == parts.size();
    if (p < parts.size() && matches_glob(parts[p], components[n])) {
      ++p, ++n;
      continue;
    }
    if (star == std::string::npos) return false;
    p = star;
    n = ++star_name;
  }
}

PatternList::Match PatternList::match(std::string_view path, Kind kind) const {
  if (m_patterns.empty()) return Match::none;
  std::vector<std::string_view> components;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    components.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  for (auto pattern = m_patterns.rbegin(); pattern != m_patterns.rend(); ++pattern) {
    if (pattern->directories_only && kind != Kind::directory) continue;
    if (matches_path(*pattern, components)) return pattern->negative ? Match::negative : Match::positive;
  }
  return Match::none;
}

}  // namespace cairn
