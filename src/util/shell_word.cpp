#include "util/shell_word.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

bool is_plain(char c) {
  constexpr std::string_view k_plain = "@%+=:,./-_";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         k_plain.find(c) != std::string_view::npos;
}

bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string{text};
  const bool printable = std::all_of(text.begin(), text.end(), is_printable);
  std::string out = printable ? "'" : "$'";
  for (const char c : text) {
    if (printable) {
      out += c == '\'' ? std::string{"'\\''"} : std::string{c};
    } else if (c == '\'' || c == '\\') {
      out += {'\\', c};
    } else {
      out += is_printable(c) ? std::string{c} : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    }
  }
  return out + "'";
}

}  // namespace cairn
