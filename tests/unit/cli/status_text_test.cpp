#include "cli/status_text.hpp"

#include <chrono>
#include <sstream>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now = Time{std::chrono::seconds{1'800'000'000}};

SeriesStatus series(std::string name, Nanoseconds age, std::optional<Nanoseconds> limit) {
  SnapshotSeen newest;
  newest.cut_point = k_now - age;
  newest.bytes = 4096;
  newest.stored_bytes = 10;
  return series_status(std::move(name), {newest}, limit, k_now);
}

StatusReport report_of(std::vector<SeriesStatus> all, std::optional<Error> failure = {}) {
  return {k_now, {{"st", std::move(all), {}}, {"off|site", {}, std::move(failure)}}};
}

const Error k_denied{ErrorKind::failed, "unable to list: denied"};
const Error k_untrusted{ErrorKind::untrusted, "another store"};

}  // namespace

TEST_CASE("status text: the gravest of all stores and series is the status") {
  CHECK(status_of(report_of({series("a", 1h, 2h), series("b", 1h, {})})) == ExitStatus::done);
  CHECK(status_of(report_of({series("a", 3h, 2h), series("b", 1h, 2h)})) == ExitStatus::stale);
  CHECK(status_of(report_of({series("a", 3h, 2h)}, k_denied)) == ExitStatus::failed);
  CHECK(status_of(report_of({series("a", 1h, 2h)}, k_untrusted)) == ExitStatus::untrusted);
}

TEST_CASE("status text: gravest() goes by what somebody has to know first, not by the number") {
  using enum ExitStatus;
  const std::vector<ExitStatus> order{interrupted, terminated, usage,      untrusted,  damaged, no_key, not_found,
                                      failed,      busy,       not_pushed, incomplete, stale,   done};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i; j < order.size(); ++j) {
      CHECK(gravest(order[i], order[j]) == order[i]);
      CHECK(gravest(order[j], order[i]) == order[i]);
    }
  }
}

TEST_CASE("status text: as a monitoring plugin") {
  auto report = report_of({series("a", 90s, 2h), series("b", 1h, {})});
  CHECK(plugin_status(report) == 0);
  CHECK(status_for_plugins(report) == "CAIRN OK - 0 of 2 series stale | 'a@st'=90s;;7200 'b@st'=3600s;;\n");
  report = report_of({series("a", 3h, 2h)});
  CHECK(plugin_status(report) == 2);
  CHECK(status_for_plugins(report) ==
        "CAIRN CRITICAL - 1 of 1 series stale | 'a@st'=10800s;;7200\na in st: newest is 3 h 0 min old, limit 2 h 0 "
        "min\n");
  report = report_of({series("a", 1h, 2h)}, k_denied);
  CHECK(plugin_status(report) == 3);
  CHECK(status_for_plugins(report) ==
        "CAIRN UNKNOWN - 0 of 1 series stale, 1 store out of reach | 'a@st'=3600s;;7200\n"
        "store off/site: unable to list: denied\n");
  // A series that is known to be stale is told first.
  CHECK(plugin_status(report_of({series("a", 3h, 2h)}, k_denied)) == 2);
}

TEST_CASE("status text: for Prometheus") {
  auto report = report_of({series("a", 90s, 2h)}, k_denied);
  report.stores[0].series.push_back(series_status("never", {}, {}, k_now));
  report.stores[0].name = "say \"hi\"\\\n";
  const std::string text = status_for_prometheus(report);
  const auto has = [&](const std::string& line) { return text.find(line + "\n") != std::string::npos; };
  const std::string store = R"(store="say \"hi\"\\\n")";
  CHECK(has("cairn_store_up{" + store + "} 1"));
  CHECK(has("cairn_store_up{store=\"off|site\"} 0"));
  CHECK(has("cairn_snapshot_newest_timestamp_seconds{series=\"a\"," + store + "} 1799999910"));
  CHECK(has("cairn_snapshot_max_age_seconds{series=\"a\"," + store + "} 7200"));
  CHECK(has("cairn_snapshot_stale{series=\"a\"," + store + "} 0"));
  CHECK(has("cairn_snapshot_stale{series=\"never\"," + store + "} 1"));
  CHECK(has("cairn_snapshot_recovery_points{series=\"never\"," + store + "} 0"));
  CHECK(has("cairn_snapshot_bytes{series=\"a\"," + store + "} 4096"));
  CHECK(has("cairn_status_timestamp_seconds 1800000000"));
  CHECK(text.find("newest_timestamp_seconds{series=\"never\"") == std::string::npos);
  // Each metric's samples stand together, below its help.
  CHECK(has("# TYPE cairn_snapshot_stale gauge\ncairn_snapshot_stale{series=\"a\"," + store +
            "} 0\ncairn_snapshot_stale{series=\"never\"," + store + "} 1"));
}

TEST_CASE("status text: the table and the diagram of growth") {
  CHECK(sparkline({}).empty());
  CHECK(sparkline({0, 0}) == "▁▁");
  CHECK(sparkline({1, 4, 8}) == "▂▅█");
  auto status = series("a", 26h, 24h);
  status.growth = {1, 8};
  std::ostringstream out;
  print_status_table(out, report_of({status}), Growth::shown);
  CHECK(out.str() ==
        "SERIES  STORE  STATE  NEWEST                       AGE    LIMIT  POINTS     SIZE  GROWTH  NOTE\n"
        "a       st     STALE  2027-01-14 06:00:00 UTC  1 d 2 h  1 d 0 h       1  4.0 KiB  ▂█      newest is 1 d 2 h "
        "old, "
        "limit 1 d 0 h\n");
  std::ostringstream plain;
  print_status_table(plain, report_of({status}), Growth::hidden);
  CHECK(plain.str().find("GROWTH") == std::string::npos);
}
