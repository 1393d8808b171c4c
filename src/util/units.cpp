#include "util/units.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace cairn {

using namespace std::chrono;

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> k_names{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  value /= 1024;
  while (value >= 1023.95 && unit + 1 < k_names.size()) {
    value /= 1024;
    ++unit;
  }
  return value < 99.95 ? fmt::format("{:.1f} {}", value, k_names[unit])
                       : fmt::format("{:.0f} {}", value, k_names[unit]);
}

namespace {

// A plain decimal number at the start of text; removes what it read.
std::optional<double> take_number(std::string_view& text) {
  std::size_t i = 0;
  double value = 0;
  while (i < text.size() && text[i] >= '0' && text[i] <= '9') value = value * 10 + (text[i++] - '0');
  if (i == 0) return std::nullopt;
  if (i < text.size() && text[i] == '.') {
    double scale = 0.1;
    const std::size_t dot = i++;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      value += (text[i++] - '0') * scale;
      scale /= 10;
    }
    if (i == dot + 1) return std::nullopt;
  }
  text.remove_prefix(i);
  return value;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  double factor = 1;
  if (!text.empty() && text != "B") {
    static constexpr std::string_view k_prefixes = "kMGTP";
    const char upper = text.front() == 'K' ? 'k' : text.front();
    const auto at = k_prefixes.find(upper);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(1);
    double base = 0;
    if (rest.empty() || rest == "iB" || rest == "i") base = 1024;
    if (rest == "B") base = 1000;
    if (base == 0) return std::nullopt;
    factor = std::pow(base, static_cast<double>(at + 1));
  }
  const double value = *number * factor;
  if (value > 9.2e18) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::string format_duration(nanoseconds duration) {
  const double s = duration_cast<std::chrono::duration<double>>(duration).count();
  if (s < 0) return "-" + format_duration(-duration);
  if (s < 0.9995) return fmt::format("{:.0f} ms", s * 1000);
  if (s < 59.95) return fmt::format("{:.1f} s", s);
  const auto total = static_cast<std::int64_t>(std::llround(s));
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  if (total < 86400) return fmt::format("{} h {} min", total / 3600, total % 3600 / 60);
  return fmt::format("{} d {} h", total / 86400, total % 86400 / 3600);
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number || text.empty()) return std::nullopt;
    double factor = 0;
    std::size_t length = 1;
    if (text.starts_with("ms")) {
      factor = 0.001;
      length = 2;
    } else {
      switch (text.front()) {
        case 's':
          factor = 1;
          break;
        case 'm':
          factor = 60;
          break;
        case 'h':
          factor = 3600;
          break;
        case 'd':
          factor = 86400;
          break;
        case 'w':
          factor = 7 * 86400;
          break;
        case 'y':
          factor = 365 * 86400;
          break;
        default:
          return std::nullopt;
      }
    }
    text.remove_prefix(length);
    total += *number * factor;
  }
  if (total > 9.0e9) return std::nullopt;
  return duration_cast<nanoseconds>(std::chrono::duration<double>(total));
}

std::string counted(std::uint64_t n, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", n, n == 1 ? singular : plural);
}

}  // namespace cairn
