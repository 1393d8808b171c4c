#include "repo/repository.hpp"

#include "repo/entry_list.hpp"
#include "repo/format.hpp"
#include "repo/frame_fetcher.hpp"
#include "store/local_store.hpp"
#include "store/open.hpp"
#include "support/memory_store.hpp"
#include "support/packs.hpp"
#include "unit/support.hpp"

#include <atomic>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::message_of;
using test::replaced;

namespace {

class Warnings : public SilentReporter {
 public:
  void warning(const std::string& message) override { m_all.push_back(message); }
  const std::vector<std::string>& all() const { return m_all; }

 private:
  std::vector<std::string> m_all;
};

Descriptor descriptor() {
  Descriptor d;
  d.store_id = std::string(32, '0');
  d.created = *parse_time("2026-11-21T03:00:00Z");
  return d;
}

// A store in a directory of its own, with tools to build snapshots in it by hand.
using Counts = std::pair<std::size_t, std::size_t>;

// How many pending records can be read and how many cannot.
Counts count_pending(Repository repository) {
  std::vector<NoteStore::UnreadableNote> unreadable;
  const std::size_t readable = repository.notes().pending(repository.notes().list_pending(), unreadable).size();
  for (const auto& note : unreadable) CHECK(note.error.kind() == ErrorKind::damaged);
  return {readable, unreadable.size()};
}

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path() / "store", CreateRoot::yes};
  Warnings warnings;
  ThreadPool pool{2};

  Fixture() { init_store(store, descriptor()); }

  Repository open(const fs::path& cache = {}) {
    RepositoryOptions options;
    options.cache_root = cache;
    return Repository{store, warnings, options};
  }

  void put(const std::string& key, std::string_view text) { store.put(key, ObjectBody::from_text(text)); }

  // One chunk a text, `a_frame` chunks a frame.
  PackRef put_pack(const std::vector<std::string>& texts, std::size_t a_frame = 2) {
    return test::put_pack(store, no_keys(), texts, a_frame);
  }

  // A manifest whose entry list is made of these chunks, `levels` lists of extents above them.
  Manifest manifest(const std::vector<std::string>& list, std::uint64_t levels = 0, bool single_file = false) {
    Root root;
    root.levels = levels;
    std::vector<PackRef> packs{put_pack(list)};
    for (const auto& text : list) root.size += text.size();
    root.extents = {{packs[0].prefix(), 0, static_cast<std::uint32_t>(list.size()), 0}};
    for (std::uint64_t level = 0; level < levels; ++level) {
      std::vector<std::string> lines;
      const Extent whole = root.extents[0];
      for (std::uint32_t i = 0; i < whole.count; ++i)
        lines.push_back(write_part_line(1, {{whole.pack, whole.first + i, 1, 0}}));
      packs.push_back(put_pack(lines));
      root.extents = {{packs.back().prefix(), 0, static_cast<std::uint32_t>(lines.size()), 0}};
    }
    Record record;
    record.series = "s";
    record.cut_point = *parse_time("2026-11-21T03:24:10Z");
    Facts facts;
    facts.single_file = single_file;
    return Manifest::make(record, facts, root, packs);
  }

  // The paths that a reader of the list sees; parts as "+SIZE".
  std::vector<std::string> read(const Manifest& manifest) {
    Repository repository = open();
    const PackTable table{manifest};
    FrameFetcher fetcher{repository.packs(), pool, pool, table, 1 << 20};
    EntryListReader reader{fetcher, manifest};
    std::vector<std::string> out;
    while (const auto line = reader.next()) {
      out.push_back(line->entry->path);
      for (std::uint64_t i = 0; i < line->parts; ++i) out.push_back("+" + std::to_string(reader.next_part().part_size));
    }
    return out;
  }
  std::optional<ErrorKind> failure(const Manifest& manifest) {
    return failure_of([&] { read(manifest); });
  }

  fs::path path_of(const std::string& key) const { return directory.path() / "store" / key; }
  void corrupt(const std::string& key, std::size_t offset) {
    std::fstream file{path_of(key), std::ios::in | std::ios::out | std::ios::binary};
    file.seekg(static_cast<std::streamoff>(offset));
    const char c = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(c);
    REQUIRE(file.good());
  }
};

std::string dir_line(const std::string& path) {
  Entry e;
  e.path = path;
  e.type = EntryType::directory;
  return write_entry_head(e) + "}\n";
}
std::string file_line(const std::string& path, std::uint64_t size, std::uint64_t parts = 0) {
  Entry e;
  e.path = path;
  e.size = size;
  std::vector<Extent> extents;
  if (size != 0) extents.push_back(Extent::make_hole(size));
  return finish_entry_line(write_entry_head(e), extents, parts);
}
std::string part_line(std::uint64_t size) {
  return write_part_line(size, {Extent::make_hole(size)});
}

}  // namespace

TEST_CASE("repository: init makes a store once; opening needs one") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path() / "store", CreateRoot::yes};
  SilentReporter reporter;
  CHECK(failure_of([&] { Repository{store, reporter, {}}; }) == ErrorKind::not_found);
  init_store(store, descriptor());
  CHECK(Repository{store, reporter, {}}.descriptor().text() == descriptor().text());
  CHECK(failure_of([&] { init_store(store, descriptor()); }) == ErrorKind::usage);
}

TEST_CASE("repository: two that init at the same time leave one descriptor") {
  SilentReporter reporter;
  Descriptor other = descriptor();
  other.store_id = std::string(32, 'f');
  // The other init runs as a whole between two calls of the first one.
  for (const char* moment : {"put", "after put"}) {
    CAPTURE(moment);
    test::MemoryStore store;
    std::optional<ErrorKind> failed;
    bool ran = false;
    store.on_call = [&](const std::string& operation, const std::string& key) {
      if (ran || operation != moment || !key.starts_with("config/")) return;
      ran = true;
      failed = failure_of([&] { init_store(store, other); });
    };
    const auto failure = failure_of([&] { init_store(store, descriptor()); });
    CHECK(ran);
    CHECK(failed.has_value() != failure.has_value());
    CHECK(failure.value_or(ErrorKind::usage) == ErrorKind::usage);
    CHECK(store.keys("config/").size() == 1);
    const std::string id = Repository{store, reporter, {}}.descriptor().store_id;
    CHECK(id == (failure ? other.store_id : descriptor().store_id));
  }
  // Both descriptors are there when both look: both are taken back, and one comes first the next time.
  test::MemoryStore store;
  int puts = 0;
  const std::string text = other.text();
  const std::string key = layout::descriptor_key(1, sha256(text));
  store.on_call = [&](const std::string& operation, const std::string& at) {
    if (operation == "after put" && at != key && ++puts == 1) store.overwrite(key, text);
    if (operation == "remove" && at != key) store.erase(key);
  };
  init_store(store, descriptor());
  CHECK(puts == 2);
  CHECK(Repository{store, reporter, {}}.descriptor().store_id == descriptor().store_id);
}

TEST_CASE("repository: init says so where it may not take back its descriptor") {
  class Undeletable : public test::MemoryStore {
   public:
    std::vector<RemoveFailure> remove(std::span<const std::string> keys) override { return {{keys[0], "denied"}}; }
  } store;
  Descriptor other = descriptor();
  other.store_id = std::string(32, 'f');
  bool ran = false;
  store.on_call = [&](const std::string& operation, const std::string&) {
    if (operation != "put" || std::exchange(ran, true)) return;
    init_store(store, other);
  };
  CHECK(message_of([&] { init_store(store, descriptor()); }).find("denied") != std::string::npos);
}

TEST_CASE("repository: the descriptor of the highest generation counts, by number") {
  Fixture f;
  for (const std::uint64_t generation : {9U, 10U, 2U}) {
    Descriptor d = descriptor();
    d.generation = generation;
    f.put(layout::descriptor_key(generation, sha256(d.text())), d.text());
  }
  CHECK(f.open().descriptor().generation == 10);
}

TEST_CASE("repository: two descriptors of the highest generation are refused, of an earlier one not") {
  Fixture f;
  const auto add = [&](std::uint64_t generation, bool create_only) {
    Descriptor d = descriptor();
    d.generation = generation;
    d.create_only = create_only;
    f.put(layout::descriptor_key(generation, sha256(d.text())), d.text());
  };
  add(20, false);
  add(20, true);
  add(3, false);  // lists after the two
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::untrusted);
  add(21, false);
  CHECK(f.open().descriptor().generation == 21);
}

TEST_CASE("repository: a descriptor under another name, changed, or unknown") {
  Fixture f;
  const std::string text = descriptor().text();
  const auto key = layout::descriptor_key(1, sha256(text));
  f.put(layout::descriptor_key(2, sha256(text)), text);
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::damaged);
  f.store.remove(std::vector{layout::descriptor_key(2, sha256(text))});
  CHECK_NOTHROW(f.open());
  f.corrupt(key, 30);
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::damaged);
  f.store.remove(std::vector{key});
  f.put("config/strange", "x");
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::damaged);
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"none\"", "\"pgp\""},
           {"\"version\":1", "\"version\":2"},
           {"\"requires_read\":[]", "\"requires_read\":[\"x\"]"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    Fixture g;
    const std::string newer = replaced(replaced(text, from, to), "\"generation\":1", "\"generation\":2");
    g.put(layout::descriptor_key(2, sha256(newer)), newer);
    CHECK(failure_of([&] { g.open(); }) == ErrorKind::failed);
  }
}

TEST_CASE("repository: features of the descriptor are looked at before the rest of it") {
  Fixture f;
  // Of another generation than its name says, too.
  const std::string text = replaced(descriptor().text(), "\"requires_read\":[]", "\"requires_read\":[\"frob\"]");
  f.put(layout::descriptor_key(2, sha256(text)), text);
  CHECK(message_of([&] { read_descriptor(f.store); }) ==
        "unable to read " + quote(f.store.describe()) +
            ": it needs the feature 'frob', which this program does not know");
}

TEST_CASE("repository: no pin and no keys are written where writers need a feature that is not known") {
  Fixture f;
  Descriptor d = descriptor();
  d.generation = 2;
  d.requirements.write = {"frob"};
  f.put(layout::descriptor_key(2, sha256(d.text())), d.text());
  Repository repository = f.open();
  const Digest id = sha256(std::string_view{"a"});
  for (const bool pinned : {true, false}) {
    CHECK(message_of([&] { repository.notes().set_pin(id, "s", pinned, nullptr); }) ==
          "unable to write to " + quote(f.store.describe()) +
              ": it needs the feature 'frob', which this program does not know");
  }
  CHECK_FALSE(f.open().notes().pins().newest(id, "s"));
  d.generation = 3;
  CHECK(failure_of([&] { put_descriptor(f.store, d); }) == ErrorKind::failed);
  CHECK(f.open().descriptor().generation == 2);
}

TEST_CASE("repository: a descriptor with members that are not known gets no new generation without them") {
  Fixture f;
  const std::string text = replaced(replaced(descriptor().text(), "\"generation\":1", "\"generation\":2"),
                                    "\"create_only\"", "\"later\":{\"x\":[1]},\"create_only\"");
  f.put(layout::descriptor_key(2, sha256(text)), text);
  Descriptor d = f.open().descriptor();
  d.generation = 3;
  CHECK(message_of([&] { put_descriptor(f.store, d); }) ==
        "unable to change the keys of " + quote(f.store.describe()) +
            ": its descriptor has the member 'later', which this program does not know");
  CHECK(f.open().descriptor().generation == 2);
}

TEST_CASE("repository: a manifest is stored, listed and loaded; anything else below snapshots/ is reported") {
  Fixture f;
  const Manifest m = f.manifest({dir_line(".")});
  Repository repository = f.open(f.directory.path() / "cache");
  const std::string key = repository.manifests().store(m);
  f.put("snapshots/s/strange.json", "{}");
  std::vector<std::string> unknown;
  const auto list = repository.manifests().list("s", &unknown);
  REQUIRE(list.size() == 1);
  CHECK(list[0].key == key);
  CHECK(unknown == std::vector<std::string>{"snapshots/s/strange.json"});
  CHECK(repository.manifests().load(list[0]).text() == m.text());
  // The cache is not believed: what does not fit the name is fetched again.
  const fs::path cached = f.directory.path() / "cache" / descriptor().store_id / "manifests" / fs::path{key}.filename();
  REQUIRE(fs::exists(cached));
  write_file_atomic(cached, as_bytes("{}"));
  CHECK(repository.manifests().load(list[0]).text() == m.text());
  CHECK(repository.manifests().list("other").empty());
  const auto snapshots = repository.manifests().list_snapshots();
  REQUIRE(snapshots.size() == 1);
  CHECK(snapshots[0].id == m.id);
  CHECK(f.warnings.all().size() == 1);
}

TEST_CASE("repository: a manifest changed, gone or under another's name") {
  Fixture f;
  const Manifest m = f.manifest({dir_line(".")});
  const std::string key = f.open().manifests().store(m);
  const auto info = f.open().manifests().list().at(0);

  const std::string text = m.text();
  const auto other = layout::manifest_key("t", m.record.cut_point, m.id, sha256(text));
  f.put(other, text);
  const auto infos = f.open().manifests().list("t");
  REQUIRE(infos.size() == 1);
  CHECK(failure_of([&] { f.open().manifests().load(infos[0]); }) == ErrorKind::damaged);

  f.corrupt(key, 100);
  CHECK(failure_of([&] { f.open().manifests().load(info); }) == ErrorKind::damaged);
  f.store.remove(std::vector{key});
  CHECK(failure_of([&] { f.open().manifests().load(info); }) == ErrorKind::not_found);
  auto huge = info;
  huge.size = k_max_json_object + 1;
  CHECK(failure_of([&] { f.open().manifests().load(huge); }) == ErrorKind::damaged);
}

TEST_CASE("repository: two manifests of one id are one snapshot; one that is damaged is reported") {
  Fixture f;
  Manifest m = f.manifest({dir_line(".")});
  f.open().manifests().store(m);
  m.packs[0].live_bytes += 1;
  f.open().manifests().store(m);
  CHECK(f.open().manifests().list().size() == 2);
  const auto one = f.open().manifests().list_snapshots();
  REQUIRE(one.size() == 1);
  CHECK(one[0].id == m.id);
  CHECK(f.warnings.all().empty());

  for (const auto& info : f.open().manifests().list()) f.corrupt(info.key, 20);
  std::vector<std::string> unreadable;
  CHECK(f.open().manifests().list_snapshots({}, &unreadable).empty());
  CHECK(unreadable.size() == 2);
  CHECK(f.warnings.all().size() == 2);
}

TEST_CASE("repository: of manifests that are not there, those that are still listed are reported") {
  test::MemoryStore store;
  init_store(store, descriptor());
  Warnings warnings;
  Repository repository{store, warnings, {}};
  std::vector<std::string> keys;
  for (int i = 0; i < 3; ++i) {
    Record record;
    record.series = "s";
    record.cut_point = store.now() + std::chrono::seconds{i};
    keys.push_back(repository.manifests().store(Manifest::make(std::move(record), {}, {}, {})));
  }
  store.lose(keys[0]);
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "get" && key == keys[1]) store.erase(key);  // a prune
  };
  std::vector<std::string> unreadable;
  const auto list = repository.manifests().list_snapshots("s", &unreadable);
  REQUIRE(list.size() == 1);
  CHECK(list[0].object.key == keys[2]);
  CHECK(unreadable == std::vector{keys[0]});
  CHECK(warnings.all() == std::vector{"manifest " + quote(keys[0]) + " is listed, and not in the store"});
}

TEST_CASE("repository: heads are fetched side by side and once; a cached one that is damaged is fetched again") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  test::MemoryStore store;
  Descriptor described = descriptor();
  init_store(store, described);
  SilentReporter reporter;
  {
    Repository writer{store, reporter, {}};
    for (int i = 0; i < 100; ++i) {
      Record record;
      record.series = "s";
      record.cut_point = store.now() + std::chrono::seconds{i};
      record.sequence = static_cast<std::uint64_t>(i) + 1;
      Facts facts;
      facts.salt = random_name(16);
      Root root;
      root.salt = random_name(16);
      writer.manifests().store(Manifest::make(std::move(record), std::move(facts), std::move(root), {}));
    }
  }
  ThreadPool io{8};
  RepositoryOptions options;
  options.cache_root = cache.path();
  options.io = &io;
  std::atomic<int> fetched{0};
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "get" && key.starts_with(layout::k_snapshots)) ++fetched;
  };
  const auto sequences = [&] {
    fetched = 0;
    std::vector<std::uint64_t> out;
    for (const auto& info : Repository{store, reporter, options}.manifests().list_snapshots())
      out.push_back(info.record.sequence);
    return out;
  };
  std::vector<std::uint64_t> expected(100);
  std::iota(expected.begin(), expected.end(), 1);
  CHECK(sequences() == expected);
  CHECK(fetched == 100);
  CHECK(sequences() == expected);
  CHECK(fetched == 0);
  const fs::path head = fs::directory_iterator {
    cache.path() / described.store_id / "heads"
    } -> path();
  const std::string kept{as_text(read_file(head))};
  for (const auto& wrong : {kept.substr(0, kept.find('\n') + 1) + "{}\n", std::string{"{}\n"}, std::string{}}) {
    write_file_atomic(head, as_bytes(wrong));
    CHECK(sequences() == expected);
    CHECK(fetched == 1);
  }
}

TEST_CASE("repository: a manifest that has another size in the store is not taken from the cache") {
  for (const bool head_alone : {false, true}) {
    CAPTURE(head_alone);
    Fixture f;
    const fs::path cache = f.directory.path() / "cache";
    const Manifest m = f.manifest({dir_line(".")});
    // A host that stored it has the whole of it in the cache, one that lists it its beginning.
    const std::string key = f.open(head_alone ? fs::path{} : cache).manifests().store(m);
    CHECK(f.open(cache).manifests().list_snapshots().size() == 1);
    CHECK(f.open(cache).manifests().cached(f.open().manifests().list().at(0)).has_value() != head_alone);
    f.put(key, "");
    std::vector<std::string> unreadable;
    CHECK(f.open(cache).manifests().list_snapshots({}, &unreadable).empty());
    CHECK(unreadable == std::vector{key});
    const auto info = f.open().manifests().list().at(0);
    CHECK_FALSE(f.open(cache).manifests().cached(info).has_value());
    CHECK(failure_of([&] { f.open(cache).manifests().load(info); }) == ErrorKind::damaged);
  }
}

TEST_CASE("repository: a first line longer than the head is read whole") {
  Fixture f;
  Manifest m = f.manifest({dir_line(".")});
  Facts facts = m.facts;
  facts.tags["long"] = std::string(10'000, 'x');
  const Manifest longer = Manifest::make(m.record, facts, m.root, m.packs);
  f.open().manifests().store(longer);
  const auto list = f.open().manifests().list_snapshots();
  REQUIRE(list.size() == 1);
  CHECK(list[0].facts.tags.at("long").size() == 10'000);
}

TEST_CASE("repository: the newest pin object of an id decides") {
  Fixture f;
  const Digest id = sha256(std::string_view{"a"});
  const Digest other = sha256(std::string_view{"b"});
  const Time t = *parse_time("2026-11-21T03:24:10Z");
  const std::string nonce(16, '0');
  f.put(layout::pin_key(id, t, true, nonce), "{}");
  f.put(layout::pin_key(id, t + std::chrono::seconds{2}, true, nonce), "{}");
  f.put(layout::pin_key(id, t + std::chrono::seconds{1}, false, nonce), "{}");
  f.put(layout::pin_key(other, t, false, nonce), "{}");
  f.put(layout::pin_key(other, t, true, nonce), "{}");
  const auto pins = f.open().notes().pins();
  CHECK(pins.pinned(id, "s"));
  CHECK_FALSE(pins.pinned(other, "s"));  // of two of one instant, the unpin
  f.open().notes().set_pin(other, "s", true, nullptr);
  CHECK(f.open().notes().pins().pinned(other, "s"));
}

TEST_CASE("repository: a directory is believed only where it fits the manifest") {
  Fixture f;
  const PackRef ref = f.put_pack({"one", "two", "three"});
  const std::string key = layout::pack_key(ref.name);
  CHECK(f.open().packs().directory(ref)->chunk_count() == 3);

  PackRef wrong = ref;
  wrong.logical_id.bytes[0] ^= 1;
  CHECK(failure_of([&] { f.open().packs().directory(wrong); }) == ErrorKind::damaged);
  // The directory of another pack of the same store.
  wrong = f.put_pack({"other"});
  wrong.logical_id = ref.logical_id;
  CHECK(failure_of([&] { f.open().packs().directory(wrong); }) == ErrorKind::damaged);
  // A range that is not the whole object.
  wrong = ref;
  wrong.size += 1;
  wrong.directory_size += 1;
  CHECK(failure_of([&] { f.open().packs().directory(wrong); }) == ErrorKind::damaged);

  const fs::path cache = f.directory.path() / "cache";
  const PackDirectory directory = *f.open(cache).packs().directory(ref);
  const fs::path cached = cache / descriptor().store_id / "directories" / ref.name.hex();
  REQUIRE(fs::exists(cached));
  write_file_atomic(cached, as_bytes("torn"));
  CHECK(f.open(cache).packs().directory(ref)->chunk_count() == 3);

  for (std::uint64_t i = 0; i < ref.directory_size; ++i) {
    f.corrupt(key, ref.directory_offset + i);
    try {
      const auto logical_id = f.open().packs().directory(ref)->logical_id();
      CHECK(logical_id == ref.logical_id);
      CHECK(i < 8);  // unused bits of the zstd header
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::damaged);
      CHECK(e.message().starts_with("damaged pack '" + key + "'"));
    }
    f.corrupt(key, ref.directory_offset + i);
  }
  fs::resize_file(f.path_of(key), ref.directory_offset + 5);
  CHECK(message_of([&] { f.open().packs().directory(ref); }) ==
        "damaged pack '" + key + "': it is shorter than its manifest says");
  CHECK(failure_of([&] { f.open().packs().read_data(ref, directory, 0, ref.size); }) == ErrorKind::damaged);
  f.store.remove(std::vector{key});
  CHECK(message_of([&] { f.open().packs().directory(ref); }) ==
        "damaged pack '" + key + "': it is missing from the store");
  CHECK(failure_of([&] { f.open().packs().read_data(ref, directory, 0, 1); }) == ErrorKind::damaged);
}

TEST_CASE(
    "repository: directories that are fetched ahead are there when they are asked for, with a cache and without") {
  for (const bool cached : {false, true}) {
    Fixture f;
    std::vector<PackRef> refs;
    for (int i = 0; i < 20; ++i) {
      const std::string text = std::to_string(i);
      refs.push_back(f.put_pack({text + "a", text + "b", text + "c", text + "d"}));
    }
    RepositoryOptions options;
    options.io = &f.pool;
    options.directory_memory = 10 * 4 * 40;  // of ten at most
    if (cached) options.cache_root = f.directory.path() / "cache";
    Repository repository{f.store, f.warnings, options};
    repository.packs().fetch_directories(refs);
    for (const auto& ref : refs) f.store.remove(std::vector{layout::pack_key(ref.name)});
    std::size_t there = 0;
    while (there < refs.size() && !failure_of([&] { repository.packs().directory(refs[there]); })) ++there;
    // In order, from the first.
    CHECK(there >= (cached ? refs.size() : 2));
  }
}

TEST_CASE("repository: a mark is read once, where what was removed is not asked for") {
  Fixture f;
  const fs::path cache = f.directory.path() / "cache";
  const std::string key = layout::mark_key(Time{}, std::string(32, '0'));
  Mark mark;
  mark.seen = {"snapshots/s/a.json"};
  mark.removed = {{"snapshots/s/b.json", "bytes"}};
  f.put(key, mark.text());
  auto repository = f.open(cache);
  const auto first = repository.notes().marks();
  REQUIRE(first.size() == 1);
  CHECK(first[0].mark.seen == mark.seen);
  CHECK(first[0].mark.removed[0].bytes.empty());
  CHECK(repository.notes().marks(Mark::RemovedBytes::keep)[0].mark.removed[0].bytes == "bytes");
  CHECK(repository.notes().marks_besides({key}).marks.empty());

  f.put(key, std::string(mark.text().size(), 'x'));
  const auto second = f.open(cache).notes().marks();
  REQUIRE(second.size() == 1);
  CHECK(second[0].mark.text() == first[0].mark.text());
  CHECK(failure_of([&] { f.open(cache).notes().marks(Mark::RemovedBytes::keep); }) == ErrorKind::damaged);
  // Damage that the disk did to the cache is noticed.
  const fs::path cached = cache / f.open().descriptor().store_id / "marks" / fs::path{key}.filename();
  const std::string text{as_text(read_file(cached))};
  for (const std::size_t at : {std::size_t{0}, text.size() / 2, text.size() - 1}) {
    std::string wrong = text;
    wrong[at] ^= 1;
    write_file_atomic(cached, as_bytes(wrong));
    CHECK(failure_of([&] { f.open(cache).notes().marks(); }) == ErrorKind::damaged);
  }
  write_file_atomic(cached, as_bytes(text));
  CHECK(f.open(cache).notes().marks().size() == 1);
  // Nor does it stand for one that has another size now.
  f.put(key, "{}");
  CHECK(failure_of([&] { f.open(cache).notes().marks(); }) == ErrorKind::damaged);
  write_file_atomic(cached, as_bytes(text.substr(0, text.size() / 2)));
  f.put(key, mark.text());
  CHECK(f.open(cache).notes().marks()[0].mark.text() == first[0].mark.text());
}

TEST_CASE("repository: the cache loses what the store has lost") {
  Fixture f;
  const fs::path cache = f.directory.path() / "cache";
  const PackRef kept = f.put_pack({"kept"});
  const PackRef gone = f.put_pack({"gone"});
  f.open(cache).packs().directory(kept);
  f.open(cache).packs().directory(gone);
  const fs::path root = cache / f.open().descriptor().store_id;
  f.store.remove(std::vector{layout::pack_key(gone.name)});
  const auto make_old = [&](const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours{25});
  };
  for (const auto& ref : {kept, gone}) make_old(root / "directories" / ref.name.hex());
  f.open(cache).sweep_cache();
  CHECK(fs::exists(root / "directories" / gone.name.hex()));  // not yet
  make_old(root / "swept");
  f.open(cache).sweep_cache();
  CHECK(fs::exists(root / "directories" / kept.name.hex()));
  CHECK_FALSE(fs::exists(root / "directories" / gone.name.hex()));
}

TEST_CASE("repository: marks must all be readable; pending records that are gone are gone") {
  Fixture f;
  Mark mark;
  f.put(layout::mark_key(Time{}, std::string(32, '0')), mark.text());
  PendingRecord record;
  record.run = std::string(32, '0');
  f.put(layout::pending_key(record.run, 1), record.text());
  CHECK(f.open().notes().marks().size() == 1);
  CHECK(count_pending(f.open()) == Counts{1, 0});
  f.put(layout::mark_key(Time{}, std::string(32, '1')), "{}");
  CHECK(failure_of([&] { f.open().notes().marks(); }) == ErrorKind::damaged);
  try {
    f.open().notes().marks();
  } catch (const Error& e) {
    CHECK(e.hint().ends_with("--set-aside " + layout::mark_key(Time{}, std::string(32, '1'))));
  }
  f.put(layout::pending_key(record.run, 2), "x");
  CHECK(count_pending(f.open()) == Counts{1, 1});
}

TEST_CASE("repository: what has no name of a mark or a pending record is reported once and left alone") {
  Fixture f;
  f.put("marks/.DS_Store", "x");
  f.put("pending/README", "x");
  auto repository = f.open();
  std::vector<NoteStore::UnreadableNote> unreadable;
  for (int time = 0; time < 2; ++time) {
    CHECK(repository.notes().marks().empty());
    CHECK(repository.notes().pending(repository.notes().list_pending(), unreadable).empty());
  }
  CHECK(unreadable.empty());
  CHECK(f.warnings.all().size() == 2);
}

TEST_CASE("repository: a mark or a pending record under a name that is not its own is damaged") {
  Fixture f;
  SUBCASE("mark") {
    f.put(layout::mark_key(Time{} + std::chrono::seconds{1}, std::string(32, '0')), Mark{}.text());
    CHECK(failure_of([&] { f.open().notes().marks(); }) == ErrorKind::damaged);
  }
  SUBCASE("pending record") {
    PendingRecord record;
    record.run = std::string(32, '0');
    f.put(layout::pending_key(record.run, 2), record.text());
    CHECK(count_pending(f.open()) == Counts{0, 1});
  }
}

TEST_CASE("repository: a store that lost its descriptor is damaged where snapshots are left") {
  Fixture f;
  std::vector<std::string> keys;
  f.store.list(layout::k_config, [&](const ObjectInfo& info) { keys.push_back(info.key); });
  f.store.remove(keys);
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::not_found);
  f.put("snapshots/s/anything", "x");
  CHECK(failure_of([&] { f.open(); }) == ErrorKind::damaged);
}

TEST_CASE("entry list: read through levels, lines across chunks, parts taken or skipped") {
  Fixture f;
  const std::string all =
      dir_line(".") + file_line("a", 30, 2) + part_line(10) + part_line(20) + dir_line("b") + file_line("b/c", 0);
  const std::vector<std::string> expected{".", "a", "+10", "+20", "b", "b/c"};
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, all.size()}) {
    std::vector<std::string> chunks;
    for (std::size_t at = 0; at < all.size(); at += cut) chunks.push_back(all.substr(at, cut));
    for (const std::uint64_t levels : {0U, 1U, 3U}) CHECK(f.read(f.manifest(chunks, levels)) == expected);
  }
  CHECK(f.read(f.manifest({file_line("db", 10)}, 0, true)) == std::vector<std::string>{"db"});

  const Manifest m = f.manifest({all});
  Repository repository = f.open();
  const PackTable table{m};
  FrameFetcher fetcher{repository.packs(), f.pool, f.pool, table, 0};
  EntryListReader reader{fetcher, m};
  std::vector<std::string> paths;
  while (const auto line = reader.next()) paths.push_back(line->entry->path);
  CHECK(paths == std::vector<std::string>{".", "a", "b", "b/c"});
}

TEST_CASE("entry list: what does not hold together is damaged") {
  Fixture f;
  const auto with = [&](const std::string& text) { return f.failure(f.manifest({text})); };
  CHECK_FALSE(with(dir_line(".")));
  CHECK(with(file_line("a", 1)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + part_line(1)) == ErrorKind::damaged);
  CHECK(with(part_line(1)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + file_line("a", 30, 2) + part_line(10)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + file_line("a", 30, 2) + part_line(10) + dir_line("b")) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + file_line("a", 30, 2) + part_line(10) + part_line(19)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + file_line("a", 30, 2) + part_line(31) + part_line(1)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + file_line("a", 30, 9007199254740991) + part_line(30)) == ErrorKind::damaged);
  CHECK(with(dir_line(".") + "\n") == ErrorKind::damaged);
  CHECK(with(dir_line(".") + "{") == ErrorKind::damaged);
  CHECK(with("{\"path\":\".\"") == ErrorKind::damaged);
  CHECK(with(dir_line(".").substr(0, 20)) == ErrorKind::damaged);
  CHECK_FALSE(f.failure(f.manifest({file_line("db", 10)}, 0, true)));
  CHECK(f.failure(f.manifest({file_line(".", 10)}, 0, true)) == ErrorKind::damaged);
}

TEST_CASE("entry list: a line is as long as it may be, and no longer") {
  Fixture f;
  Entry e;
  e.path = "a";
  e.type = EntryType::directory;
  e.xattrs = {{"user.x", std::string(k_max_entry_line / 4 * 3 - 270, 'x')}};
  const auto line_of = [&](std::size_t path) {
    e.path = std::string(path, 'a');
    return write_entry_head(e) + "}\n";
  };
  const std::size_t rest = k_max_entry_line - line_of(1).size() + 1;
  REQUIRE(rest < 250);
  for (const bool fits : {true, false}) {
    const std::string text = dir_line(".") + line_of(fits ? rest : rest + 1);
    std::vector<std::string> chunks;
    for (std::size_t at = 0; at < text.size(); at += k_max_chunk) chunks.push_back(text.substr(at, k_max_chunk));
    CHECK(f.failure(f.manifest(chunks)).has_value() != fits);
  }
}

TEST_CASE("entry list: longer or shorter than the record says") {
  Fixture f;
  const Manifest m = f.manifest({dir_line("."), dir_line("a")});
  for (const std::uint64_t size : {std::uint64_t{0}, m.root.size - 1, m.root.size + 1}) {
    Root root = m.root;
    root.size = size;
    CHECK(f.failure(Manifest::make(m.record, m.facts, root, m.packs)) == ErrorKind::damaged);
  }
  Root root = m.root;
  root.extents.clear();
  root.size = 0;
  CHECK(f.failure(Manifest::make(m.record, m.facts, root, m.packs)) == ErrorKind::damaged);
}

TEST_CASE("entry list: extents out of their pack, of an unlisted pack, and lists of extents that are none") {
  Fixture f;
  const Manifest m = f.manifest({dir_line("."), dir_line("a")});
  const std::uint64_t pack = m.packs[0].prefix();
  const auto with = [&](const std::vector<Extent>& extents, std::uint64_t levels) {
    Root root = m.root;
    root.extents = extents;
    root.levels = levels;
    return f.failure(Manifest::make(m.record, m.facts, root, m.packs));
  };
  CHECK_FALSE(with(m.root.extents, 0));
  CHECK(with({{pack, 0, 3, 0}}, 0) == ErrorKind::damaged);
  CHECK(with({{pack, 2, 1, 0}}, 0) == ErrorKind::damaged);
  CHECK(with({{pack, k_max_pack_chunks, k_max_pack_chunks, 0}}, 0) == ErrorKind::damaged);
  CHECK(with({{pack + 1, 0, 1, 0}}, 0) == ErrorKind::damaged);
  CHECK(with({Extent::make_hole(10)}, 0) == ErrorKind::damaged);
  CHECK(with(m.root.extents, 1) == ErrorKind::damaged);  // entries, not extents
  CHECK(with({}, 1) == ErrorKind::damaged);

  // A list of extents that holds a hole.
  Manifest holes = f.manifest({write_part_line(1, {Extent::make_hole(100)})});
  Root root = holes.root;
  root.levels = 1;
  CHECK(f.failure(Manifest::make(holes.record, holes.facts, root, holes.packs)) == ErrorKind::damaged);
}

TEST_CASE("frames: every byte of a data part is guarded by the chunks' digests") {
  Fixture f;
  const Manifest m = f.manifest({dir_line("."), dir_line("a"), dir_line("b")});
  const std::string key = layout::pack_key(m.packs[0].name);
  const std::vector<std::string> good{".", "a", "b"};
  std::size_t refused = 0;
  const std::size_t size = m.packs[0].directory_offset - k_pack_header_size;
  for (std::size_t i = 0; i < size; ++i) {
    f.corrupt(key, k_pack_header_size + i);
    try {
      const auto paths = f.read(m);
      CHECK(paths == good);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::damaged);
      ++refused;
    }
    f.corrupt(key, k_pack_header_size + i);
  }
  CHECK(refused > size * 9 / 10);
  CHECK(f.read(m) == good);
  // Header and trailer are not needed for reading.
  f.corrupt(key, 0);
  f.corrupt(key, m.packs[0].size - 1);
  CHECK(f.read(m) == good);
}

TEST_CASE("frames: asked for in any order and twice, fetched in few requests") {
  Fixture f;
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i)
    texts.push_back("chunk " + std::to_string(i) + std::string(500, static_cast<char>('a' + i % 26)));
  const PackRef ref = f.put_pack(texts, 1);
  Repository repository = f.open();
  Manifest manifest;
  manifest.packs = {ref};
  const PackTable table{manifest};
  FrameFetcher fetcher{repository.packs(), f.pool, f.pool, table, 1 << 20};
  std::vector<FrameId> ids;
  for (const std::uint32_t i : {70U, 3U, 99U, 3U, 0U}) ids.push_back({ref.prefix(), i});
  const auto frames = fetcher.request(ids);
  REQUIRE(frames.size() == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    CHECK(as_text(frames[i].get()->chunk(ids[i].frame)) == texts[ids[i].frame]);
  CHECK(fetcher.statistics().requests == 1);
  fetcher.request(ids);
  CHECK(fetcher.statistics().requests == 1);
}
