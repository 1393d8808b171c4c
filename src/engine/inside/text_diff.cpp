#include "engine/inside/text_diff.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_looked_at = 8000;
constexpr std::size_t k_context = 3;
// Lines that two texts may differ in to be compared line by line: time and memory grow with its square.
constexpr std::size_t k_most_differences = 3000;

// Lines by number: equal ones have the same.
struct Numbered {
  std::vector<std::size_t> before;
  std::vector<std::size_t> after;
};

Numbered number(const std::vector<std::string_view>& before, const std::vector<std::string_view>& after) {
  std::unordered_map<std::string_view, std::size_t> numbers;
  const auto all = [&](const std::vector<std::string_view>& lines) {
    std::vector<std::size_t> out;
    out.reserve(lines.size());
    for (const auto line : lines) out.push_back(numbers.emplace(line, numbers.size()).first->second);
    return out;
  };
  Numbered out;
  out.before = all(before);
  out.after = all(after);
  return out;
}

// The greedy algorithm, forward; the furthest points of each round are kept for the way back.
class Myers {
 public:
  Myers(const std::size_t* before, std::size_t before_count, const std::size_t* after, std::size_t after_count)
      : m_before(before), m_after(after), m_n(static_cast<Index>(before_count)), m_m(static_cast<Index>(after_count)) {}

  // Which lines stay, as pairs; nothing where there are too many differences.
  std::vector<std::pair<std::size_t, std::size_t>> kept(bool& given_up) {
    const Index most = std::min<Index>(m_n + m_m, static_cast<Index>(k_most_differences));
    m_furthest.assign(static_cast<std::size_t>(2 * most + 3), 0);
    m_middle = most + 1;
    for (Index d = 0; d <= most; ++d) {
      for (Index k = -d; k <= d; k += 2) {
        Index x = steps_down(d, k) ? at(k + 1) : at(k - 1) + 1;
        Index y = x - k;
        while (x < m_n && y < m_m && m_before[x] == m_after[y]) ++x, ++y;
        at(k) = x;
        if (x >= m_n && y >= m_m) return way_back(d);
      }
      keep_round(d);
    }
    given_up = true;
    return {};
  }

 private:
  using Index = std::ptrdiff_t;

  Index& at(Index k) { return m_furthest[static_cast<std::size_t>(m_middle + k)]; }
  bool steps_down(Index d, Index k) { return k == -d || (k != d && at(k - 1) < at(k + 1)); }

  void keep_round(Index d) {
    std::vector<Index> round;
    round.reserve(static_cast<std::size_t>(2 * d + 1));
    for (Index k = -d; k <= d; ++k) round.push_back(at(k));
    m_rounds.push_back(std::move(round));
  }

  std::vector<std::pair<std::size_t, std::size_t>> way_back(Index d) {
    std::vector<std::pair<std::size_t, std::size_t>> out;
    Index x = m_n;
    Index y = m_m;
    const auto follow_down_to = [&](Index from_x, Index from_y) {
      while (x > from_x && y > from_y) {
        --x, --y;
        out.emplace_back(static_cast<std::size_t>(x), static_cast<std::size_t>(y));
      }
    };
    for (; d > 0; --d) {
      const std::vector<Index>& round = m_rounds[static_cast<std::size_t>(d - 1)];
      const auto before = [&](Index k) {
        return k < -(d - 1) || k > d - 1 ? Index{-1} : round[static_cast<std::size_t>(k + d - 1)];
      };
      const Index k = x - y;
      const bool down = k == -d || (k != d && before(k - 1) < before(k + 1));
      const Index previous = down ? k + 1 : k - 1;
      const Index from_x = before(previous);
      const Index from_y = from_x - previous;
      follow_down_to(down ? from_x : from_x + 1, down ? from_y + 1 : from_y);
      x = from_x;
      y = from_y;
    }
    follow_down_to(0, 0);
    std::reverse(out.begin(), out.end());
    return out;
  }

  const std::size_t* m_before;
  const std::size_t* m_after;
  Index m_n;
  Index m_m;
  Index m_middle = 0;
  std::vector<Index> m_furthest;
  std::vector<std::vector<Index>> m_rounds;
};

std::string range_text(std::size_t first, std::size_t count) {
  // An empty range is named by the line before it.
  const std::size_t shown = count == 0 ? first : first + 1;
  return count == 1 ? fmt::format("{}", shown) : fmt::format("{},{}", shown, count);
}

void add_line(std::string& out, char mark, std::string_view line) {
  out += mark;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

// The changes from `first` to before `end`, which are near each other, and what is around them.
void add_hunk(std::string& out, const std::vector<std::string_view>& before, const std::vector<std::string_view>& after,
              const LineChange* first, const LineChange* end) {
  const LineChange& last = end[-1];
  const std::size_t lead = std::min(k_context, first->before);
  const std::size_t begin = first->before - lead;
  const std::size_t stop = std::min(before.size(), last.before + last.removed + k_context);
  const std::size_t after_begin = first->after - lead;
  const std::size_t after_stop = last.after + last.added + (stop - last.before - last.removed);
  out += fmt::format("@@ -{} +{} @@\n", range_text(begin, stop - begin),
                     range_text(after_begin, after_stop - after_begin));
  std::size_t at = begin;
  for (const LineChange* change = first; change != end; ++change) {
    for (; at < change->before; ++at) add_line(out, ' ', before[at]);
    for (std::size_t i = 0; i < change->removed; ++i) add_line(out, '-', before[at++]);
    for (std::size_t i = 0; i < change->added; ++i) add_line(out, '+', after[change->after + i]);
  }
  for (; at < stop; ++at) add_line(out, ' ', before[at]);
}

}  // namespace

bool looks_binary(ByteView bytes) noexcept {
  const ByteView first = bytes.first(std::min(bytes.size(), k_looked_at));
  return std::find(first.begin(), first.end(), 0) != first.end();
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    out.push_back(line);
    text.remove_prefix(line.size());
  }
  return out;
}

std::vector<LineChange> compare_lines(const std::vector<std::string_view>& before,
                                      const std::vector<std::string_view>& after) {
  const Numbered lines = number(before, after);
  const std::size_t shorter = std::min(before.size(), after.size());
  std::size_t begin = 0;
  while (begin < shorter && lines.before[begin] == lines.after[begin]) ++begin;
  std::size_t tail = 0;
  while (tail < shorter - begin && lines.before[before.size() - 1 - tail] == lines.after[after.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t before_end = before.size() - tail;
  const std::size_t after_end = after.size() - tail;
  std::vector<LineChange> out;
  std::size_t b = begin;
  std::size_t a = begin;
  // What lies before the next line that stays.
  const auto change_up_to = [&](std::size_t next_before, std::size_t next_after) {
    if (next_before != b || next_after != a) out.push_back({b, next_before - b, a, next_after - a});
    b = next_before;
    a = next_after;
  };
  bool given_up = false;
  const auto kept =
      Myers{lines.before.data() + begin, before_end - begin, lines.after.data() + begin, after_end - begin}.kept(
          given_up);
  for (const auto& [in_before, in_after] : kept) {
    change_up_to(begin + in_before, begin + in_after);
    ++b;
    ++a;
  }
  change_up_to(before_end, after_end);
  return out;
}

std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name) {
  const auto before_lines = lines_of(before);
  const auto after_lines = lines_of(after);
  const auto changes = compare_lines(before_lines, after_lines);
  if (changes.empty()) return {};
  std::string out = fmt::format("--- {}\n+++ {}\n", before_name, after_name);
  for (std::size_t first = 0; first < changes.size();) {
    std::size_t end = first + 1;
    while (end < changes.size() &&
           changes[end].before - (changes[end - 1].before + changes[end - 1].removed) <= 2 * k_context) {
      ++end;
    }
    add_hunk(out, before_lines, after_lines, changes.data() + first, changes.data() + end);
    first = end;
  }
  return out;
}

}  // namespace cairn
