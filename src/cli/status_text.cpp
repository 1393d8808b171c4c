#include "cli/status_text.hpp"

#include "cli/output.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace cairn {

namespace {

std::int64_t seconds(Nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

double timestamp(Time time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

const char* state_text(Freshness freshness) {
  switch (freshness) {
    case Freshness::fresh:
      return "fresh";
    case Freshness::stale:
      return "STALE";
    case Freshness::unjudged:
      return "no limit";
  }
  return "";
}

void write_series(JsonWriter& to, const SeriesStatus& series, const std::string& store) {
  to.begin_object().member("series", series.series).member("store", store);
  to.member("state", freshness_name(series.freshness)).key("newest");
  if (series.newest) {
    to.begin_object().member("id", series.newest->id.hex());
    to.member("cut_point", format_time(series.newest->cut_point));
    to.member("age_seconds", seconds(series.age)).key("bytes");
    series.newest->bytes ? to.value(*series.newest->bytes) : to.null();
    to.member("pinned", series.newest->pinned).end_object();
  } else {
    to.null();
  }
  to.key("max_age_seconds");
  series.max_age ? to.value(seconds(*series.max_age)) : to.null();
  to.member("recovery_points", series.recovery_points).member("passed_over", series.passed_over);
  to.member("incomplete", series.incomplete).member("in_doubt", series.doubtful);
  to.member("untrusted", series.untrusted).member("future_dated", series.future_dated);
  to.member("pinned", series.pinned).key("stored_bytes").begin_array();
  for (const auto bytes : series.growth) to.value(bytes);
  to.end_array().key("drill");
  if (series.drill) {
    to.begin_object().member("id", series.drill->id.hex()).member("time", format_time(series.drill->time));
    to.member("passed", series.drill->passed);
    to.member("recovery_seconds", std::chrono::duration<double>(series.drill->recovery).count()).end_object();
  } else {
    to.null();
  }
  to.key("max_recovery_seconds");
  series.max_recovery ? to.value(seconds(*series.max_recovery)) : to.null();
  to.member("remark", remark(series)).end_object();
}

// "2 d ago in 41 s", of a limit where there is one.
std::string drill_text(const SeriesStatus& series, Time now) {
  if (!series.drill) return {};
  const auto ago = format_duration(std::max(elapsed(series.drill->time, now), Nanoseconds{0}));
  if (!series.drill->passed) return fmt::format("FAILED {} ago", ago);
  return fmt::format("{} ago in {}{}", ago, format_duration(series.drill->recovery),
                     series.max_recovery ? fmt::format(" of {}", format_duration(*series.max_recovery)) : "");
}

// A name as a label's value.
std::string label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// Samples of one metric, which have to stand together.
class Metric {
 public:
  Metric(const char* name, const char* help)
      : m_name(name), m_text(fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help)) {}
  void add(const std::string& labels, double value) {
    m_text += fmt::format("{}{} {}\n", m_name, labels.empty() ? "" : "{" + labels + "}", number(value));
    m_any = true;
  }
  void append_to(std::string& out) const {
    if (m_any) out += m_text;
  }

 private:
  // Whole numbers as such: seconds and bytes are read by people, too.
  static std::string number(double value) {
    return value == static_cast<double>(static_cast<std::int64_t>(value))
               ? fmt::format("{}", static_cast<std::int64_t>(value))
               : fmt::format("{:.3f}", value);
  }
  const char* m_name;
  std::string m_text;
  bool m_any = false;
};

struct Metrics {
  Metric up{"cairn_store_up", "Whether the store could be looked at."};
  Metric newest{"cairn_snapshot_newest_timestamp_seconds", "Cut point of the newest snapshot that can be relied on."};
  Metric limit{"cairn_snapshot_max_age_seconds", "Age beyond which the series is stale."};
  Metric stale{"cairn_snapshot_stale",
               "Whether the series has no snapshot that can be relied on and is recent enough."};
  Metric points{"cairn_snapshot_recovery_points", "Snapshots that can be relied on."};
  Metric passed_over{"cairn_snapshot_passed_over", "Snapshots newer than the newest that can be relied on."};
  Metric bytes{"cairn_snapshot_bytes", "Logical size of the newest snapshot that can be relied on."};
  Metric stored{"cairn_snapshot_stored_bytes", "Bytes that its run stored."};
  Metric drilled{"cairn_drill_timestamp_seconds", "When the newest drill of the series began."};
  Metric passed{"cairn_drill_passed", "Whether it passed."};
  Metric recovery{"cairn_drill_recovery_seconds", "How long its restore took."};
  Metric max_recovery{"cairn_drill_max_recovery_seconds", "How long a restore may take."};

  void add(const SeriesStatus& series, const std::string& store) {
    const std::string labels = fmt::format("series=\"{}\",store=\"{}\"", label(series.series), label(store));
    stale.add(labels, series.freshness == Freshness::stale ? 1 : 0);
    points.add(labels, static_cast<double>(series.recovery_points));
    passed_over.add(labels, static_cast<double>(series.passed_over));
    if (series.max_age) limit.add(labels, static_cast<double>(seconds(*series.max_age)));
    if (series.max_recovery) max_recovery.add(labels, static_cast<double>(seconds(*series.max_recovery)));
    if (series.drill) {
      drilled.add(labels, timestamp(series.drill->time));
      passed.add(labels, series.drill->passed ? 1 : 0);
      recovery.add(labels, std::chrono::duration<double>(series.drill->recovery).count());
    }
    if (!series.newest) return;
    newest.add(labels, timestamp(series.newest->cut_point));
    if (series.newest->bytes) bytes.add(labels, static_cast<double>(*series.newest->bytes));
    if (series.newest->stored_bytes) stored.add(labels, static_cast<double>(*series.newest->stored_bytes));
  }
  std::string text() const {
    std::string out;
    for (const Metric* metric : {&up, &newest, &limit, &stale, &points, &passed_over, &bytes, &stored, &drilled,
                                 &passed, &recovery, &max_recovery}) {
      metric->append_to(out);
    }
    return out;
  }
};

// In performance data a label is quoted, and has neither of these.
std::string plugin_label(const std::string& series, const std::string& store) {
  std::string out = fmt::format("{}@{}", series, store);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\'' || c == '=' || c == '|'; }, '_');
  return out;
}

// "|" would begin the performance data.
std::string plugin_text(std::string text) {
  std::replace(text.begin(), text.end(), '|', '/');
  return terminal_safe(text);
}

}  // namespace

std::string sparkline(const std::vector<std::uint64_t>& values) {
  static constexpr std::array<const char*, 8> k_heights{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return {};
  const auto most = std::max<std::uint64_t>(*std::max_element(values.begin(), values.end()), 1);
  std::string out;
  for (const auto value : values) {
    const double share = static_cast<double>(value) / static_cast<double>(most);
    out += k_heights[std::min<std::size_t>(static_cast<std::size_t>(share * 8), 7)];
  }
  return out;
}

ExitStatus status_of(const StatusReport& report) {
  ExitStatus status = ExitStatus::done;
  for (const auto& store : report.stores) {
    if (store.failure) status = gravest(status, ExitStatus{exit_status_of(store.failure->kind(), 0)});
    for (const auto& series : store.series) {
      if (series.freshness == Freshness::stale) status = gravest(status, ExitStatus::stale);
    }
  }
  return status;
}

void print_status_table(std::ostream& to, const StatusReport& report, Growth growth) {
  using Align = Table::Align;
  Table table{{{"SERIES"},
               {"STORE"},
               {"STATE"},
               {"NEWEST"},
               {"AGE", Align::right},
               {"LIMIT", Align::right},
               {"POINTS", Align::right},
               {"SIZE", Align::right},
               {"GROWTH"},
               {"DRILL"},
               {"NOTE"}}};
  for (const auto& store : report.stores) {
    for (const auto& series : store.series) {
      const auto& newest = series.newest;
      table.add(
          {series.series, store.name, state_text(series.freshness), newest ? format_time_short(newest->cut_point) : "",
           newest ? format_duration(series.age) : "", series.max_age ? format_duration(*series.max_age) : "",
           fmt::format("{}", series.recovery_points), newest && newest->bytes ? format_size(*newest->bytes) : "",
           growth == Growth::shown ? sparkline(series.growth) : "", drill_text(series, report.at), remark(series)});
    }
  }
  if (!table.empty()) table.print(to);
}

void write_status_members(JsonWriter& to, const StatusReport& report) {
  to.member("time", format_time(report.at)).key("series").begin_array();
  for (const auto& store : report.stores) {
    for (const auto& series : store.series) write_series(to, series, store.name);
  }
  to.end_array().key("stores").begin_array();
  for (const auto& store : report.stores) {
    to.begin_object().member("store", store.name).key("error");
    if (store.failure) {
      to.begin_object();
      write_error_members(to, *store.failure);
      to.end_object();
    } else {
      to.null();
    }
    to.end_object();
  }
  to.end_array();
}

int plugin_status(const StatusReport& report) {
  constexpr int k_ok = 0;
  constexpr int k_critical = 2;
  constexpr int k_unknown = 3;
  int status = k_ok;
  for (const auto& store : report.stores) {
    if (store.failure) status = k_unknown;
  }
  for (const auto& store : report.stores) {
    for (const auto& series : store.series) {
      if (series.freshness == Freshness::stale) status = k_critical;
    }
  }
  return status;
}

std::string status_for_plugins(const StatusReport& report) {
  std::size_t count = 0;
  std::size_t stale = 0;
  std::size_t unreadable = 0;
  std::string data;
  std::string details;
  for (const auto& store : report.stores) {
    if (store.failure) {
      ++unreadable;
      details += plugin_text(fmt::format("store {}: {}", store.name, store.failure->message())) + "\n";
    }
    for (const auto& series : store.series) {
      ++count;
      if (series.freshness == Freshness::stale) ++stale;
      if (const std::string text = remark(series); !text.empty()) {
        details += plugin_text(fmt::format("{} in {}: {}", series.series, store.name, text)) + "\n";
      }
      if (!series.newest) continue;
      data += fmt::format(" '{}'={}s;;{}", plugin_label(series.series, store.name), seconds(series.age),
                          series.max_age ? fmt::format("{}", seconds(*series.max_age)) : "");
    }
  }
  const int status = plugin_status(report);
  std::string line = fmt::format("CAIRN {} - {} of {} stale",
                                 status == 0   ? "OK"
                                 : status == 2 ? "CRITICAL"
                                               : "UNKNOWN",
                                 stale, counted(count, "series", "series"));
  if (unreadable != 0) line += fmt::format(", {} out of reach", counted(unreadable, "store", "stores"));
  if (!data.empty()) line += " |" + data;
  return line + "\n" + details;
}

std::string status_for_prometheus(const StatusReport& report) {
  Metrics metrics;
  for (const auto& store : report.stores) {
    metrics.up.add(fmt::format("store=\"{}\"", label(store.name)), store.failure ? 0 : 1);
    for (const auto& series : store.series) metrics.add(series, store.name);
  }
  Metric looked{"cairn_status_timestamp_seconds", "When cairn status looked."};
  looked.add("", timestamp(report.at));
  std::string out = metrics.text();
  looked.append_to(out);
  return out;
}

}  // namespace cairn
