#include "engine/snapshot/capture_pipeline.hpp"

#include "engine/snapshot/capture_batch.hpp"
#include "engine/snapshot/entry_writer.hpp"
#include "support/content.hpp"
#include "support/scripted_source.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::noise;

namespace {

// The pipeline with nothing before and nothing behind it.
struct Capture : test::StoreFixture {
  Context at = context();
  EntrySpool spool{directory.path()};
  KnownChunks known{directory.path()};
  ChunkStore chunks{
      at, {.pack_target = 16 << 20, .spool = std::nullopt, .discard = true}, [](const PackBuilder::Built&) {}};
  int kept_alive = 0;
  std::unique_ptr<EntryRecorder> entries;
  std::string facts;

  void run(Source& from) {
    entries = std::make_unique<EntryRecorder>(reporter, spool, EntryRecorder::Options{.shape = from.shape()});
    const auto keep_alive = [this] { ++kept_alive; };
    ContentWriter content{at, {known, chunks, spool}, keep_alive};
    CapturePipeline pipeline{at, {from, nullptr, content, *entries, spool}, keep_alive};
    pipeline.run();
    facts = pipeline.content_facts();
  }
  // Paths in the order of the list, with the bytes of their parts.
  std::vector<std::pair<std::string, std::uint64_t>> list() {
    spool.rewind();
    std::vector<std::pair<std::string, std::uint64_t>> out;
    EntrySpool::Stored stored;
    LocalPart part;
    while (spool.next_entry(stored)) {
      const auto begin = stored.head.find("\"path\":\"") + 8;
      std::uint64_t size = 0;
      for (std::uint64_t i = 0; i < stored.parts; ++i) {
        spool.next_part(part);
        size += part.size;
      }
      out.emplace_back(stored.head.substr(begin, stored.head.find('"', begin) - begin), size);
    }
    return out;
  }
  std::vector<std::string> problem_paths() const {
    std::vector<std::string> out;
    for (const auto& problem : entries->problems()) out.push_back(problem.path);
    return out;
  }
};

using List = std::vector<std::pair<std::string, std::uint64_t>>;
using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("capture pipeline: entries keep the source's order, whether they are read in batches or by themselves") {
  std::vector<std::shared_ptr<test::ScriptedItem>> items{test::scripted_directory(".")};
  List expected{{".", 0}};
  for (std::uint32_t i = 100; i < 300; ++i) {
    const std::size_t size = i % 50 == 7 ? k_small_file + 5 : i % 9 == 0 ? 0 : 20'000 + i;
    items.push_back(test::scripted_file(std::to_string(i), noise(size, i)));
    expected.emplace_back(std::to_string(i), size);
  }
  test::ScriptedSource source{items};
  Capture t;
  t.run(source);
  CHECK(t.list() == expected);
  CHECK(t.entries->stats().files == 200);
  CHECK(t.entries->problems().empty());
  CHECK(t.kept_alive >= 4);
}

TEST_CASE("capture pipeline: a file that changes is read again, then reported") {
  const auto once = test::scripted_file("once", noise(k_small_file + 10, 1));
  once->changes = 1;
  const auto always = test::scripted_file("always", noise(k_small_file + 20, 2));
  always->changes = 100;
  const auto small = test::scripted_file("small", "text");
  small->changes = 100;
  test::ScriptedSource source{{once, always, small}};
  Capture t;
  t.run(source);
  // The parts of the readings that did not count are gone.
  CHECK(t.list() == List{{"once", k_small_file + 10}, {"always", k_small_file + 20}, {"small", 4}});
  CHECK(once->opened == 2);
  CHECK(always->opened == k_read_tries);
  CHECK(small->opened == k_read_tries);
  CHECK(t.problem_paths() == Paths{"always", "small"});
}

TEST_CASE("capture pipeline: what is locked is tried again at the end, in its place; what links lead to is not") {
  const auto a = test::scripted_file("a", "a");
  a->failures = {ErrorKind::busy};
  const auto b = test::scripted_file("b", noise(k_small_file + 1, 1));
  b->failures = {ErrorKind::busy};
  const auto c = test::scripted_file("c", "c");
  c->failures = {ErrorKind::busy, ErrorKind::busy};
  const auto d = test::scripted_file("d", "d");
  d->failures = {ErrorKind::busy};
  d->has_links = true;
  test::ScriptedSource source{{a, b, c, d, test::scripted_file("e", "e")}};
  Capture t;
  t.run(source);
  CHECK(t.list() == List{{"a", 1}, {"b", k_small_file + 1}, {"e", 1}});
  CHECK(t.problem_paths() == Paths{"d", "c"});
}

TEST_CASE("capture pipeline: of links whose target is lost the first becomes a file, and the others link to it") {
  const auto target = test::scripted_file("a", "text");
  target->failures = {ErrorKind::not_found};
  target->has_links = true;
  const auto first = test::scripted_link("b", "a");
  first->as_file = "text";
  const auto second = test::scripted_link("c", "a");
  second->as_file = "text";
  test::ScriptedSource source{{target, first, second}};
  Capture t;
  t.run(source);
  CHECK(t.list() == List{{"b", 4}, {"c", 0}});
  CHECK(t.entries->problems().empty());
  CHECK(second->opened == 0);

  const auto denied = test::scripted_file("a", "text");
  denied->failures = {ErrorKind::failed};
  denied->has_links = true;
  const auto link = test::scripted_link("b", "a");
  link->as_file = "text";
  test::ScriptedSource closed{{denied, link}};
  Capture u;
  u.run(closed);
  CHECK(u.list().empty());
  CHECK(u.problem_paths() == Paths{"a", "b"});
}

TEST_CASE("capture pipeline: the one file that was asked for must be read, and its content says facts") {
  const auto file = test::scripted_file("a", "text");
  file->facts = "\"mode\":\"test\"";
  test::ScriptedSource source{{file}};
  source.formed = SourceShape::file;
  Capture t;
  t.run(source);
  CHECK(t.facts == "\"mode\":\"test\"");
  CHECK(t.list() == List{{"a", 4}});

  for (const auto kind : {ErrorKind::not_found, ErrorKind::failed, ErrorKind::busy}) {
    const auto gone = test::scripted_file("a", "text");
    gone->failures = {kind};
    test::ScriptedSource none{{gone}};
    none.formed = SourceShape::file;
    Capture u;
    const auto expected = kind == ErrorKind::not_found ? ErrorKind::failed : kind;
    CHECK(test::failure_of([&] { u.run(none); }) == expected);
  }
}

TEST_CASE("capture pipeline: content that is in doubt is told of, and looks changed to the next run") {
  const auto file = test::scripted_file("a", "text");
  file->problem = "a has a log beside it";
  test::ScriptedSource source{{file}};
  Capture t;
  t.run(source);
  REQUIRE(t.entries->problems().size() == 1);
  CHECK(t.entries->problems()[0].message == "a has a log beside it");
  t.spool.rewind();
  EntrySpool::Stored stored;
  REQUIRE(t.spool.next_entry(stored));
  CHECK(stored.head.find("1970-01-01") != std::string::npos);
}

TEST_CASE("capture pipeline: a signal ends it") {
  test::ScriptedSource source{{test::scripted_file("a", "text")}};
  Capture t;
  set_interrupted(2);
  CHECK(test::failure_of([&] { t.run(source); }) == ErrorKind::interrupted);
  set_interrupted(0);
}

TEST_CASE("content writer: equal chunks are stored once, and pages are compared with those in their place") {
  Capture t;
  EntryRecorder entries{t.reporter, t.spool, {}};
  ContentWriter content{t.at, {t.known, t.chunks, t.spool}, [] {}};
  const auto file = test::scripted_file("a", noise(64 * 4096, 1));
  file->rule = {ChunkRule::Kind::fixed, 4096};
  test::ScriptedSource source{{file, file}};
  std::uint64_t told = 0;
  const auto progress = [&](std::uint64_t done) { told = done; };
  auto first = *source.next();
  const auto reading = content.read(first, nullptr, progress);
  CHECK(reading.size == 64 * 4096);
  CHECK_FALSE(reading.changed);
  CHECK(told == 64 * 4096);
  CHECK(first.entry.size == 64 * 4096);
  t.spool.add_entry("1", true);
  auto second = *source.next();
  content.read(second, nullptr, progress);
  t.spool.add_entry("2", true);
  t.chunks.finish();
  CHECK(t.chunks.raw_bytes() == 64 * 4096);
  // Both are made of the same places.
  t.spool.rewind();
  EntrySpool::Stored stored;
  LocalPart one;
  LocalPart two;
  REQUIRE(t.spool.next_entry(stored));
  t.spool.next_part(one);
  REQUIRE(t.spool.next_entry(stored));
  t.spool.next_part(two);
  REQUIRE(one.extents.size() == two.extents.size());
  for (std::size_t i = 0; i < one.extents.size(); ++i) {
    CHECK(one.extents[i].source == two.extents[i].source);
    CHECK(one.extents[i].first == two.extents[i].first);
    CHECK(one.extents[i].count == two.extents[i].count);
  }
}
