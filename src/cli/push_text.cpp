#include "cli/push_text.hpp"

#include "cli/output.hpp"
#include "util/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

void note_push(Session& session, const PushResult& result, const std::string& target) {
  constexpr std::size_t k_most_named = 3;
  std::vector<std::string> pushed;
  for (const auto& snapshot : result.snapshots) {
    if (!snapshot.failure && !snapshot.already_there) pushed.push_back(short_id(snapshot.id));
  }
  if (pushed.empty()) return;
  session.note_change(pushed.size() > k_most_named
                          ? fmt::format("pushed {} snapshots to {}", pushed.size(), quote(target))
                          : fmt::format("pushed to {}: {}", quote(target), fmt::join(pushed, ", ")));
}

void print_push(Session& session, const PushResult& result, const std::string& target) {
  session.reporter().clear_progress();
  for (const auto& snapshot : result.snapshots) {
    const std::string name = fmt::format("{} of {}, cut at {}", short_id(snapshot.id), snapshot.series,
                                         format_time_short(snapshot.cut_point));
    if (snapshot.failure) {
      session.print_error(*snapshot.failure);
    } else if (snapshot.already_there) {
      session.say(fmt::format("snapshot {} is in {} already", name, target));
    } else {
      session.say(fmt::format("pushed snapshot {} to {}", name, target));
      session.say(fmt::format("  {}, {} copied; {} there already", counted(snapshot.packs_copied, "pack", "packs"),
                              format_size(snapshot.bytes_copied), format_size(snapshot.bytes_reused)));
    }
  }
  if (!result.unreadable.empty()) {
    session.print_error(
        Error(ErrorKind::damaged,
              fmt::format("{} not pushed to {}: damaged where it should come from",
                          counted(result.unreadable.size(), "manifest was", "manifests were"), quote(target)),
              "the warnings above name them; cairn verify --repair-from a store that has them mends that"));
  } else if (result.snapshots.empty()) {
    session.say(result.older == 0 ? fmt::format("nothing to push: {} has it all", target)
                                  : fmt::format("nothing newer to push: {} lacks {}, which --all would take there",
                                                target, counted(result.older, "older snapshot", "older snapshots")));
  }
}

void write_push_members(JsonWriter& to, const PushResult& result) {
  to.key("snapshots").begin_array();
  for (const auto& snapshot : result.snapshots) {
    to.begin_object().member("id", snapshot.id.hex()).member("series", snapshot.series);
    to.member("cut_point", format_time(snapshot.cut_point)).member("already_there", snapshot.already_there);
    to.member("packs_copied", snapshot.packs_copied).member("bytes_copied", snapshot.bytes_copied);
    to.member("packs_reused", snapshot.packs_reused).member("bytes_reused", snapshot.bytes_reused);
    if (snapshot.failure) {
      to.key("error").begin_object();
      write_error_members(to, *snapshot.failure);
      to.end_object();
    }
    to.end_object();
  }
  to.end_array().key("unreadable").begin_array();
  for (const auto& key : result.unreadable) to.value(terminal_safe(key));
  to.end_array();
  to.member("packs_copied", result.packs_copied).member("bytes_copied", result.bytes_copied);
  to.member("packs_reused", result.packs_reused).member("bytes_reused", result.bytes_reused);
  to.member("duration_ms", milliseconds(result.duration));
}

ExitStatus push_status(const PushResult& result) {
  bool no_key = false;
  bool failed = false;
  bool damaged = !result.unreadable.empty();
  for (const auto& snapshot : result.snapshots) {
    if (!snapshot.failure) continue;
    const ErrorKind kind = snapshot.failure->kind();
    no_key = no_key || kind == ErrorKind::no_key;
    failed = failed || kind == ErrorKind::failed;
    damaged = damaged || (kind != ErrorKind::no_key && kind != ErrorKind::failed);
  }
  if (damaged) return ExitStatus::damaged;
  if (failed) return ExitStatus::failed;
  return no_key ? ExitStatus::no_key : ExitStatus::done;
}

}  // namespace cairn
