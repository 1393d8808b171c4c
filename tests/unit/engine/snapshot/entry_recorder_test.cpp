#include "engine/snapshot/entry_recorder.hpp"

#include "support/store_fixture.hpp"
#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct Recorder {
  test::RecordingReporter reporter;
  EntrySpool spool{fs::temp_directory_path()};
  EntryRecorder entries{reporter, spool, {}};

  std::vector<std::string> heads() {
    spool.rewind();
    std::vector<std::string> out;
    EntrySpool::Stored stored;
    LocalPart part;
    while (spool.next_entry(stored)) {
      for (std::uint64_t i = 0; i < stored.parts; ++i) spool.next_part(part);
      out.push_back(stored.head);
    }
    return out;
  }
};

Entry entry(const std::string& path, EntryType type = EntryType::file, std::uint64_t size = 0) {
  Entry out;
  out.path = path;
  out.type = type;
  out.size = size;
  return out;
}

CapturedItem failed(const std::string& path, const SourceError& e) {
  SourceItem item;
  item.entry = entry(path);
  item.has_links = true;
  CapturedItem out{std::move(item)};
  out.fail(e);
  return out;
}

}  // namespace

TEST_CASE("entry recorder: files and their bytes are counted, and every entry") {
  Recorder t;
  Entry a = entry("a", EntryType::file, 5);
  Entry b = entry("b", EntryType::directory);
  t.entries.end_entry(a);
  t.entries.end_entry(b);
  CHECK(t.entries.stats().entries == 2);
  CHECK(t.entries.stats().files == 1);
  CHECK(t.entries.stats().bytes == 5);
  CHECK(t.entries.problems().empty());
  REQUIRE(t.heads().size() == 2);
  CHECK(t.heads()[1].find("\"b\"") != std::string::npos);
}

TEST_CASE("entry recorder: what no reader would take is left out with its parts, and no link may lead to it") {
  Recorder t;
  t.spool.add_part({10, {{1, 2, 3}}});
  Entry wrong = entry("a", EntryType::file, std::uint64_t{1} << 60);
  t.entries.end_entry(wrong);
  CHECK(t.entries.stats().entries == 0);
  REQUIRE(t.entries.problems().size() == 1);
  CHECK(t.entries.problems()[0].path == "a");
  CHECK(t.reporter.warnings == std::vector{t.entries.problems()[0].message});
  REQUIRE(t.entries.lost().find("a") != nullptr);
  CHECK_FALSE(t.entries.lost().find("a")->readable);
  Entry good = entry("b");
  t.entries.end_entry(good);
  t.spool.rewind();
  EntrySpool::Stored stored;
  REQUIRE(t.spool.next_entry(stored));
  CHECK(stored.parts == 0);

  EntryRecorder single{t.reporter, t.spool, {.shape = SourceShape::file}};
  CHECK(test::failure_of([&] { single.end_entry(wrong); }) == ErrorKind::failed);
}

TEST_CASE("entry recorder: an entry whose attributes are wrong or too large is stored without them") {
  Recorder t;
  Entry wrong = entry("a");
  wrong.xattrs = {{"user.b", "1"}, {"user.a", "2"}};
  t.entries.end_entry(wrong);
  Entry large = entry("b");
  for (char c = 'a'; c <= 'p'; ++c) large.xattrs.push_back({std::string{"user."} + c, std::string(4 << 20, '\1')});
  t.entries.end_entry(large);
  CHECK(t.entries.stats().entries == 2);
  CHECK(t.entries.problems().size() == 2);
  for (const auto& head : t.heads()) CHECK(head.find("user.") == std::string::npos);
}

TEST_CASE("entry recorder: what vanished is no problem, what cannot be read is, and both lose their names") {
  Recorder t;
  t.entries.leave_out(failed("gone", SourceError(ErrorKind::not_found, "gone")));
  CHECK(t.entries.problems().empty());
  REQUIRE(t.entries.lost().find("gone") != nullptr);
  CHECK(t.entries.lost().find("gone")->readable);  // by another name
  t.entries.leave_out(failed("other", ReplacedError(ErrorKind::failed, "is a socket now")));
  REQUIRE(t.entries.lost().find("other") != nullptr);
  CHECK(t.entries.lost().find("other")->readable);
  t.entries.leave_out(failed("denied", SourceError(ErrorKind::failed, "permission denied")));
  REQUIRE(t.entries.lost().find("denied") != nullptr);
  CHECK_FALSE(t.entries.lost().find("denied")->readable);
  REQUIRE(t.entries.problems().size() == 2);
  CHECK(t.entries.problems()[1].message == "permission denied");
  CHECK(t.entries.lost().find("never seen") == nullptr);
}

TEST_CASE("entry recorder: a name that became another file's is stored as it is, but links do not lead there") {
  Recorder t;
  SourceItem item;
  item.entry = entry("a");
  item.entry.inode = 1;
  item.has_links = true;
  CapturedItem same{item};
  t.entries.end_item(same);
  CHECK(t.entries.lost().find("a") == nullptr);
  item.entry.path = "b";
  CapturedItem other{std::move(item)};
  other.source.entry.inode = 2;
  t.entries.end_item(other);
  REQUIRE(t.entries.lost().find("b") != nullptr);
  CHECK(t.entries.stats().entries == 2);
}

TEST_CASE("entry recorder: a file that is told of looks changed to the next run") {
  Recorder t;
  Entry a = entry("a");
  a.ctime = Time{} + std::chrono::days{10'000};
  t.entries.tell_each_time(a, "has a log beside it");
  CHECK(a.ctime == Time{});
  CHECK(t.entries.problems().size() == 1);
}

TEST_CASE("entry recorder: entries that come in any order are read back by their paths") {
  Recorder t;
  PathOrder order;
  EntryRecorder entries{t.reporter, t.spool, {.order = &order}};
  for (const char* path : {"d/x", "b", "a"}) {
    t.spool.add_part({1, {{1, 2, static_cast<std::uint32_t>(path[0])}}});
    Entry file = entry(path, EntryType::file, 1);
    entries.end_entry(file);
  }
  for (const char* path : {"d", "."}) {
    Entry directory = entry(path, EntryType::directory);
    entries.end_entry(directory);
  }
  t.spool.arrange(order.sort());
  t.spool.rewind();
  std::string seen;
  EntrySpool::Stored stored;
  LocalPart part;
  while (t.spool.next_entry(stored)) {
    seen += stored.is_file ? 'f' : 'd';
    if (stored.parts == 0) continue;
    t.spool.next_part(part);
    seen += static_cast<char>(part.extents.at(0).count);
  }
  CHECK(seen == "dfafbdfd");
}
