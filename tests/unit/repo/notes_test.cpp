#include "repo/notes.hpp"

#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

PendingRecord sample_pending() {
  PendingRecord r;
  r.run = std::string(32, 'a');
  r.number = 2;
  r.host = "host";
  r.created = *parse_time("2026-11-21T03:24:10Z");
  PackRef ref;
  ref.name = sha256(std::string_view{"a"});
  ref.size = 1000;
  ref.directory_offset = 900;
  ref.directory_size = 68;
  ref.logical_id = sha256(std::string_view{"b"});
  r.packs = {ref};
  return r;
}

Mark sample_mark() {
  Mark m;
  m.time = *parse_time("2026-11-21T03:24:10Z");
  m.newest_object = *parse_time("2026-11-21T03:24:09Z");
  m.packs = {sha256(std::string_view{"a"}), sha256(std::string_view{"b"})};
  m.seen = {"snapshots/s/x.json"};
  m.removed = {{"snapshots/s/y.json", "{\"bytes\":\xff}\n"}, {"snapshots/s/z", ""}};
  return m;
}

}  // namespace

TEST_CASE("pending record: parse gives back what was written; cut anywhere it is damaged") {
  const std::string text = sample_pending().text();
  const auto back = PendingRecord::parse(text, "p");
  CHECK(back.text() == text);
  CHECK(back.packs == sample_pending().packs);
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    CHECK(failure_of([&] { PendingRecord::parse(text.substr(0, n), "p"); }) == ErrorKind::damaged);
  }
}

TEST_CASE("pending record: members out of range") {
  const std::string text = sample_pending().text();
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"\"aaaa", "\"Aaaa"},
                                                                  {"\"aaaa", "\"aaa"},
                                                                  {"\"number\":2", "\"number\":0"},
                                                                  {"\"number\":2", "\"number\":\"2\""},
                                                                  {".000000000Z", "Z"},
                                                                  {"[900,68]", "[900,67]"},
                                                                  {"[900,68]", "[1000,0]"},
                                                                  {"\"size\":1000", "\"size\":10"},
                                                                  {"logical_ids\\\":[\\\"", "logical_ids\\\":[\\\"0"},
                                                                  {"holds_list\\\":[false", "holds_list\\\":["},
                                                                  {"host\\\"", "hast\\\""},
                                                                  {"cairn-pending", "cairn-mark"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { PendingRecord::parse(replaced(text, from, to), "p"); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { PendingRecord::parse(replaced(text, "\"version\":1", "\"version\":2"), "p"); }) ==
        ErrorKind::failed);
  CHECK(failure_of([&] { PendingRecord::parse(replaced(text, "\"none\"", "\"age\""), "p"); }) == ErrorKind::failed);
}

TEST_CASE("mark: parse gives back what was written, bytes of manifests included; cut anywhere it is damaged") {
  const std::string text = sample_mark().text();
  const auto back = Mark::parse(text, "m");
  CHECK(back.text() == text);
  REQUIRE(back.removed.size() == 2);
  CHECK(back.removed[0].bytes == sample_mark().removed[0].bytes);
  CHECK(back.packs == sample_mark().packs);
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    CHECK(failure_of([&] { Mark::parse(text.substr(0, n), "m"); }) == ErrorKind::damaged);
  }
}

TEST_CASE("mark: members out of range; what undo would put back is always below snapshots/") {
  const std::string text = sample_mark().text();
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"packs\":[\"", "\"packs\":[\"0"},
           {"\"seen\":[", "\"seen\":[1,"},
           {"\"bytes_b64\":\"", "\"bytes_b64\":\"*"},
           {"\"newest_object\"", "\"oldest_object\""},
           {"\"key\":\"snapshots/", "\"key\":\"config/"},
           {"\"key\":\"snapshots/", "\"key\":\"../"},
           {"\"time\":\"2026-11-21T", "\"time\":\"2026-11-21t"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { Mark::parse(replaced(text, from, to), "m"); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { Mark::parse(replaced(text, "\"version\":1", "\"version\":3"), "m"); }) == ErrorKind::failed);
}
