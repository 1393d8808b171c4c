#include "codec/age/armour.hpp"

#include "codec/age/damage.hpp"
#include "util/bytes.hpp"

#include <algorithm>

namespace cairn::age {

namespace {

constexpr std::string_view k_begin = "-----BEGIN AGE ENCRYPTED FILE-----";
constexpr std::string_view k_end = "-----END AGE ENCRYPTED FILE-----";
constexpr std::string_view k_white = " \t\r\n";
constexpr std::size_t k_columns = 64;

std::string_view trimmed_front(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_not_of(k_white), text.size()));
}

[[noreturn]] void damaged(std::string_view cause) {
  throw Damage(DamagedPart::armour, cause);
}

// The next line, without its end; the last one may have none.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string armour(std::string_view file) {
  const std::string base64 = to_base64(as_bytes(file));
  std::string out;
  out.reserve(base64.size() + base64.size() / k_columns + k_begin.size() + k_end.size() + 3);
  out.append(k_begin) += '\n';
  for (std::size_t at = 0; at < base64.size(); at += k_columns) out.append(base64, at, k_columns) += '\n';
  out.append(k_end) += '\n';
  return out;
}

std::string dearmour(std::string_view text) {
  text = trimmed_front(text);
  if (take_line(text) != k_begin) damaged("the first line is not its begin line");
  std::string base64;
  base64.reserve(text.size());
  bool last = false;
  for (;;) {
    if (text.empty()) damaged("there is no end line");
    const std::string_view line = take_line(text);
    if (line == k_end) break;
    if (last) damaged("a line after a short one");
    if (line.empty() || line.size() > k_columns) damaged("a line of the wrong length");
    last = line.size() < k_columns;
    base64 += line;
  }
  if (!trimmed_front(text).empty()) damaged("something follows the end line");
  const auto bytes = from_base64(base64);
  if (!bytes) damaged("not canonical base64");
  return std::string{as_text(*bytes)};
}

bool is_armoured(std::string_view text) noexcept {
  return trimmed_front(text).starts_with(k_begin);
}

}  // namespace cairn::age
