#include "store/s3/profile_file.hpp"

#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// A comment inside a line needs white space before it: keys may hold the characters themselves.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((text[i] == '#' || text[i] == ';') && is_space(text[i - 1])) return text.substr(0, i);
  }
  return text;
}

std::string lower_case(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// The settings that a section header opens; null for a kind of section that is of no use here.
Settings* section(ProfileFile& file, std::string_view header, ProfileFileKind kind) {
  const std::size_t gap = header.find_first_of(" \t");
  std::string_view word = header.substr(0, gap);
  std::string_view name = gap == std::string_view::npos ? std::string_view{} : trim(header.substr(gap));
  if (name.size() >= 2 && name.front() == name.back() && (name.front() == '"' || name.front() == '\'')) {
    name = name.substr(1, name.size() - 2);
  }
  if (kind == ProfileFileKind::credentials) return &file.profiles[std::string{header}];
  if (header == "default") return &file.profiles["default"];
  if (word == "profile" && !name.empty()) return &file.profiles[std::string{name}];
  if (word == "services" && !name.empty()) return &file.services[std::string{name}];
  return nullptr;
}

}  // namespace

ProfileFile parse_profile_file(std::string_view text, ProfileFileKind kind, std::string_view file_name) {
  ProfileFile file;
  Settings* current = nullptr;
  std::string block;  // the setting that indented lines belong to
  std::size_t number = 0;
  bool in_section = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const std::string_view content = trim(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    const auto refuse = [&](std::string_view cause) {
      throw Error(ErrorKind::usage, fmt::format("unable to read {}: line {}: {}", quote(file_name), number, cause));
    };
    if (content.front() == '[') {
      const std::size_t close = content.find(']');
      if (close == std::string_view::npos) refuse("a section without its closing bracket");
      current = section(file, trim(content.substr(1, close - 1)), kind);
      in_section = true;
      block.clear();
      continue;
    }
    if (!in_section) refuse("a setting outside of any section");
    const std::size_t equals = content.find('=');
    const bool nested = is_space(line.front()) && !block.empty();
    if (equals == std::string_view::npos || equals == 0) {
      if (nested) continue;  // the continuation of a value that is of no use here
      refuse("neither a section nor a setting");
    }
    const std::string name = lower_case(trim(content.substr(0, equals)));
    const std::string value{trim(without_comment(content.substr(equals + 1)))};
    if (!nested) block = name;
    if (current != nullptr) (*current)[nested ? fmt::format("{}.{}", block, name) : name] = value;
  }
  return file;
}

}  // namespace cairn::s3
