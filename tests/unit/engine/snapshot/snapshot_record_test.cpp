#include "engine/snapshot/snapshot_record.hpp"

#include "support/scripted_source.hpp"
#include "unit/support.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now = Time{} + std::chrono::days{20'000};

SnapshotResult result_at(Time cut_point) {
  SnapshotResult result;
  result.series = "s";
  result.cut_point = cut_point;
  return result;
}

SeriesHistory::Last last_at(Time cut_point, bool ahead = false) {
  return {.id = sha256("before"), .cut_point = cut_point, .stored_at = cut_point, .closed = false, .ahead = ahead};
}

std::string warning(Time cut_point, CommitProtocol::Clocks clocks, std::optional<SeriesHistory::Last> last = {}) {
  return clock_warning(result_at(cut_point), clocks, last).value_or("");
}

}  // namespace

TEST_CASE("snapshot record: clocks that agree are not mentioned, the others in order of what they cost") {
  CHECK(warning(k_now, {k_now, k_now}).empty());
  CHECK(warning(k_now + 59min, {k_now, k_now + 59min}).empty());
  CHECK(warning(k_now + 61min, {k_now, k_now + 61min}).find("clock is ahead") != std::string::npos);
  // The store's clock is ahead of ours.
  CHECK(warning(k_now, {k_now + 61min, k_now}).find("clock is behind; retention") != std::string::npos);
  CHECK(warning(k_now, {k_now, k_now}, last_at(k_now + 4s)).empty());
  CHECK(warning(k_now, {k_now, k_now}, last_at(k_now + 6s)).find("which was there already") != std::string::npos);
  CHECK(warning(k_now, {k_now, k_now}, last_at(k_now + 6s, true)).empty());
  CHECK(warning(k_now + 2h, {k_now, k_now + 2h}, last_at(k_now + 3h)).find("clock is ahead") != std::string::npos);
}

TEST_CASE("snapshot record: it follows the last one of its series") {
  SnapshotResult result = result_at(k_now);
  result.incomplete = true;
  result.doubt = Doubt::shrunk;
  SeriesHistory history;
  CHECK(make_record(result, history).sequence == 1);
  CHECK_FALSE(make_record(result, history).previous);
  history.last = last_at(k_now - 1h);
  history.sequence = 7;
  const Record record = make_record(result, history);
  CHECK(record.sequence == 8);
  CHECK(record.previous == sha256("before"));
  CHECK(record.series == "s");
  CHECK(record.cut_point == k_now);
  CHECK(record.incomplete);
  CHECK(record.doubt == Doubt::shrunk);
}

TEST_CASE("snapshot record: a source is called what it is") {
  test::ScriptedSource source{{}};
  CHECK(subject_text(source) == "directory '/scripted'");
  source.formed = SourceShape::file;
  CHECK(subject_text(source) == "file '/scripted'");
  source.is = SourceKind::sqlite;
  CHECK(subject_text(source) == "database '/scripted'");
  source.is = SourceKind::command;
  CHECK(subject_text(source) == "producer '/scripted'");
}

TEST_CASE("snapshot record: a drop that nobody limited is a doubt, but not of one file of any kind") {
  test::ScriptedSource source{{}};
  const SizeBefore before{.size = SourceSize{10, 1000}};
  const auto judged = [&](SnapshotRequest request = {}) {
    SnapshotResult result = result_at(k_now);
    result.stats.files = 1;
    result.stats.bytes = 100;
    judge_capture(result, source, request, before);
    return result;
  };
  CHECK(judged().doubt == Doubt::shrunk);
  REQUIRE(judged().problems.size() == 1);
  CHECK(judged().problems[0].message.find("directory '/scripted' is in doubt") == 0);
  CHECK(judged().problems[0].message.find("--max-drop 100%") != std::string::npos);
  source.formed = SourceShape::file;
  CHECK(judged().doubt == Doubt::none);
  CHECK(judged().problems.empty());
  source.is = SourceKind::sqlite;
  CHECK(judged().doubt == Doubt::shrunk);
  // A drop beyond the user's limit is refused.
  SnapshotRequest limited;
  limited.guard.max_drop = 0.5;
  CHECK(test::failure_of([&] { judged(limited); }) == ErrorKind::failed);
  CHECK(test::message_of([&] { judged(limited); }).find("database '/scripted' cannot be trusted") == 0);
}
