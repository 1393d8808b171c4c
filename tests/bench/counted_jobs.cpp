// Three fixed small jobs whose cost is counted instead of timed: a first snapshot of a tree, the same again unchanged,
// and its restore. Prints as JSON what they asked of the store and what they stored, which is the same at every run:
// the tree, its times and owners and the clock are fixed, and there are no threads. Below callgrind the functions
// job_first(), job_again() and job_restore() have the instructions (counts.py).
#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "util/json.hpp"

#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <random>

#include <fmt/format.h>
#include <zstd.h>

using namespace cairn;

namespace {

constexpr int k_files = 1000;
constexpr std::size_t k_page = 8192;  // of PostgreSQL
constexpr std::size_t k_pages = 768;
// As if nothing had been written for long.
const Time k_written{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
const Time k_now = k_written + std::chrono::days{30};

class Text {
 public:
  Text() {
    constexpr std::string_view k_letters = "eeettaaooiinnsshrrdlucmfwypvbgkjqxz_";
    for (auto& word : m_words) {
      const std::size_t length = 2 + below(9);
      for (std::size_t i = 0; i < length; ++i) word += k_letters[below(k_letters.size())];
    }
  }
  std::string make(std::size_t size) {
    std::string out;
    while (out.size() < size) {
      // The product of two makes some words frequent.
      out += m_words[below(m_words.size()) * below(m_words.size()) / m_words.size()];
      out += below(8) == 0 ? "\n\t" : " ";
    }
    out.resize(size);
    return out;
  }
  std::size_t below(std::size_t limit) { return m_random() % limit; }

 private:
  std::mt19937_64 m_random{1};  // its numbers are the same everywhere
  std::array<std::string, 4000> m_words;
};

void write_file(const fs::path& path, std::string_view content) {
  std::ofstream out{path, std::ios::binary};
  out << content;
  out.close();
  if (!out) throw Error(ErrorKind::failed, "unable to write '" + path.native() + "'");
}

void make_tree(const fs::path& root) {
  Text text;
  for (int number = 0; number < k_files; ++number) {
    const fs::path directory = root / fmt::format("part{}", number / 100) / fmt::format("module{}", number / 12);
    fs::create_directories(directory);
    const std::size_t size = number % 97 == 0 ? 0 : (std::size_t{200} << text.below(8)) + text.below(200);
    write_file(directory / fmt::format("file{}.c", number), text.make(size));
  }
  // Cut into pages: its name and the words at the beginning of each page are those of a table.
  std::string pages;
  for (std::size_t number = 0; number < k_pages; ++number) {
    std::string page = text.make(k_page);
    page.replace(0, 20, std::string{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x20", 20});
    pages += page;
  }
  write_file(root / "16384", pages);
}

// Gives fixed values to what differs from machine to machine.
void settle(Entry& entry) {
  entry.mtime = entry.ctime = k_written;
  entry.inode = 1;
  entry.uid = entry.gid = 0;
  entry.user = entry.group = "root";
  entry.mode = entry.type == EntryType::directory ? 0755 : 0644;
  entry.xattrs.clear();
}

class SettledOpener : public ContentOpener {
 public:
  explicit SettledOpener(std::shared_ptr<ContentOpener> inner) : m_inner(std::move(inner)) {}
  std::unique_ptr<Content> open(Entry& entry) override {
    auto content = m_inner->open(entry);
    settle(entry);
    return content;
  }
  bool always_read() const override { return m_inner->always_read(); }

 private:
  std::shared_ptr<ContentOpener> m_inner;
};

class SettledSource : public Source {
 public:
  explicit SettledSource(const fs::path& path) : m_inner({.path = path, .exclude = {}, .include = {}}) {}
  SourceKind kind() const override { return m_inner.kind(); }
  SourceShape shape() const override { return m_inner.shape(); }
  SourceAccess access() const override { return m_inner.access(); }
  std::string location() const override { return "/tree"; }
  std::uint64_t estimate() override { return m_inner.estimate(); }
  std::optional<SourceItem> next() override {
    auto item = m_inner.next();
    if (!item) return item;
    settle(item->entry);
    if (item->content) item->content = std::make_shared<SettledOpener>(std::move(item->content));
    return item;
  }
  const std::vector<SourceProblem>& problems() const override { return m_inner.problems(); }
  SourceEnd finish() override { return {k_now}; }

 private:
  DirectorySource m_inner;
};

// Counts what is asked of the store by what it is and what it is about: "put packs".
class CountedStore : public test::MemoryStore {
 public:
  CountedStore() {
    set_now(k_now);
    on_call = [this](const std::string& operation, const std::string& key) {
      if (operation != "after put") ++m_counts[operation + ' ' + key.substr(0, key.find('/'))];
    };
  }
  std::map<std::string, std::uint64_t> take_counts() { return std::exchange(m_counts, {}); }
  std::uint64_t bytes() const {
    std::uint64_t total = 0;
    for (const auto& [key, object] : objects()) total += object.bytes.size();
    return total;
  }

 private:
  std::map<std::string, std::uint64_t> m_counts;
};

// Without threads and without a cache, as on a host that was just set up.
struct Setup {
  explicit Setup(ObjectStore& store)
      : repository(store, reporter, {}), context{repository, pool, io, io, reporter, "host", [] { return k_now; }} {}
  ThreadPool pool{0};
  ThreadPool io{0};
  test::CollectingReporter reporter;
  Repository repository;
  Context context;
};

SnapshotStats snapshot(CountedStore& store, const fs::path& tree) {
  Setup setup{store};
  SettledSource source{tree};
  SnapshotRequest request;
  request.series = "tree";
  return take_snapshot(setup.context, source, request).stats;
}

void check(bool condition) {
  if (!condition) throw Error(ErrorKind::failed, "a job did not do what is counted here");
}

}  // namespace

// By these names callgrind finds them.
[[gnu::noinline]] void job_first(CountedStore& store, const fs::path& tree);
[[gnu::noinline]] void job_again(CountedStore& store, const fs::path& tree);
[[gnu::noinline]] void job_restore(CountedStore& store, const fs::path& target);

void job_first(CountedStore& store, const fs::path& tree) {
  check(snapshot(store, tree).files == k_files + 1);
}

void job_again(CountedStore& store, const fs::path& tree) {
  check(snapshot(store, tree).new_bytes == 0);
}

void job_restore(CountedStore& store, const fs::path& target) {
  Setup setup{store};
  const auto newest = setup.repository.manifests().list().back();
  const Manifest manifest = setup.repository.manifests().load(newest);
  check(restore(setup.context, manifest, {.target = target, .paths = {}}).files == k_files + 1);
}

int main() {
  try {
    const TemporaryDirectory directory{fs::temp_directory_path()};
    const fs::path tree = directory.path() / "tree";
    make_tree(tree);
    CountedStore store;
    { const test::EngineFixture makes_the_descriptor{store}; }
    store.take_counts();
    JsonWriter to;
    to.begin_object();
    to.member("built_with", fmt::format("{} {}", CAIRN_COMPILER, CAIRN_BUILD_TYPE));
    to.member("zstd", ZSTD_versionString());
    std::uint64_t before = store.bytes();
    const auto tell = [&](const char* name) {
      to.key(name).begin_object().member("stored", store.bytes() - before).key("requests").begin_object();
      for (const auto& [what, count] : store.take_counts()) to.member(what, count);
      to.end_object().end_object();
      before = store.bytes();
    };
    job_first(store, tree);
    tell("first");
    job_again(store, tree);
    tell("again");
    job_restore(store, directory.path() / "restored");
    tell("restore");
    std::cout << to.end_object().text() << '\n';
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
