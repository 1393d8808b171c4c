#include "engine/snapshot/snapshotter.hpp"

#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/tree_reader.hpp"
#include "support/content.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/store_fixture.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include <doctest/doctest.h>
#include <sys/xattr.h>

using namespace cairn;
using test::noise;
using test::write;

namespace {

// Reads a snapshot back into memory, every chunk verified.
class Collector : public TreeVisitor {
 public:
  explicit Collector(FrameFetcher& fetcher) : m_fetcher(fetcher) {}
  bool entry(const Entry& entry) override {
    entries.push_back(entry);
    m_path = entry.path;
    if (entry.type == EntryType::file) files[m_path].resize(entry.size);
    return true;
  }
  void run(const ContentRun& run) override {
    const auto directory = m_fetcher.directory(run.pack);
    std::uint64_t offset = run.offset;
    for (std::uint32_t chunk = run.first; chunk < run.first + run.count; ++chunk) {
      const auto frame = m_fetcher.request({{run.pack, directory->frame_of(chunk)}}).front().get();
      const auto bytes = frame->chunk(chunk);
      std::copy(bytes.begin(), bytes.end(), files[m_path].begin() + static_cast<std::ptrdiff_t>(offset));
      offset += bytes.size();
    }
  }
  void end_file(const std::optional<Error>& failure) override {
    if (failure) FAIL(failure->message());
  }
  std::vector<Entry> entries;
  std::map<std::string, std::string> files;

 private:
  FrameFetcher& m_fetcher;
  std::string m_path;
};

struct Snapshots : test::StoreFixture {
  SnapshotResult take(const std::string& series = "s", bool reread = false) {
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest request;
    request.series = series;
    request.reread = reread;
    return take_snapshot(c, from, request);
  }
  Manifest manifest(const Digest& id) {
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == id.short_hex()) return repository->manifests().load(info);
    }
    FAIL("no such snapshot");
    return {};
  }
  std::map<std::string, std::string> read_back(const Digest& id) {
    const Manifest m = manifest(id);
    const PackTable packs{m};
    FrameFetcher fetcher{repository->packs(), io, pool, packs, 64 << 20};
    Collector collector{fetcher};
    walk_tree(m, fetcher, fetcher, collector);
    return collector.files;
  }
  VerifyResult verify_all(VerifyLevel level = VerifyLevel::full) {
    auto c = context();
    VerifyRequest request;
    request.level = level;
    request.manifests = repository->manifests().list();
    return verify(c, request);
  }
};

}  // namespace

TEST_CASE("a database that is locked is tried again at the end, and lies where it belongs") {
  // Locked for the first tries of one name.
  class Locked : public ContentOpener {
   public:
    Locked(std::shared_ptr<ContentOpener> inner, int tries) : m_inner(std::move(inner)), m_tries(tries) {}
    std::unique_ptr<Content> open(Entry& entry) override {
      if (m_tries-- > 0) throw SourceError(ErrorKind::busy, "database is locked");
      return m_inner->open(entry);
    }

   private:
    std::shared_ptr<ContentOpener> m_inner;
    std::atomic<int> m_tries;
  };
  class Locking : public DirectorySource {
   public:
    using DirectorySource::DirectorySource;
    std::map<std::string, int> tries;
    std::optional<SourceItem> next() override {
      auto item = DirectorySource::next();
      if (item && item->content && tries.contains(item->entry.path)) {
        item->content = std::make_shared<Locked>(std::move(item->content), tries.at(item->entry.path));
      }
      return item;
    }
  };
  Snapshots t;
  for (const char* name : {"a", "b", "c", "d", "e"}) write(t.source / name, name + noise(5000, 3));
  write(t.source / "large", noise(9'000'000, 2));
  Locking from{{.path = t.source, .exclude = {}, .include = {}}};
  from.tries = {{"a", 1}, {"c", 1}, {"d", 2}, {"large", 1}};
  auto c = t.context();
  SnapshotRequest request;
  request.series = "s";
  const auto result = take_snapshot(c, from, request);
  REQUIRE(result.problems.size() == 1);  // d, which is still locked
  CHECK(result.problems[0].path == "d");
  CHECK(result.stats.files == 5);
  const auto files = t.read_back(result.id);  // refuses a list that is out of order
  CHECK(files.size() == 5);
  CHECK(files.at("a") == "a" + noise(5000, 3));
  CHECK(files.at("c") == "c" + noise(5000, 3));
  CHECK(files.at("large") == noise(9'000'000, 2));
  CHECK(t.verify_all().problems.empty());
}

TEST_CASE("a snapshot reads back as it was") {
  Snapshots t;
  write(t.source / "empty", "");
  write(t.source / "small", "hello");
  write(t.source / "large", noise(9'000'000, 1));
  write(t.source / "zeros", std::string(3'000'000, '\0'));
  fs::create_directories(t.source / "a" / "b");
  write(t.source / "a" / "b" / "deep", "deep");
  const auto result = t.take();
  CHECK(result.incomplete == false);
  CHECK(result.stats.files == 5);
  CHECK(result.stats.bytes == 12'000'009);
  const auto files = t.read_back(result.id);
  CHECK(files.at("empty").empty());
  CHECK(files.at("small") == "hello");
  CHECK(files.at("large") == noise(9'000'000, 1));
  CHECK(files.at("zeros") == std::string(3'000'000, '\0'));
  CHECK(files.at("a/b/deep") == "deep");
  const auto checked = t.verify_all();
  CHECK(checked.problems.empty());
  CHECK(checked.bytes_verified == 12'000'009);
}

TEST_CASE("a file that vanishes after the walk is left out without a problem, and its other names are stored") {
  // Removes files between the walk and their reading.
  class Vanishing : public DirectorySource {
   public:
    explicit Vanishing(const DirectoryOptions& options) : DirectorySource(options), m_root(options.path) {}
    std::optional<SourceItem> next() override {
      auto item = DirectorySource::next();
      if (item && item->entry.path.starts_with("gone")) fs::remove(m_root / item->entry.path);
      return item;
    }

   private:
    fs::path m_root;
  };
  Snapshots t;
  write(t.source / "gone-large", noise(9'000'000, 1));
  write(t.source / "gone-small", "x");
  write(t.source / "stays", "y");
  const auto take = [&] {
    DirectoryOptions all;
    all.path = t.source;
    Vanishing tree{all};
    auto context = t.context();
    SnapshotRequest tree_request;
    tree_request.series = "s";
    return take_snapshot(context, tree, tree_request);
  };
  const auto result = take();
  CHECK_FALSE(result.incomplete);
  CHECK(t.read_back(result.id) == std::map<std::string, std::string>{{"stays", "y"}});

  write(t.source / "gone", "x");
  // The third name keeps it a file of several names when the walk gets to the second.
  fs::create_hard_link(t.source / "gone", t.source / "link");
  fs::create_hard_link(t.source / "gone", t.source / "zz-third");
  const auto linked = take();
  CHECK_FALSE(linked.incomplete);
  CHECK(t.read_back(linked.id) == std::map<std::string, std::string>{{"link", "x"}, {"stays", "y"}});
  CHECK(linked.stats.entries == 4);

  // The one file that was asked for is another matter.
  write(t.source / "gone", "x");
  class VanishingFile : public DirectorySource {
   public:
    explicit VanishingFile(const DirectoryOptions& options) : DirectorySource(options), m_path(options.path) {}
    std::optional<SourceItem> next() override {
      auto item = DirectorySource::next();
      fs::remove(m_path);
      return item;
    }

   private:
    fs::path m_path;
  };
  DirectoryOptions options;
  options.path = t.source / "gone";
  VanishingFile from{options};
  auto c = t.context();
  SnapshotRequest request;
  request.series = "s";
  try {
    take_snapshot(c, from, request);
    FAIL("a snapshot of nothing");
  } catch (const SourceError& e) {
    CHECK(e.kind() == ErrorKind::failed);
  }
}

TEST_CASE("a hard link keeps its content where the name it links to is another file when it is opened") {
  // Replaces, or closes to reading, the first name once the walk has seen them all.
  class Replacing : public DirectorySource {
   public:
    Replacing(const DirectoryOptions& options, std::string at, std::function<void()> act)
        : DirectorySource(options), m_at(std::move(at)), m_act(std::move(act)) {}
    std::optional<SourceItem> next() override {
      auto item = DirectorySource::next();
      if (item && item->entry.path == m_at) m_act();
      return item;
    }

   private:
    std::string m_at;
    std::function<void()> m_act;
  };
  Snapshots t;
  const auto take = [&](const std::string& at, std::function<void()> act) {
    DirectoryOptions options;
    options.path = t.source;
    Replacing tree{options, at, std::move(act)};
    auto context = t.context();
    SnapshotRequest request;
    request.series = "s";
    return take_snapshot(context, tree, request);
  };
  const auto replace = [&](std::string_view name, std::string_view text) {
    write(t.directory.path() / "new", text);
    fs::rename(t.directory.path() / "new", t.source / name);
  };
  const auto entry_of = [&](const Digest& id, std::string_view path) {
    const Manifest m = t.manifest(id);
    const PackTable packs{m};
    FrameFetcher fetcher{t.repository->packs(), t.io, t.pool, packs, 64 << 20};
    Collector collector{fetcher};
    walk_tree(m, fetcher, fetcher, collector);
    const auto at = std::find_if(collector.entries.begin(), collector.entries.end(),
                                 [&](const Entry& entry) { return entry.path == path; });
    REQUIRE(at != collector.entries.end());
    return *at;
  };
  using Files = std::map<std::string, std::string>;
  const auto link_all = [&](std::string_view text) {
    for (const char* name : {"a", "b", "c", "d"}) fs::remove(t.source / name);
    write(t.source / "a", text);
    for (const char* name : {"b", "c", "d"}) fs::create_hard_link(t.source / "a", t.source / name);
  };
  SUBCASE("replaced") {
    link_all("old");
    fs::permissions(t.source / "a", fs::perms{0640});
    const auto result = take("d", [&] { replace("a", "new content"); });
    CHECK_FALSE(result.incomplete);
    CHECK(t.read_back(result.id) == Files{{"a", "new content"}, {"b", "old"}});
    CHECK(entry_of(result.id, "b").mode == 0640);
    CHECK(entry_of(result.id, "c").link_target == "b");
    CHECK(entry_of(result.id, "d").link_target == "b");
  }
  SUBCASE("replaced, a large one") {
    const std::string old = noise(5'000'000, 1);
    link_all(old);
    const auto result = take("a", [&] { replace("a", noise(6'000'000, 2)); });
    CHECK_FALSE(result.incomplete);
    CHECK(t.read_back(result.id) == Files{{"a", noise(6'000'000, 2)}, {"b", old}});
    CHECK(entry_of(result.id, "d").link_target == "b");
  }
  SUBCASE("so is the next") {
    link_all("old");
    const auto result = take("d", [&] {
      replace("a", "new a");
      replace("b", "new b");
    });
    CHECK_FALSE(result.incomplete);
    CHECK(t.read_back(result.id) == Files{{"a", "new a"}, {"b", "new b"}, {"c", "old"}});
    CHECK(entry_of(result.id, "d").link_target == "c");
  }
  SUBCASE("gone, and the next is no file any more") {
    link_all("old");
    const auto result = take("d", [&] {
      fs::remove(t.source / "a");
      fs::remove(t.source / "b");
      fs::create_directory(t.source / "b");
    });
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].path == "b");
    CHECK(t.read_back(result.id) == Files{{"c", "old"}});
  }
  SUBCASE("a symbolic link by now") {
    link_all("old");
    const auto result = take("d", [&] {
      fs::remove(t.source / "a");
      fs::create_symlink("b", t.source / "a");
    });
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].path == "a");
    CHECK(t.read_back(result.id) == Files{{"b", "old"}});
  }
  SUBCASE("a database that cannot be captured: its log lies beside one name alone") {
    // A page count of which most are not there, and a log.
    std::string database = std::string("SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20", 24);
    database += std::string("\0\0\0\x01\0\0\x01\0", 8);
    database.resize(8192);
    database[95] = 1;
    link_all(database);
    write(t.source / "a-wal", std::string(100, 'x'));
    const auto result = take("d", [] {});
    CHECK(result.problems.size() == 4);
    CHECK(t.read_back(result.id).empty());
  }
  SUBCASE("with its attributes") {
    link_all("old");
    if (::setxattr((t.source / "a").c_str(), "user.colour", "blue", 4, 0) != 0) return;
    const auto result = take("d", [&] { replace("a", "new"); });
    const auto xattrs = entry_of(result.id, "b").xattrs;
    REQUIRE(xattrs.size() == 1);
    CHECK(xattrs[0].value == "blue");
  }
  SUBCASE("all are what they were") {
    link_all("old");
    const auto result = take("d", [] {});
    CHECK(t.read_back(result.id) == Files{{"a", "old"}});
    CHECK(entry_of(result.id, "b").link_target == "a");
  }
}

TEST_CASE("an unchanged source stores nothing but a manifest") {
  Snapshots t;
  write(t.source / "large", noise(9'000'000, 1));
  write(t.source / "small", "hello");
  t.take();
  const auto again = t.take();
  CHECK(again.stats.packs_written == 0);
  CHECK(again.stats.new_bytes == 0);
  const auto reread = t.take("s", true);
  CHECK(reread.stats.packs_written == 0);
  CHECK(t.read_back(reread.id).at("large") == noise(9'000'000, 1));
  CHECK(t.manifest(reread.id).record.sequence == 3);
  CHECK(t.manifest(reread.id).record.previous == again.id);
}

TEST_CASE("a change in a large file stores little") {
  Snapshots t;
  // More segments than are under way at a time.
  std::string text = noise(40'000'000, 7);
  write(t.source / "large", text);
  t.take();
  text.insert(5'000'000, "inserted");
  write(t.source / "large", text);
  const auto second = t.take();
  CHECK(second.stats.new_bytes > 0);
  CHECK(second.stats.new_bytes < 1'500'000);
  CHECK(t.read_back(second.id).at("large") == text);
}

TEST_CASE("equal content in several places is stored once") {
  Snapshots t;
  for (int i = 0; i < 10; ++i) write(t.source / std::to_string(i), noise(500'000, 3));
  const auto result = t.take();
  CHECK(result.stats.new_bytes < 520'000);
  CHECK(t.read_back(result.id).at("9") == noise(500'000, 3));
}

TEST_CASE("many small snapshots keep the number of packs bounded") {
  Snapshots t;
  std::size_t most = 0;
  SnapshotResult last;
  for (std::uint32_t i = 0; i < 60; ++i) {
    write(t.source / ("f" + std::to_string(i % 20)), noise(20'000, i));
    last = t.take();
    most = std::max(most, t.manifest(last.id).packs.size());
  }
  CHECK(most <= 40);
  CHECK(t.verify_all().problems.empty());
  CHECK(t.read_back(last.id).at("f19") == noise(20'000, 59));
}

TEST_CASE("an interrupted snapshot commits nothing and is not stored twice") {
  Snapshots t;
  for (std::uint32_t i = 0; i < 80; ++i) write(t.source / std::to_string(i), noise(1'000'000, i));
  struct Interrupting : DirectorySource {
    using DirectorySource::DirectorySource;
    std::optional<SourceItem> next() override {
      if (++count == 78) set_interrupted(2);
      return DirectorySource::next();
    }
    int count = 0;
  };
  Interrupting source{{.path = t.source, .exclude = {}, .include = {}}};
  auto c = t.context();
  SnapshotRequest request;
  request.series = "s";
  CHECK_THROWS_AS(take_snapshot(c, source, request), Error);
  set_interrupted(0);
  CHECK(t.repository->manifests().list().empty());
  std::uint64_t before = 0;
  t.store->list("packs/", [&](const ObjectInfo& info) { before += info.size; });
  CHECK(before > 16'000'000);
  const auto result = t.take();
  std::uint64_t after = 0;
  t.store->list("packs/", [&](const ObjectInfo& info) { after += info.size; });
  CHECK(after < 81'000'000);
  CHECK(result.stats.new_bytes + before < 81'000'000);
  CHECK(t.verify_all().problems.empty());
}

TEST_CASE("verify names a damaged pack and the snapshots that need it") {
  Snapshots t;
  write(t.source / "file", noise(100'000, 1));
  const auto result = t.take();
  const auto manifest = t.manifest(result.id);
  const fs::path pack = t.store_root / layout::pack_key(manifest.packs[0].name);
  Bytes bytes = read_file(pack);
  for (const std::size_t at : {std::size_t{3}, std::size_t{20}, std::size_t{40}, bytes.size() - 50, bytes.size() - 3}) {
    Bytes changed = bytes;
    changed[at] ^= 0x10;
    write(pack, as_text(changed));
    t.reopen();
    const auto checked = t.verify_all();
    REQUIRE(checked.problems.size() == 1);
    CHECK(checked.problems[0].object == layout::pack_key(manifest.packs[0].name));
    CHECK(checked.problems[0].snapshots.size() == 1);
  }
  write(pack, as_text(ByteView{bytes}.first(bytes.size() - 1)));
  CHECK(t.verify_all(VerifyLevel::quick).problems.size() == 1);
  fs::remove(pack);
  CHECK(t.verify_all(VerifyLevel::quick).problems.size() == 1);
  // Content that the source still has is stored again.
  t.reopen();
  const auto healed = t.take();
  CHECK(t.read_back(healed.id).at("file") == noise(100'000, 1));
}

TEST_CASE("another series' chunks are not stored again where this host knows them") {
  Snapshots t;
  write(t.source / "file", noise(3'000'000, 5));
  t.take("one");
  t.reopen();
  const auto result = t.take("two");
  CHECK(result.stats.new_bytes < 10'000);
  CHECK(t.read_back(result.id).at("file") == noise(3'000'000, 5));
}

TEST_CASE("another series' manifest that this program cannot read is no matter of this one") {
  Snapshots t;
  write(t.source / "file", noise(300'000, 5));
  const auto one = t.take("one");
  Manifest later = t.manifest(one.id);
  later.requirements.read = {"of-the-future"};
  for (const auto& info : t.repository->manifests().list()) fs::remove(t.store_root / info.key);
  t.repository->manifests().store(later);
  t.reopen();
  // As verify does: now it is in the cache.
  for (const auto& info : t.repository->manifests().list())
    CHECK_THROWS_AS(t.repository->manifests().load(info), Error);
  const auto two = t.take("two");
  CHECK(t.read_back(two.id).at("file") == noise(300'000, 5));
}

TEST_CASE("a large file that is unchanged keeps its extents, and is read again where a pack of it has gone") {
  Snapshots t;
  const fs::path path = t.source / "large";
  write(path, noise(3'000'000, 1));
  fs::resize_file(path, 100'000'000);
  {
    std::ofstream end{path, std::ios::binary | std::ios::app};
    end << noise(2'000'000, 2);
  }
  write(t.source / "other", noise(20'000, 3));
  // Else it might have changed again within the clock's resolution.
  t.ahead = std::chrono::hours{1};
  const auto first = t.take();
  const auto again = t.take();
  CHECK(again.stats.new_bytes == 0);
  const auto content = t.read_back(first.id);
  CHECK(t.read_back(again.id) == content);
  CHECK(t.manifest(again.id).packs == t.manifest(first.id).packs);

  for (const auto& pack : t.manifest(again.id).packs) {
    if (pack.content != PackContent::list) fs::remove(t.store_root / layout::pack_key(pack.name));
  }
  t.reopen();
  const auto healed = t.take();
  CHECK(healed.stats.new_bytes >= 5'000'000);
  CHECK(t.read_back(healed.id) == content);
}

TEST_CASE("at its start a run does not wait for one listing after the other") {
  test::MemoryStore store;
  test::EngineFixture host{store};
  const TemporaryDirectory directory{fs::temp_directory_path()};
  write(directory.path() / "file", "text");
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> begun;
  bool together = false;
  // The packs are listed once the other two have been asked for: a run that asks for those afterwards never sees that.
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation != "list") return;
    std::unique_lock lock{mutex};
    begun.insert(key);
    changed.notify_all();
    if (key != "packs/" || together) return;
    together = changed.wait_for(lock, std::chrono::seconds{20},
                                [&] { return begun.contains("pending/") && begun.contains("snapshots/"); });
  };
  DirectorySource from{{.path = directory.path(), .exclude = {}, .include = {}}};
  SnapshotRequest request;
  request.series = "s";
  CHECK(take_snapshot(host.context, from, request).stats.entries == 2);
  CHECK(together);
}

TEST_CASE("a damaged newest manifest is passed over for an older one") {
  Snapshots t;
  write(t.source / "file", noise(3'000'000, 5));
  const auto first = t.take();
  const auto second = t.take();
  for (const auto& info : t.repository->manifests().list()) {
    if (info.name.id == second.id.short_hex()) write(t.store_root / info.key, "{}");
  }
  fs::remove_all(t.directory.path() / "cache");
  t.reopen();
  const auto third = t.take();
  CHECK(third.stats.new_bytes == 0);
  CHECK(t.manifest(third.id).record.previous == first.id);
  CHECK(!t.reporter.warnings.empty());
}

TEST_CASE("a newest manifest that this program cannot read stops no snapshot where another of its id can be read") {
  Snapshots t;
  write(t.source / "file", noise(3'000'000, 5));
  const auto first = t.take();
  Manifest later = t.manifest(first.id);
  const std::string readable = t.repository->manifests().list().at(0).key;
  // Names of one cut point and id are in the order of their digests; this one is to be met first.
  while (t.repository->manifests().list().front().key == readable) {
    later.requirements.read.push_back("of-the-future");
    t.repository->manifests().store(later);
  }
  const auto second = t.take();
  CHECK(second.stats.new_bytes == 0);
  CHECK(t.manifest(second.id).record.previous == first.id);

  // Alone it does: what comes after the series' newest snapshot is for a program that can read that.
  for (const auto& info : t.repository->manifests().list()) {
    if (info.name.id == second.id.short_hex() || info.key == readable) fs::remove(t.store_root / info.key);
  }
  t.reopen();
  CHECK_THROWS_AS(t.take(), Error);
}

TEST_CASE("a snapshot that asks its writers for an unknown feature is listed and restored, but no base for another") {
  Snapshots t;
  write(t.source / "file", noise(3'000'000, 5));
  const auto first = t.take();
  Manifest later = t.manifest(first.id);
  later.requirements.write = {"of-the-future"};
  for (const auto& info : t.repository->manifests().list()) fs::remove(t.store_root / info.key);
  t.repository->manifests().store(later);
  t.reopen();

  const auto second = t.take();
  // Its successor, but nothing of it is leant on: what the feature means for its packs is not known here.
  const Manifest next = t.manifest(second.id);
  CHECK(next.record.previous == first.id);
  CHECK(next.record.sequence == 2);
  CHECK(second.stats.new_bytes >= 3'000'000);
  for (const auto& pack : next.packs) {
    CHECK(std::find(later.packs.begin(), later.packs.end(), pack) == later.packs.end());
  }
  REQUIRE(!t.reporter.warnings.empty());
  CHECK(t.reporter.warnings[0].find("needs a newer program to base another one on it") != std::string::npos);

  std::vector<Digest> listed;
  for (const auto& info : t.repository->manifests().list_snapshots()) listed.push_back(info.id);
  CHECK(listed == std::vector{first.id, second.id});
  auto c = t.context();
  const fs::path target = t.directory.path() / "target";
  restore(c, t.manifest(first.id), {.target = target, .paths = {}, .overwrite = false});
  CHECK(as_text(read_file(target / "file")) == noise(3'000'000, 5));
  // The snapshot that comes after has a base again.
  CHECK(t.take().stats.new_bytes == 0);
}
