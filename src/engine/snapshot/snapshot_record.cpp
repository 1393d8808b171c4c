#include "engine/snapshot/snapshot_record.hpp"

#include "repo/future_dated.hpp"
#include "util/error.hpp"
#include "util/time.hpp"

#include <chrono>

#include <fmt/format.h>

namespace cairn {

namespace {

// A run that began a moment later may have committed before this one listed the store; and clocks differ a little.
constexpr std::chrono::seconds k_clock_tolerance{5};

}  // namespace

std::string subject_text(const Source& source) {
  const auto name = [&]() -> std::string_view {
    switch (source.kind()) {
      case SourceKind::command:
        return "producer";
      case SourceKind::sqlite:
        return "database";
      case SourceKind::directory:
        break;
    }
    return source.shape() == SourceShape::file ? "file" : "directory";
  };
  return fmt::format("{} {}", name(), quote(source.location()));
}

void judge_capture(SnapshotResult& result, const Source& source, const SnapshotRequest& request,
                   const SizeBefore& before) {
  // One file that is no database may be a log that was rotated.
  const bool steady = source.shape() == SourceShape::tree || source.kind() == SourceKind::sqlite;
  const auto judgement = judge_size(request.guard, {result.stats.files, result.stats.bytes}, before,
                                    steady ? std::optional{k_usual_drop} : std::nullopt);
  const std::string subject = subject_text(source);
  if (judgement.refusal) {
    throw SourceError(ErrorKind::failed, fmt::format("{} cannot be trusted: {}", subject, *judgement.refusal),
                      "if this is right, lower the limit of the source for this run");
  }
  if (judgement.doubt == Doubt::none) return;
  result.doubt = judgement.doubt;
  const char* const way_out = judgement.doubt == Doubt::emptied ? "--allow-empty" : "--max-drop 100%";
  result.problems.push_back(
      {source.location(),
       fmt::format("{} is in doubt: {}; the snapshot is marked so, and displaces no other (if this is right: {})",
                   subject, judgement.reason, way_out)});
}

std::optional<std::string> clock_warning(const SnapshotResult& result, const CommitProtocol::Clocks& clocks,
                                         const std::optional<SeriesHistory::Last>& last) {
  const auto dated = [&](const std::string& cause) {
    return fmt::format("snapshot {} of series {} is dated {}, {}", result.id.short_hex(), quote(result.series),
                       format_time_short(result.cut_point), cause);
  };
  if (is_future_dated(result.cut_point, clocks.store)) {
    return dated(
        fmt::format("and the store's clock says {}: this machine's clock is ahead; the snapshot is not what "
                    "'latest' or the series means, and takes no place in retention: name it by its id",
                    format_time_short(clocks.store)));
  }
  if (last && !last->ahead && result.cut_point < shifted(last->cut_point, -k_clock_tolerance)) {
    return dated(
        fmt::format("before snapshot {} of {}, which was there already: this machine's clock is behind, or was "
                    "ahead then; 'latest', the series and retention take that one for the newer",
                    last->id.short_hex(), format_time_short(last->cut_point)));
  }
  if (is_future_dated(clocks.store, clocks.own)) {
    return dated(
        fmt::format("and the store's clock says {}: this machine's clock is behind; retention takes the snapshot for "
                    "older than it is",
                    format_time_short(clocks.store)));
  }
  return std::nullopt;
}

Record make_record(const SnapshotResult& result, const SeriesHistory& history) {
  Record record;
  record.series = result.series;
  record.cut_point = result.cut_point;
  record.incomplete = result.incomplete;
  record.doubt = result.doubt;
  if (history.last) {
    record.sequence = history.sequence + 1;
    record.previous = history.last->id;
  }
  return record;
}

void sign_snapshot(Manifest& manifest, const minisign::SecretKey* key) {
  if (key == nullptr) return;
  const std::string line = signed_line(manifest.record, manifest.id);
  manifest.signatures.push_back({key->public_key().text(), key->sign(line, line.substr(0, line.size() - 1))});
}

}  // namespace cairn
