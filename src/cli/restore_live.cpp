#include "cli/restore_live.hpp"

#include "cli/session.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

void check_live_options(std::initializer_list<std::pair<const char*, bool>> others) {
  for (const auto& [name, given] : others) {
    if (given) throw Error(ErrorKind::usage, fmt::format("--live and {} exclude each other", name));
  }
}

void add_live_estimate(FieldList& fields, const LiveEstimate& estimate) {
  if (estimate.has_log) {
    fields.add("log", fmt::format("up to {} more in its -wal, which stays that large until its users let it go",
                                  format_size(estimate.log_bytes)));
  } else {
    fields.add("journal", fmt::format("up to {}, gone afterwards", format_size(estimate.log_bytes)));
  }
  fields.add("users", fmt::format("{} wait about {} once all was fetched, at {}/s, assumed: a plan writes nothing to "
                                  "measure it",
                                  estimate.has_log ? "writers" : "readers and writers", format_duration(estimate.wait),
                                  format_size(estimate.bytes_per_second)));
}

void write_live_estimate(JsonWriter& to, const LiveEstimate& estimate) {
  to.key("live").begin_object().member("wal", estimate.has_log).member("log_bytes", estimate.log_bytes);
  to.member("bytes_written", estimate.bytes_written);
  to.member("wait_seconds", static_cast<std::uint64_t>(estimate.wait.count()));
  to.member("bytes_per_second", estimate.bytes_per_second).member("measured", false).end_object();
}

std::string live_text(const sqlite::LiveWritten& written) {
  if (written.log_bytes == 0) {
    return fmt::format("  its users waited {} for it at most", format_duration(written.blocked));
  }
  return fmt::format("  writers waited {} for it at most; its -wal has {}{}", format_duration(written.blocked),
                     format_size(written.log_bytes),
                     written.log_copied ? ", all of it copied into the database" : ", which its users copy");
}

void write_live(JsonWriter& to, const sqlite::LiveWritten& written) {
  to.key("live").begin_object().member("wait_ms", milliseconds(written.blocked));
  to.member("log_bytes", written.log_bytes).member("log_copied", written.log_copied).end_object();
}

}  // namespace cairn
