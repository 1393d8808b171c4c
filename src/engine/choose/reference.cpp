#include "engine/choose/reference.hpp"

#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

constexpr std::size_t k_shortest_prefix = 8;
constexpr std::size_t k_named_in_hints = 8;
constexpr const char* k_series_rule =
    "a series is a letter or digit, then up to 63 letters, digits, '.', '_' or '-'; "
    "not 'latest', and not 8 or more hexadecimal digits alone";

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_id(std::string_view text) {
  return text.size() >= k_shortest_prefix && text.size() <= 64 && std::all_of(text.begin(), text.end(), is_hex_digit);
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// A date and time with each part that may be left out put in, and the width of what was written.
struct WrittenTime {
  std::string complete;
  Nanoseconds width;
};

WrittenTime complete_time(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t k_date = 10, k_minute = 16, k_second = 19;
  if (text.size() == k_date) return {std::string{text} + "T00:00:00Z", days{1}};
  // Where the clock part ends and the offset begins; the date has dashes, so the search starts after it.
  const auto zone = std::min(text.find_first_of("Zz+-", k_date), text.size());
  std::string clock{text.substr(0, zone)};
  const std::string offset = zone == text.size() ? "Z" : std::string{text.substr(zone)};
  if (clock.size() == k_minute) return {clock + ":00" + offset, minutes{1}};
  if (clock.size() == k_second) return {clock + offset, seconds{1}};
  return {clock + offset, nanoseconds{1}};
}

std::variant<Time, Nanoseconds> parse_at(std::string_view text, std::string_view whole) {
  const auto written = complete_time(text);
  if (const auto time = parse_time(written.complete)) return shifted(*time, written.width - Nanoseconds{1});
  if (const auto age = parse_duration(text)) return *age;
  throw Error(ErrorKind::usage, fmt::format("invalid time {} in {}", quote_given(text), quote_given(whole)),
              "write a time as 2026-11-21T03:24:10Z, a date as 2026-11-21, or an age as 2h, 3d, 1w");
}

// Indices of candidates, with what is not trusted told apart.
struct Matches {
  std::vector<std::size_t> trusted;
  std::vector<std::size_t> untrusted;
};

template <class Predicate>
Matches find_all(std::span<const ReferenceCandidate> candidates, const Predicate& predicate) {
  Matches matches;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!predicate(candidates[i])) continue;
    (candidates[i].trusted ? matches.trusted : matches.untrusted).push_back(i);
  }
  return matches;
}

bool is_older(const ReferenceCandidate& a, const ReferenceCandidate& b) {
  return std::tie(a.cut_point, a.id) < std::tie(b.cut_point, b.id);
}

std::set<std::string> series_of(std::span<const ReferenceCandidate> candidates, const std::vector<std::size_t>& among) {
  std::set<std::string> names;
  for (const std::size_t i : among) names.insert(candidates[i].series);
  return names;
}

// "a, b, c and 5 more"
template <class Names>
std::string some_of(const Names& names) {
  std::vector<std::string> shown;
  for (const auto& name : names) {
    if (shown.size() == k_named_in_hints) break;
    shown.push_back(name);
  }
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (names.size() > shown.size()) text += fmt::format(" and {} more", names.size() - shown.size());
  return text;
}

std::string untrusted_note(std::size_t count) {
  return count == 1
             ? "one snapshot was left out: it is unsigned, or signed by a key that is not trusted here"
             : fmt::format("{} snapshots were left out: unsigned, or signed by a key that is not trusted here", count);
}

// All that there is was dated by a clock that was ahead.
[[noreturn]] void throw_future_dated(std::span<const ReferenceCandidate> candidates,
                                     const std::vector<std::size_t>& among, const std::string& what) {
  const std::size_t newest = *std::max_element(
      among.begin(), among.end(), [&](std::size_t a, std::size_t b) { return is_older(candidates[a], candidates[b]); });
  throw Error(ErrorKind::not_found,
              fmt::format("no snapshot of {} but such as are dated after they came to the store", what),
              fmt::format("a clock was ahead; name one by its id: {} is of {}",
                          candidates[newest].id.hex().substr(0, 12), format_time_short(candidates[newest].cut_point)));
}

[[noreturn]] void throw_no_series(std::span<const ReferenceCandidate> candidates, const std::string& series,
                                  std::size_t untrusted) {
  const auto known = series_of(candidates, find_all(candidates, [](const auto&) { return true; }).trusted);
  std::string hint;
  if (untrusted > 0) {
    hint = untrusted_note(untrusted);
  } else if (std::all_of(series.begin(), series.end(), is_hex_digit) && series.size() < k_shortest_prefix) {
    hint = fmt::format("an id needs at least {} digits", k_shortest_prefix);
  } else if (!known.empty()) {
    hint = "series there are: " + some_of(known);
  }
  throw Error(ErrorKind::not_found, fmt::format("no snapshot of series {}", quote_given(series)), hint);
}

class Resolver {
 public:
  Resolver(std::span<const ReferenceCandidate> candidates, const std::optional<std::string>& series, Time now,
           std::vector<std::size_t>* passed_over)
      : m_candidates(candidates), m_series(series), m_now(now), m_passed_over(passed_over) {}

  std::size_t operator()(const LatestReference&) const {
    if (m_series) return (*this)(SeriesReference{*m_series});
    const auto found = find_all(m_candidates, [](const auto&) { return true; });
    if (found.trusted.empty()) {
      throw Error(ErrorKind::not_found, "no snapshot in the store",
                  found.untrusted.empty() ? "" : untrusted_note(found.untrusted.size()));
    }
    const auto names = series_of(m_candidates, found.trusted);
    if (names.size() > 1) {
      throw Error(ErrorKind::usage, fmt::format("'latest' is ambiguous: there are {} series", names.size()),
                  "name one, or give --series: " + some_of(names));
    }
    return newest(found.trusted, "series " + quote(*names.begin()));
  }

  std::size_t operator()(const SeriesReference& reference) const {
    check_filter(reference.series);
    return newest(all_of_series(reference.series), "series " + quote(reference.series));
  }

  std::size_t operator()(const TimeReference& reference) const {
    check_filter(reference.series);
    const auto all = all_of_series(reference.series);
    const Time limit = std::holds_alternative<Time>(reference.at)
                           ? std::get<Time>(reference.at)
                           : shifted(m_now, -std::get<Nanoseconds>(reference.at));
    std::vector<std::size_t> early;
    std::copy_if(all.begin(), all.end(), std::back_inserter(early),
                 [&](std::size_t i) { return m_candidates[i].cut_point <= limit; });
    if (!early.empty()) {
      return newest(early, fmt::format("series {} at or before {}", quote(reference.series), format_time(limit)));
    }
    const auto oldest = *std::min_element(all.begin(), all.end(), [&](std::size_t a, std::size_t b) {
      return m_candidates[a].cut_point < m_candidates[b].cut_point;
    });
    throw Error(ErrorKind::not_found,
                fmt::format("no snapshot of series {} at or before {}", quote(reference.series), format_time(limit)),
                "the oldest is of " + format_time(m_candidates[oldest].cut_point));
  }

  std::size_t operator()(const IdReference& reference) const {
    const auto found = find_all(m_candidates, [&](const ReferenceCandidate& candidate) {
      return (!m_series || candidate.series == *m_series) && candidate.id.hex().starts_with(reference.prefix);
    });
    std::set<Digest> ids;
    for (const std::size_t i : found.trusted) ids.insert(m_candidates[i].id);
    if (ids.size() > 1) throw_ambiguous(reference, found.trusted);
    if (!found.trusted.empty()) return found.trusted.front();
    if (!found.untrusted.empty()) {
      throw Error(ErrorKind::untrusted,
                  fmt::format("snapshot {} is unsigned, or signed by a key that is not trusted", reference.prefix));
    }
    throw Error(ErrorKind::not_found,
                m_series ? fmt::format("no snapshot {} in series {}", reference.prefix, quote(*m_series))
                         : fmt::format("no snapshot {}", reference.prefix));
  }

 private:
  // The newest of those that are dated well. what: names all of them, in an error.
  std::size_t newest(const std::vector<std::size_t>& among, const std::string& what) const {
    const auto least = std::min_element(among.begin(), among.end(), [&](std::size_t a, std::size_t b) {
      return m_candidates[a].ahead < m_candidates[b].ahead;
    });
    const Ahead limit = m_candidates[*least].ahead;
    if (limit == Ahead::of_store) throw_future_dated(m_candidates, among, what);
    std::optional<std::size_t> chosen;
    for (const std::size_t i : among) {
      if (m_candidates[i].ahead > limit) continue;
      if (!chosen || is_older(m_candidates[*chosen], m_candidates[i])) chosen = i;
    }
    note_passed_over(among, chosen.value());
    return *chosen;
  }

  void note_passed_over(const std::vector<std::size_t>& among, std::size_t chosen) const {
    if (m_passed_over == nullptr) return;
    m_passed_over->clear();
    std::copy_if(among.begin(), among.end(), std::back_inserter(*m_passed_over),
                 [&](std::size_t i) { return is_older(m_candidates[chosen], m_candidates[i]); });
    std::sort(m_passed_over->begin(), m_passed_over->end(),
              [&](std::size_t a, std::size_t b) { return is_older(m_candidates[b], m_candidates[a]); });
  }

  void check_filter(const std::string& series) const {
    if (m_series && *m_series != series) {
      throw Error(ErrorKind::usage,
                  fmt::format("the reference is to series {}, --series to {}", quote(series), quote(*m_series)));
    }
  }

  std::vector<std::size_t> all_of_series(const std::string& series) const {
    const auto found =
        find_all(m_candidates, [&](const ReferenceCandidate& candidate) { return candidate.series == series; });
    if (found.trusted.empty()) throw_no_series(m_candidates, series, found.untrusted.size());
    return found.trusted;
  }

  [[noreturn]] void throw_ambiguous(const IdReference& reference, const std::vector<std::size_t>& among) const {
    std::set<std::string> names;
    for (const std::size_t i : among) {
      const auto& candidate = m_candidates[i];
      // As many digits as tell them apart, and a few more.
      const auto digits = std::min<std::size_t>(reference.prefix.size() + 8, 64);
      names.insert(fmt::format("{} ({} of {})", candidate.id.hex().substr(0, digits), candidate.series,
                               format_time_short(candidate.cut_point)));
    }
    throw Error(ErrorKind::usage, fmt::format("id {} is ambiguous", reference.prefix),
                "give more digits: " + some_of(names));
  }

  std::span<const ReferenceCandidate> m_candidates;
  const std::optional<std::string>& m_series;
  Time m_now;
  std::vector<std::size_t>* m_passed_over;
};

}  // namespace

Reference parse_reference(std::string_view text) {
  if (text == "latest") return LatestReference{};
  if (is_id(text)) return IdReference{lower(text)};
  const auto at = text.find('@');
  const auto series = text.substr(0, at);
  if (!layout::is_valid_series(series)) {
    throw Error(ErrorKind::usage, fmt::format("invalid snapshot reference {}", quote_given(text)),
                "write latest, a series, SERIES@TIME, or at least 8 digits of an id");
  }
  if (at == std::string_view::npos) return SeriesReference{std::string{series}};
  return TimeReference{std::string{series}, parse_at(text.substr(at + 1), text)};
}

WrittenInstants parse_instants(std::string_view text, Time now) {
  const auto at = parse_at(text, text);
  if (const auto* const age = std::get_if<Nanoseconds>(&at)) return {shifted(now, -*age), shifted(now, -*age)};
  const Time last = std::get<Time>(at);
  return {shifted(last, Nanoseconds{1} - complete_time(text).width), last};
}

std::size_t resolve_reference(const Reference& reference, std::span<const ReferenceCandidate> candidates,
                              const std::optional<std::string>& series, Time now,
                              std::vector<std::size_t>* passed_over) {
  if (passed_over != nullptr) passed_over->clear();
  return std::visit(Resolver{candidates, series, now, passed_over}, reference);
}

void check_series(std::string_view series) {
  if (!layout::is_valid_series(series)) {
    throw Error(ErrorKind::usage, fmt::format("invalid series name {}", quote_given(series)), k_series_rule);
  }
}

std::string default_series(const fs::path& path) {
  // "/srv/app/" and "/srv/app/." are /srv/app.
  const std::string normal = path.lexically_normal().native();
  const auto end = normal.find_last_not_of('/');
  std::string name = end == std::string::npos ? "" : normal.substr(0, end + 1);
  name.erase(0, name.rfind('/') + 1);
  if (name == "." || name == "..") name.clear();

  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  for (char& c : name) {
    if (!allowed(c)) c = '-';
  }
  name.erase(0, std::min(name.find_first_not_of("._-"), name.size()));
  // A name that is too long is not cut: two long paths with one beginning would become one series.
  if (!layout::is_valid_series(name)) {
    throw Error(ErrorKind::usage, fmt::format("unable to name a series after {}", quote_given(path.native())),
                "give it a name with --series NAME");
  }
  return name;
}

}  // namespace cairn
