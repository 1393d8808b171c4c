#include "cli/report_html.hpp"

#include "cli/chart.hpp"
#include "cli/document.hpp"
#include "cli/output.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_rows = 12;

constexpr std::string_view k_style =
    R"(:root { color-scheme: light dark; --ink: #1c1c1a; --dim: #62625c; --paper: #fff; --line: #ddddd6;
  --card: #f7f7f4; --fill: #2f6f8f; --area: #9cc3d5; --good: #1f7a3d; --bad: #b3261e; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e1; --dim: #a0a09a; --paper: #161719; --line: #3a3c40;
  --card: #1f2124; --fill: #7fb8d4; --area: #345a6c; --good: #6fcf8b; --bad: #ff8a80; --warn: #f2bb4a; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; padding: 1rem;
  max-width: 76rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .2rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; }
.dim, .axis, figcaption, .none { color: var(--dim); } .bad { color: var(--bad); } .good { color: var(--good); }
.warn { color: var(--warn); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.long { white-space: normal; min-width: 12rem; } th { color: var(--dim); font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: .8rem 0; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; margin: .6rem 0; }
figure { margin: 0; flex: 1 1 14rem; min-width: 0; } svg { width: 100%; height: 4.5rem; display: block; overflow: visible; }
.axis { display: flex; justify-content: space-between; font-size: .8rem; border-top: 1px solid var(--line); }
.fill { fill: var(--fill); } .area { fill: var(--area); } .dots { stroke-width: 6; stroke-linecap: round; fill: none; }
.dots.good { stroke: var(--fill); } .dots.bad { stroke: var(--bad); } path { vector-effect: non-scaling-stroke; }
.limit { stroke: var(--warn); stroke-dasharray: 4 3; fill: none; }
summary { cursor: pointer; color: var(--dim); }
@media print { section { break-inside: avoid; } }
)";

std::string size_text(double bytes) {
  return format_size(static_cast<std::uint64_t>(bytes));
}

std::string seconds_text(double seconds) {
  return format_duration(std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds)));
}

double seconds(Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string ago(Time then, Time now) {
  return format_duration(std::max(elapsed(then, now), Nanoseconds{0}));
}

std::string state_cell(const SeriesStatus& status) {
  switch (status.freshness) {
    case Freshness::fresh:
      return "<span class=\"good\">fresh</span>";
    case Freshness::stale:
      return "<b class=\"bad\">STALE</b>";
    case Freshness::unjudged:
      return "<span class=\"dim\">no limit</span>";
  }
  return "";
}

std::string proof_cell(const SeriesStatus& status, Time now) {
  if (!status.drill) return "<span class=\"warn\">never</span>";
  const std::string when = ago(status.drill->time, now);
  if (!status.drill->passed) return fmt::format("<b class=\"bad\">FAILED {} ago</b>", when);
  const bool slow = status.max_recovery && status.drill->recovery > *status.max_recovery;
  const std::string limit =
      status.max_recovery ? fmt::format(" of {}", format_duration(*status.max_recovery)) : std::string{};
  return fmt::format("<span class=\"{}\">{} ago in {}{}</span>", slow ? "bad" : "good", when,
                     format_duration(status.drill->recovery), limit);
}

std::uint64_t stored(const ReportSeries& series) {
  std::uint64_t sum = 0;
  for (const auto& snapshot : series.snapshots) sum += snapshot.seen.stored_bytes.value_or(0);
  return sum;
}

std::string anchor(std::size_t store, std::size_t series) {
  return fmt::format("s{}-{}", store, series);
}

std::string overview(const ReportFacts& facts) {
  std::string rows;
  for (std::size_t s = 0; s < facts.stores.size(); ++s) {
    const ReportStore& store = facts.stores[s];
    if (store.failure) {
      rows += fmt::format("<tr><td></td><td>{}</td><td colspan=\"7\" class=\"long bad\">{}</td></tr>\n",
                          html_escaped(store.name), html_escaped(store.failure->message()));
    }
    for (std::size_t i = 0; i < store.series.size(); ++i) {
      const SeriesStatus& status = store.series[i].status;
      const std::string newest = status.newest ? ago(status.newest->cut_point, facts.made) + " ago" : "none";
      const std::string limit = status.max_age ? ", limit " + format_duration(*status.max_age) : std::string{};
      rows += fmt::format(
          "<tr><td><a href=\"#{}\">{}</a></td><td>{}</td><td>{}</td><td>{}{}</td><td>{}</td><td "
          "class=\"number\">{}</td>"
          "<td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"long\">{}</td></tr>\n",
          anchor(s, i), html_escaped(status.series), html_escaped(store.name), state_cell(status), newest, limit,
          proof_cell(status, facts.made), status.recovery_points,
          status.newest && status.newest->bytes ? format_size(*status.newest->bytes) : "",
          format_size(stored(store.series[i])), html_escaped(remark(status)));
    }
  }
  return "<div class=\"wide\"><table>\n<tr><th>Series</th><th>Store</th><th>State</th><th>Newest</th><th>Proven</th>"
         "<th class=\"number\">Points</th><th class=\"number\">Size</th><th class=\"number\">Stored</th><th>To "
         "know</th></tr>\n" +
         rows + "</table></div>\n";
}

std::string retention_text(const ReportSeries& series) {
  if (!series.has_policy) return "No retention rule keeps this series: nothing of it is ever removed.";
  std::uint64_t go = 0;
  std::uint64_t bytes = 0;
  for (const auto& snapshot : series.snapshots) {
    if (!snapshot.goes) continue;
    ++go;
    bytes += snapshot.seen.stored_bytes.value_or(0);
  }
  const auto kept = series.snapshots.size() - go;
  std::string out =
      fmt::format("Retention keeps {} of {}", kept, counted(series.snapshots.size(), "snapshot", "snapshots"));
  if (!series.snapshots.empty()) {
    const auto oldest = std::find_if(series.snapshots.begin(), series.snapshots.end(),
                                     [](const ReportSnapshot& snapshot) { return !snapshot.goes; });
    if (oldest != series.snapshots.end()) out += ", back to " + format_time_short(oldest->seen.cut_point);
  }
  if (go == 0) return out + "; the next prune removes none.";
  return out + fmt::format("; the next prune removes {}, whose runs stored {}, as far as nothing else needs it.", go,
                           format_size(bytes));
}

std::string snapshot_rows(const ReportSeries& series) {
  std::string rows;
  const std::size_t count = std::min(series.snapshots.size(), k_rows);
  for (std::size_t i = 0; i < count; ++i) {
    const ReportSnapshot& snapshot = series.snapshots[series.snapshots.size() - 1 - i];
    const SnapshotSeen& seen = snapshot.seen;
    std::string notes;
    const auto add = [&](std::string_view note) { notes += fmt::format("{}{}", notes.empty() ? "" : ", ", note); };
    if (seen.pinned) add("pinned");
    if (seen.incomplete) add("incomplete");
    if (seen.doubtful) add("in doubt");
    if (!seen.trusted) add("not trusted");
    if (seen.future_dated) add("future-dated");
    for (const auto& reason : snapshot.reasons) add(reason);
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td "
        "class=\"long{}\">{}</td></tr>\n",
        short_id(seen.id), format_time_short(seen.cut_point), seen.bytes ? format_size(*seen.bytes) : "",
        seen.stored_bytes ? format_size(*seen.stored_bytes) : "", snapshot.goes ? " warn" : "", html_escaped(notes));
  }
  return rows;
}

std::string section_of(const ReportSeries& series, const std::string& id, const std::string& store, Time now) {
  std::vector<ChartPoint> added;
  std::vector<ChartPoint> sizes;
  for (const auto& snapshot : series.snapshots) {
    const SnapshotSeen& seen = snapshot.seen;
    if (seen.stored_bytes) added.push_back({seen.cut_point, static_cast<double>(*seen.stored_bytes), false});
    if (seen.bytes) sizes.push_back({seen.cut_point, static_cast<double>(*seen.bytes), false});
  }
  // The first one stores all there is, and would hide the others.
  const bool many = added.size() > 1;
  if (many) added.erase(added.begin());
  std::vector<ChartPoint> drills;
  for (const auto& drill : series.drills) drills.push_back({drill.time, seconds(drill.recovery), !drill.passed});
  const SeriesStatus& status = series.status;
  std::string out = fmt::format("<section id=\"{}\">\n<h3>{} <span class=\"dim\">in {}</span> {}</h3>\n", id,
                                html_escaped(status.series), html_escaped(store), state_cell(status));
  out += "<div class=\"charts\">\n";
  out += chart(ChartKind::bars, many ? "Later snapshots added at most" : "The first snapshot added", added, size_text);
  out += chart(ChartKind::area, "Size, at most", sizes, size_text);
  out += chart(ChartKind::dots, "Drills took at most", drills, seconds_text,
               status.max_recovery ? seconds(*status.max_recovery) : 0);
  out += "</div>\n";
  out += fmt::format("<p>{} Last drill: {}.</p>\n", html_escaped(retention_text(series)), proof_cell(status, now));
  if (!series.snapshots.empty()) {
    out += fmt::format(
        "<details><summary>The newest {}</summary><div class=\"wide\"><table>\n<tr><th>Id</th><th>Cut point</th>"
        "<th class=\"number\">Size</th><th class=\"number\">New</th><th>Kept "
        "because</th></tr>\n{}</table></div></details>\n",
        counted(std::min(series.snapshots.size(), k_rows), "snapshot", "snapshots"), snapshot_rows(series));
  }
  return out + "</section>\n";
}

// What the runs of all snapshots that are there have stored, up to each.
std::string growth_of(const ReportStore& store) {
  std::vector<ChartPoint> points;
  for (const auto& series : store.series) {
    for (const auto& snapshot : series.snapshots) {
      if (!snapshot.seen.stored_bytes) continue;
      points.push_back({snapshot.seen.cut_point, static_cast<double>(*snapshot.seen.stored_bytes), false});
    }
  }
  std::sort(points.begin(), points.end(), [](const ChartPoint& a, const ChartPoint& b) { return a.at < b.at; });
  double sum = 0;
  for (auto& point : points) point.value = sum += point.value;
  return "<div class=\"charts\">" +
         chart(ChartKind::area, "Stored by the snapshots that are there", points, size_text) + "</div>\n";
}

}  // namespace

std::string report_html(const ReportFacts& facts) {
  std::uint64_t stale = 0;
  std::uint64_t failed = 0;
  std::uint64_t unproven = 0;
  std::uint64_t all = 0;
  for (const auto& store : facts.stores) {
    if (store.failure) ++failed;
    for (const auto& series : store.series) {
      ++all;
      if (series.status.freshness == Freshness::stale) ++stale;
      if (!series.status.drill || !series.status.drill->passed) ++unproven;
    }
  }
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Cairn "
      "report</title>\n<style>\n{}"
      "</style>\n</head>\n<body>\n<h1>Checkpoints</h1>\n<p class=\"dim\">{} on {}, cairn {}</p>\n",
      k_style, format_time_short(facts.made), html_escaped(facts.host), html_escaped(facts.version));
  const auto count = [](std::uint64_t n, const char* what, const char* bad) {
    return fmt::format("<b class=\"{}\">{}</b> {}", n == 0 ? "good" : bad, n, what);
  };
  out += fmt::format("<p>{} series: {}, {}, {}.</p>\n", all, count(stale, "stale", "bad"),
                     count(unproven, "not proven by a drill", "warn"), count(failed, "stores out of reach", "bad"));
  out += overview(facts);
  for (std::size_t s = 0; s < facts.stores.size(); ++s) {
    const ReportStore& store = facts.stores[s];
    out += fmt::format("<h2>{}</h2>\n", html_escaped(store.name));
    if (store.failure) {
      out += fmt::format("<p class=\"bad\">{}</p>\n", html_escaped(store.failure->message()));
      continue;
    }
    out += growth_of(store);
    for (std::size_t i = 0; i < store.series.size(); ++i) {
      out += section_of(store.series[i], anchor(s, i), store.name, facts.made);
    }
  }
  return out + "</body>\n</html>\n";
}

}  // namespace cairn
