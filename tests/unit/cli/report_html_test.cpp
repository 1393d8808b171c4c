#include "cli/report_html.hpp"

#include "cli/chart.hpp"

#include <chrono>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now = Time{std::chrono::seconds{1'800'000'000}};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

ReportSeries series_of(const std::string& name, std::size_t snapshots, std::optional<Nanoseconds> limit) {
  ReportSeries series;
  std::vector<SnapshotSeen> all;
  for (std::size_t i = 0; i < snapshots; ++i) {
    SnapshotSeen seen;
    seen.id.bytes[0] = static_cast<std::uint8_t>(i);
    seen.cut_point = k_now - 1h * (snapshots - i);
    seen.bytes = 1'000'000'000 + i * 12'345;
    seen.stored_bytes = 1'000'000 + i % 7 * 54'321;
    series.snapshots.push_back({seen, {"hourly 2026-12-01T17", "within 2d"}, i == 0 && snapshots > 1});
    all.push_back(seen);
  }
  series.status = series_status(name, all, limit, k_now);
  return series;
}

ReportFacts facts_of(std::vector<ReportSeries> series) {
  return {k_now, "node1", "9.9", {{"main", std::move(series), {}}}};
}

std::string plain(double value) {
  return std::to_string(static_cast<long>(value));
}

}  // namespace

TEST_CASE("report: 20 series of 1,000 snapshots and as many drills fit 300 KB") {
  std::vector<ReportSeries> all;
  for (int i = 0; i < 20; ++i) {
    ReportSeries series = series_of("a-series-with-a-name-of-some-length-" + std::to_string(i), 1000, 3h);
    series.has_policy = true;
    for (int d = 0; d < 1000; ++d) series.drills.push_back({k_now - 1h * (1000 - d), d % 3 != 0, Nanoseconds{1s} * d});
    all.push_back(std::move(series));
  }
  const std::string page = report_html(facts_of(std::move(all)));
  MESSAGE("the page has " << page.size() << " bytes");
  CHECK(page.size() <= 300'000);
}

TEST_CASE("report: it refers to nothing, and names are no markup") {
  ReportFacts facts = facts_of({series_of("<b>&\"x", 3, 3h)});
  facts.stores.push_back({"off", {}, Error{ErrorKind::failed, "denied <script>"}});
  const std::string page = report_html(facts);
  for (const char* word : {"http", "src=", "<script", "url(", "@import", "<b>&\"x"}) {
    CAPTURE(word);
    CHECK_FALSE(has(page, word));
  }
  CHECK(has(page, "&lt;b&gt;&amp;&quot;x"));
  CHECK(has(page, "denied &lt;script&gt;"));
}

TEST_CASE("report: what is stale, failed or gone stands at the top") {
  ReportSeries fresh = series_of("fresh", 2, 3h);
  fresh.status.drill = DrillSeen{{}, k_now - 2h, true, 41s};
  fresh.status.max_recovery = 10s;
  ReportSeries stale = series_of("stale", 2, 1min);
  stale.status.drill = DrillSeen{{}, k_now - 2h, false, 1s};
  const std::string page = report_html(facts_of({fresh, stale, series_of("none", 0, {})}));
  CHECK(has(page, "3 series: <b class=\"bad\">2</b> stale, <b class=\"warn\">2</b> not proven"));
  CHECK(has(page, "<span class=\"bad\">2 h 0 min ago in 41.0 s of 10.0 s</span>"));
  CHECK(has(page, "FAILED 2 h 0 min ago"));
  CHECK(count(page, "<section ") == 3);
}

TEST_CASE("report: what retention takes") {
  ReportSeries kept = series_of("kept", 3, {});
  CHECK(has(report_html(facts_of({kept})), "nothing of it is ever removed"));
  kept.has_policy = true;
  const std::string page = report_html(facts_of({kept}));
  CHECK(has(page, "Retention keeps 2 of 3 snapshots"));
  CHECK(has(page, "the next prune removes 1, whose runs stored 977 KiB"));
  kept.snapshots[0].goes = false;
  CHECK(has(report_html(facts_of({kept})), "the next prune removes none"));
}

TEST_CASE("chart: a figure for whatever there is") {
  CHECK(has(chart(ChartKind::bars, "x", {}, plain), "none"));
  const std::vector<ChartPoint> one{{k_now, 7, false}};
  for (const auto kind : {ChartKind::bars, ChartKind::area, ChartKind::dots}) {
    const std::string text = chart(kind, "a<b", one, plain);
    CHECK(has(text, "aria-label=\"a&lt;b, at most 7, from 2027-01-15 to 2027-01-15\""));
    CHECK_FALSE(has(text, "nan"));
  }
  // All of them at one moment, and none of them of any size.
  CHECK_FALSE(has(chart(ChartKind::area, "x", {{k_now, 0, false}, {k_now, 0, false}}, plain), "nan"));
}

TEST_CASE("chart: the size does not grow with the points, and a limit is drawn") {
  std::vector<ChartPoint> points;
  for (int i = 0; i < 100'000; ++i) points.push_back({k_now + 1min * i, static_cast<double>(i % 13), i % 5 == 0});
  for (const auto kind : {ChartKind::bars, ChartKind::area, ChartKind::dots}) {
    CHECK(chart(kind, "x", points, plain).size() < 4000);
  }
  const std::string text = chart(ChartKind::dots, "x", {{k_now, 1, false}, {k_now + 1h, 2, true}}, plain, 4);
  CHECK(has(text, "class=\"limit\""));
  CHECK(has(text, "class=\"dots bad\""));
  CHECK(has(text, "<b>4</b>"));
}
