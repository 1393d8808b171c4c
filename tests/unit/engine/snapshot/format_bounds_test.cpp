// Things that a source may hold and the format has no room for: told and left out, so that the rest can be read.
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "repo/format.hpp"
#include "support/store_fixture.hpp"
#include "util/json.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

// One hole.
class Hole : public Content {
 public:
  explicit Hole(std::uint64_t size) : m_left(size) {}
  ChunkRule rule() const override { return {}; }
  std::uint64_t expected_size() const override { return m_left; }
  Piece read(ByteSpan) override {
    if (m_left == 0) return {};
    return {Piece::Kind::hole, std::exchange(m_left, 0)};
  }
  Outcome finish() override { return Outcome::consistent; }

 private:
  std::uint64_t m_left;
};

class HoleOpener : public ContentOpener {
 public:
  std::unique_ptr<Content> open(Entry& entry) override { return std::make_unique<Hole>(entry.size); }
};

class Listed : public Source {
 public:
  explicit Listed(std::vector<Entry> entries) : m_entries(std::move(entries)) {}
  SourceKind kind() const override { return SourceKind::directory; }
  SourceShape shape() const override { return SourceShape::tree; }
  SourceAccess access() const override { return SourceAccess::reopenable; }
  std::string location() const override { return "/listed"; }
  std::optional<SourceItem> next() override {
    if (m_next == m_entries.size()) return std::nullopt;
    const Entry& entry = m_entries[m_next++];
    return SourceItem{entry, entry.type == EntryType::file ? std::make_shared<HoleOpener>() : nullptr};
  }
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  SourceEnd finish() override { return {Time{} + std::chrono::days{20000}}; }

 private:
  std::vector<Entry> m_entries;
  std::size_t m_next = 0;
  std::vector<SourceProblem> m_problems;
};

Entry entry(const std::string& path, EntryType type, std::uint64_t size = 0) {
  Entry out;
  out.path = path;
  out.type = type;
  out.size = size;
  return out;
}

struct Bounds : test::StoreFixture {
  SnapshotResult take(std::vector<Entry> entries) {
    Listed from{std::move(entries)};
    auto c = context();
    SnapshotRequest request;
    request.series = "s";
    return take_snapshot(c, from, request);
  }
  RestoreFigures plan() {
    auto c = context();
    return plan_restore(c, repository->manifests().load(repository->manifests().list().at(0)),
                        {.target = directory.path() / "target", .paths = {}})
        .figures;
  }
};

}  // namespace

TEST_CASE("a file larger than any number of the format is left out and told") {
  Bounds t;
  const auto result = t.take({entry(".", EntryType::directory), entry("a", EntryType::file, k_max_integer),
                              entry("b", EntryType::file, k_max_integer + 1), entry("c", EntryType::file, 5)});
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "b");
  CHECK(result.incomplete);
  CHECK(result.stats.files == 2);
  CHECK(result.stats.bytes == k_max_integer);
  const auto plan = t.plan();
  CHECK(plan.files == 2);
  CHECK(plan.bytes == k_max_integer);
  CHECK(plan.space == 0);
}

TEST_CASE("attributes that no line has room for are left out and told, what they were of is stored") {
  Bounds t;
  Entry large = entry("d", EntryType::directory);
  for (int i = 0; i < 50; ++i) large.xattrs.push_back({fmt::format("user.{:02}", i), std::string(1U << 20, 'x')});
  Entry fits = entry("d/e", EntryType::fifo);
  fits.xattrs = {large.xattrs.begin(), large.xattrs.begin() + 47};
  const auto result = t.take({entry(".", EntryType::directory), large, fits});
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "d");
  CHECK(result.stats.entries == 3);
  CHECK(t.plan().entries == 3);
}

TEST_CASE("what a reader of the list would refuse is left out and told, and the rest can be read") {
  Bounds t;
  // As LeilFS and NFS name security labels.
  Entry twice = entry("a", EntryType::fifo);
  twice.xattrs = {{"security.selinux", "x"}, {"security.selinux", "x"}};
  // As FUSE file systems may answer.
  Entry empty_link = entry("b", EntryType::symlink);
  Entry nameless = entry("c", EntryType::file, 65536);
  nameless.xattrs = {{"", "x"}};
  const std::string long_name(256, 'd');
  Entry target = entry("f", EntryType::symlink);
  target.link_target = "a";
  Entry link = entry("g", EntryType::hard_link);
  link.link_target = "b";
  const auto result =
      t.take({entry(".", EntryType::directory), twice, empty_link, nameless, entry(long_name, EntryType::directory),
              entry(long_name + "/x", EntryType::file, 65536), entry("e", EntryType::file, 65536), target, link});
  CHECK(result.incomplete);
  std::vector<std::string> told;
  for (const auto& problem : result.problems) told.push_back(problem.path);
  CHECK(told == std::vector<std::string>{"a", "b", "c", long_name, long_name + "/x", "g"});
  CHECK(result.stats.entries == 5);
  CHECK(result.stats.files == 2);
  const auto plan = t.plan();
  CHECK(plan.entries == 5);
  CHECK(plan.files == 2);
}
