#include "engine/drill/drill_comparison.hpp"

#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

using Result = DrillCheck::Result;

// More names than a person reads.
constexpr std::size_t k_named = 5;

// Whether so much went that the limit is passed, or all of it.
bool fell_beyond(std::uint64_t now, std::uint64_t before, double limit) {
  if (now >= before) return false;
  return now == 0 || static_cast<double>(before - now) > static_cast<double>(before) * limit;
}

std::string names_of(const std::vector<std::string>& names) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), k_named));
  std::string out = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > k_named) out += fmt::format(" and {} more", names.size() - k_named);
  return out;
}

// The outcome of one comparison: the gravest of its findings, and all of them.
class Findings {
 public:
  explicit Findings(const DrillLimits& limits) : m_limits(limits) {}
  void fail(std::string text) { add(m_limits.accept ? Result::told : Result::failed, std::move(text)); }
  void tell(std::string text) { add(Result::told, std::move(text)); }
  DrillCheck check(std::string name) && {
    std::stable_partition(m_found.begin(), m_found.end(),
                          [](const auto& each) { return each.first == Result::failed; });
    std::vector<std::string> texts;
    std::transform(m_found.begin(), m_found.end(), std::back_inserter(texts), [](auto& each) { return each.second; });
    std::string text;
    for (std::size_t i = 0; i < texts.size() && i < k_named; ++i) text += (i == 0 ? "" : "; ") + texts[i];
    if (texts.size() > k_named) text += fmt::format("; and {} more", texts.size() - k_named);
    return {std::move(name), m_result, std::move(text)};
  }

 private:
  void add(Result result, std::string text) {
    if (m_result != Result::failed) m_result = result;
    m_found.emplace_back(result, std::move(text));
  }
  const DrillLimits& m_limits;
  Result m_result = Result::passed;
  std::vector<std::pair<Result, std::string>> m_found;
};

DrillCheck compare_schema(const DrillInventory& now, const DrillInventory& before, const DrillLimits& limits) {
  Findings found{limits};
  std::vector<std::string> lost;
  std::vector<std::string> added;
  std::set_difference(before.elements.begin(), before.elements.end(), now.elements.begin(), now.elements.end(),
                      std::back_inserter(lost));
  std::set_difference(now.elements.begin(), now.elements.end(), before.elements.begin(), before.elements.end(),
                      std::back_inserter(added));
  if (!lost.empty()) found.fail(fmt::format("lost since the last drill: {}", names_of(lost)));
  if (!added.empty()) found.tell(fmt::format("new since the last drill: {}", names_of(added)));
  if (lost.empty() && added.empty() && now.digest != before.digest) {
    found.tell(now.digest.empty() ? "it could not be read whole" : "its text differs from the last drill's");
  }
  return std::move(found).check(check_name("schema", now.path));
}

DrillCheck compare_rows(const DrillInventory& now, const DrillInventory& before, const DrillLimits& limits) {
  Findings found{limits};
  for (const auto& [name, rows] : before.counts) {
    const auto at = now.counts.find(name);
    if (at == now.counts.end()) {
      found.fail(fmt::format("{} is not there, with {} at the last drill", name, rows));
    } else if (fell_beyond(at->second, rows, limits.max_row_drop)) {
      found.fail(fmt::format("{} has {}, {} at the last drill", name, at->second, rows));
    } else if (at->second < rows) {
      found.tell(fmt::format("{} has {}, {} at the last drill", name, at->second, rows));
    }
  }
  return std::move(found).check(check_name(now.kind == "tree" ? "count" : "rows", now.path));
}

DrillCheck compare_size(const DrillInventory& now, const DrillInventory& before, const DrillLimits& limits) {
  Findings found{limits};
  const std::string text = fmt::format("{}, {} at the last drill", format_size(now.bytes), format_size(before.bytes));
  if (fell_beyond(now.bytes, before.bytes, limits.max_size_drop)) {
    found.fail(text);
  } else if (now.bytes < before.bytes && fell_beyond(now.bytes, before.bytes, limits.max_size_drop / 2)) {
    found.tell(text);
  }
  return std::move(found).check(check_name("size", now.path));
}

// An older file in the place of the newest: no reason to fail, as somebody may have set the service back.
DrillCheck compare_age(const DrillInventory& now, const DrillInventory& before, Time cut_before,
                       const DrillLimits& limits) {
  Findings found{limits};
  for (const auto& [name, count] : before.counters) {
    const auto at = now.counters.find(name);
    if (at != now.counters.end() && at->second < count) {
      found.tell(fmt::format("it is older than at the last drill: {} is {}, and was {}", name, at->second, count));
    }
  }
  if (now.newest && before.newest && *now.newest < *before.newest) {
    found.tell(fmt::format("it is older than at the last drill: of {}, and was of {}", format_time_short(*now.newest),
                           format_time_short(*before.newest)));
  }
  if (now == before) {
    found.tell(fmt::format("nothing in it has changed since {}", format_time_short(cut_before)));
  }
  return std::move(found).check(check_name("age", now.path));
}

// Rows whose keys lead nowhere: as many as at the last drill that passed are known of.
DrillCheck check_keys(const DrillInventory& now, const DrillInventory* before, const DrillLimits& limits) {
  Findings found{limits};
  for (const auto& [pair, count] : now.broken) {
    const auto at = before == nullptr ? now.broken.end() : before->broken.find(pair);
    const bool known = before != nullptr && at != before->broken.end();
    const std::string text = fmt::format("{}: {} to nothing", pair, counted(count, "row refers", "rows refer"));
    if (!known || count > at->second) {
      found.fail(known ? fmt::format("{}, {} at the last drill", text, at->second) : text);
    } else {
      found.tell(text);
    }
  }
  return std::move(found).check(check_name("keys", now.path));
}

// A person would miss it where it is not there any more.
bool is_missed(const DrillInventory& before) {
  return before.kind == "sqlite" || before.kind == "dump";
}

}  // namespace

std::string check_name(std::string_view what, std::string_view path) {
  return path == "." ? std::string{what} : fmt::format("{} of {}", what, path);
}

std::vector<DrillCheck> compare_inventories(const DrillRecord& now, const DrillRecord* before,
                                            const DrillLimits& limits) {
  std::vector<DrillCheck> checks;
  const auto same = [](const std::vector<DrillInventory>& in, const DrillInventory& held) {
    return std::find_if(in.begin(), in.end(),
                        [&](const DrillInventory& each) { return each.path == held.path && each.kind == held.kind; });
  };
  for (const auto& held : now.inventories) {
    const DrillInventory* last = nullptr;
    if (before != nullptr) {
      const auto at = same(before->inventories, held);
      if (at != before->inventories.end()) last = &*at;
    }
    if (held.kind == "sqlite") checks.push_back(check_keys(held, last, limits));
    if (last == nullptr) continue;
    if (held.kind != "tree") checks.push_back(compare_schema(held, *last, limits));
    checks.push_back(compare_rows(held, *last, limits));
    if (held.kind != "sqlite") checks.push_back(compare_size(held, *last, limits));
    if (now.id != before->id) checks.push_back(compare_age(held, *last, before->cut_point, limits));
  }
  if (before == nullptr) return checks;
  for (const auto& last : before->inventories) {
    if (!is_missed(last) || same(now.inventories, last) != now.inventories.end()) continue;
    Findings found{limits};
    found.fail(fmt::format("the {} of the last drill is not there", last.kind == "sqlite" ? "database" : "dump"));
    checks.push_back(std::move(found).check(check_name("presence", last.path)));
  }
  return checks;
}

}  // namespace cairn
