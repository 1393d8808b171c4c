// A source that passes by once, in an order of its own, and says only at its end which instant it holds: as a base
// backup that a database server streams.
#include "capture/source.hpp"
#include "engine/diff/differ.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "engine/verify/verifier.hpp"
#include "support/content.hpp"
#include "support/scripted_source.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::noise;

namespace {

const Time k_end = Time{} + std::chrono::days{20'500};

struct Stream : test::StoreFixture {
  Context at = context();
  std::vector<std::shared_ptr<test::ScriptedItem>> items;
  std::shared_ptr<test::ScriptedItem> relation = test::scripted_file("base/1", noise(9'000'000, 1));

  Stream() {
    relation->rule = {ChunkRule::Kind::fixed, 8192};
    // The data first, tables before the directory that they are in; labels and the manifest of it all last.
    items = {test::scripted_directory("global"),
             test::scripted_file("global/control", noise(8192, 2)),
             relation,
             test::scripted_file("base/2", noise(100, 3)),
             test::scripted_directory("base"),
             test::scripted_link("base/3", "base/2"),
             test::scripted_directory("."),
             test::scripted_file("backup_label", "START WAL LOCATION: 0/2000028\n"),
             test::scripted_file("a_manifest", noise(300'000, 4))};
  }
  test::ScriptedSource source() const { return test::ScriptedSource{items}; }
  static void stream(test::ScriptedSource& source) {
    source.read = SourceAccess::sequential;
    source.end = {k_end, "\"end_lsn\":\"0/20001A8\""};
  }
  SnapshotResult take(test::ScriptedSource& from) {
    stream(from);
    for (const auto& item : items) item->opened = 0;
    SnapshotRequest request;
    request.series = "s";
    return take_snapshot(at, from, request);
  }
  Manifest newest() {
    auto manifests = repository->manifests().list();
    REQUIRE_FALSE(manifests.empty());
    return repository->manifests().load(manifests.back());
  }
};

}  // namespace

TEST_CASE("sequential source: entries are listed by path, and the cut point and facts of its end are recorded") {
  Stream t;
  auto from = t.source();
  const auto result = t.take(from);
  CHECK(from.finished == 1);
  CHECK(result.problems.empty());
  CHECK(result.cut_point == k_end);
  CHECK(result.stats.files == 5);
  CHECK(result.stats.entries == 9);
  const Manifest manifest = t.newest();
  CHECK(manifest.record.cut_point == k_end);
  CHECK(manifest.facts.content == "\"end_lsn\":\"0/20001A8\"");
  CHECK_FALSE(manifest.facts.single_file);
  for (const auto& item : t.items) CHECK(item->opened == (item->entry.type == EntryType::file ? 1 : 0));

  // Verified as every reader reads it: a list that is out of order is damaged.
  VerifyRequest check;
  check.level = VerifyLevel::full;
  check.manifests = t.repository->manifests().list();
  CHECK(verify(t.at, check).problems.empty());
  const fs::path target = t.directory.path() / "target";
  const auto restored = restore(t.at, manifest, {.target = target, .paths = {}, .overwrite = false});
  CHECK(restored.problems.empty());
  const auto content = [&](const char* path) {
    const Bytes bytes = read_file(target / path);
    return std::string{as_text(bytes)};
  };
  CHECK(content("base/1") == t.relation->bytes);
  CHECK(content("base/3") == noise(100, 3));
  CHECK(content("backup_label") == "START WAL LOCATION: 0/2000028\n");
  CHECK(content("a_manifest") == noise(300'000, 4));
}

TEST_CASE("sequential source: the next one stores what is new, though nothing is looked up by its path") {
  Stream t;
  auto first = t.source();
  t.take(first);
  t.relation->bytes.replace(5 * 8192, 8192, noise(8192, 9));
  auto second = t.source();
  const auto result = t.take(second);
  // A page, and the list.
  CHECK(result.stats.new_bytes >= 8192);
  CHECK(result.stats.new_bytes < 8192 + 16384);
  CHECK(t.relation->opened == 1);
  CHECK(result.sequence == 2);
}

TEST_CASE("sequential source: a stream that breaks at its end commits nothing") {
  Stream t;
  auto from = t.source();
  from.broken = SourceError(ErrorKind::failed, "the server went away");
  CHECK(test::message_of([&] { t.take(from); }) == "the server went away");
  CHECK(t.repository->manifests().list().empty());
}

TEST_CASE("sequential source: what makes no tree is refused before it is committed") {
  Stream t;
  t.items.push_back(test::scripted_file("base/2", "again"));
  auto twice = t.source();
  CHECK(test::failure_of([&] { t.take(twice); }) == ErrorKind::failed);
  t.items.back() = test::scripted_file("nowhere/file", "text");
  auto lost = t.source();
  CHECK(test::message_of([&] { t.take(lost); }).find("'nowhere/file'") != std::string::npos);
  CHECK(t.repository->manifests().list().empty());
}

TEST_CASE("sequential source: a file that fails or changed is read once, and makes the snapshot incomplete") {
  Stream t;
  t.relation->changes = 1;
  t.items[1]->failures = {ErrorKind::busy};
  auto from = t.source();
  from.troubles = {{"base/2", "its checksum is wrong"}};
  const auto result = t.take(from);
  CHECK(result.incomplete);
  REQUIRE(result.problems.size() == 3);
  CHECK(result.problems[0].path == "global/control");
  CHECK(result.problems[1].path == "base/1");
  CHECK(result.problems[2].path == "base/2");
  CHECK(t.relation->opened == 1);
}

TEST_CASE("sequential source: it cannot be compared with a snapshot") {
  Stream t;
  auto from = t.source();
  t.take(from);
  auto other = t.source();
  Stream::stream(other);
  CHECK(test::failure_of([&] { diff_with_source(t.at, t.newest(), other, [](const Difference&) {}); }) ==
        ErrorKind::usage);
}
