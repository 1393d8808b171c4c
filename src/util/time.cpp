#include "util/time.hpp"

#include <array>
#include <atomic>
#include <ctime>

#include <fmt/format.h>

namespace cairn {

using namespace std::chrono;

namespace {

struct Parts {
  year_month_day date;
  hh_mm_ss<nanoseconds> clock;
};

Parts split(Time time) {
  // By way of seconds: the first day of the range does not begin within it, in nanoseconds.
  const auto second = floor<seconds>(time);
  const auto day = floor<days>(second);
  return {year_month_day{day}, hh_mm_ss<nanoseconds>{(second - day) + (time - second)}};
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::optional<sys_seconds> make_seconds(int y, int mo, int d, int h, int mi, int s) {
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (!date.ok() || h > 23 || mi > 59 || s > 60) return std::nullopt;
  return sys_seconds{sys_days{date}} + hours{h} + minutes{mi} + seconds{s};
}

// Whole seconds of which every fraction fits.
std::optional<Time> to_time(sys_seconds at, nanoseconds fraction) {
  static constexpr seconds k_last = duration_cast<seconds>(nanoseconds::max()) - seconds{1};
  if (at.time_since_epoch() > k_last || at.time_since_epoch() < -k_last - seconds{1}) return std::nullopt;
  return Time{at} + fraction;
}

// The fraction and zone that follow the seconds. Returns nothing where the rest is not one.
std::optional<Time> parse_tail(sys_seconds base, std::string_view rest, bool compact) {
  nanoseconds part{0};
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    std::int64_t fraction = 0;
    std::size_t count = 0;
    while (count < rest.size() && rest[count] >= '0' && rest[count] <= '9') {
      if (count == 9) return std::nullopt;
      fraction = fraction * 10 + (rest[count] - '0');
      ++count;
    }
    if (count == 0) return std::nullopt;
    for (std::size_t i = count; i < 9; ++i) fraction *= 10;
    part = nanoseconds{fraction};
    rest.remove_prefix(count);
  }
  if (rest == "Z" || rest == "z") return to_time(base, part);
  if (compact || rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return std::nullopt;
  const auto h = digits(rest, 1, 2);
  const auto m = digits(rest, 4, 2);
  if (!h || !m || *h > 23 || *m > 59) return std::nullopt;
  const auto offset = hours{*h} + minutes{*m};
  return to_time(rest[0] == '+' ? base - offset : base + offset, part);
}

}  // namespace

std::string format_time(Time time) {
  // Every entry of a list has two of them. No year of the range has more digits or fewer.
  std::string out = "0000-00-00T00:00:00.000000000Z";
  const auto p = split(time);
  const auto put = [&](std::size_t first, std::size_t width, std::int64_t value) {
    for (std::size_t at = first + width; at-- > first; value /= 10) out[at] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, static_cast<int>(p.date.year()));
  put(5, 2, static_cast<unsigned>(p.date.month()));
  put(8, 2, static_cast<unsigned>(p.date.day()));
  put(11, 2, p.clock.hours().count());
  put(14, 2, p.clock.minutes().count());
  put(17, 2, p.clock.seconds().count());
  put(20, 9, p.clock.subseconds().count());
  return out;
}

std::string format_time_compact(Time time) {
  const auto p = split(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:09}Z", static_cast<int>(p.date.year()),
                     static_cast<unsigned>(p.date.month()), static_cast<unsigned>(p.date.day()),
                     p.clock.hours().count(), p.clock.minutes().count(), p.clock.seconds().count(),
                     p.clock.subseconds().count());
}

namespace {

std::atomic<TimeZoneShown> g_shown{TimeZoneShown::utc};

// Empty where the C library cannot tell.
std::string local_time_short(Time time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm local{};
  std::array<char, 64> text{};
  if (::localtime_r(&seconds, &local) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %z", &local)};
}

}  // namespace

void show_times(TimeZoneShown zone) noexcept {
  g_shown = zone;
}

std::string format_time_short(Time time) {
  if (g_shown == TimeZoneShown::local) {
    if (auto local = local_time_short(time); !local.empty()) return local;
  }
  const auto p = split(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(p.date.year()),
                     static_cast<unsigned>(p.date.month()), static_cast<unsigned>(p.date.day()),
                     p.clock.hours().count(), p.clock.minutes().count(), p.clock.seconds().count());
}

Nanoseconds elapsed(Time from, Time to) noexcept {
  Nanoseconds::rep difference = 0;
  if (__builtin_sub_overflow(to.time_since_epoch().count(), from.time_since_epoch().count(), &difference)) {
    return from < to ? Nanoseconds::max() : Nanoseconds::min();
  }
  return Nanoseconds{difference};
}

Time shifted(Time time, Nanoseconds by) noexcept {
  Nanoseconds::rep sum = 0;
  if (__builtin_add_overflow(time.time_since_epoch().count(), by.count(), &sum)) {
    return by > Nanoseconds::zero() ? Time::max() : Time::min();
  }
  return Time{Nanoseconds{sum}};
}

std::optional<Time> parse_time(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2), h = digits(text, 11, 2),
             mi = digits(text, 14, 2), s = digits(text, 17, 2);
  if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
  const auto base = make_seconds(*y, *mo, *d, *h, *mi, *s);
  if (!base) return std::nullopt;
  return parse_tail(*base, text.substr(19), false);
}

std::optional<Time> parse_time_exact(std::string_view text) {
  if (text.size() != 30 || text[10] != 'T' || text[17] == '6' || text[19] != '.' || text[29] != 'Z') {
    return std::nullopt;
  }
  return parse_time(text);
}

std::optional<Time> parse_time_compact(std::string_view text) {
  // One spelling only: two names of one instant would be two objects.
  if (text.size() != 26 || text[8] != 'T' || text[13] == '6' || text[15] != '.' || text[25] != 'Z') {
    return std::nullopt;
  }
  const auto y = digits(text, 0, 4), mo = digits(text, 4, 2), d = digits(text, 6, 2), h = digits(text, 9, 2),
             mi = digits(text, 11, 2), s = digits(text, 13, 2);
  if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
  const auto base = make_seconds(*y, *mo, *d, *h, *mi, *s);
  if (!base) return std::nullopt;
  return parse_tail(*base, text.substr(15), true);
}

std::optional<Time> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> k_months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "Sat, 21 Nov 2026 03:24:10 GMT"
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  const auto d = digits(text, 5, 2), y = digits(text, 12, 4), h = digits(text, 17, 2), mi = digits(text, 20, 2),
             s = digits(text, 23, 2);
  int month = 0;
  for (std::size_t i = 0; i < k_months.size(); ++i) {
    if (text.substr(8, 3) == k_months[i]) month = static_cast<int>(i) + 1;
  }
  if (!d || !y || !h || !mi || !s || month == 0) return std::nullopt;
  const auto at = make_seconds(*y, month, *d, *h, *mi, *s);
  if (!at) return std::nullopt;
  return to_time(*at, nanoseconds{0});
}

}  // namespace cairn
