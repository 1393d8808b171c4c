#include "engine/restore/restorer.hpp"

#include "capture/directory_source.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "repo/frame_fetcher.hpp"
#include "support/content.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/store_fixture.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

using namespace cairn;
using test::noise;
using test::write;

namespace {

struct Restores : test::StoreFixture {
  fs::path target = directory.path() / "target";

  Manifest take() {
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest request;
    request.series = "s";
    const auto id = take_snapshot(c, from, request).id;
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == id.short_hex()) return repository->manifests().load(info);
    }
    FAIL("no snapshot");
    return {};
  }
  RestoreResult get(const Manifest& manifest, std::vector<std::string> paths = {}, bool overwrite = false) {
    auto c = context();
    return restore(c, manifest, {.target = target, .paths = std::move(paths), .overwrite = overwrite});
  }
  // What rsync finds different between source and target, metadata included.
  std::string differences() const {
    const std::string out = (directory.path() / "differences").native();
    const std::string command =
        fmt::format("rsync -naHAXc -@-1 --numeric-ids --delete --itemize-changes '{}/' '{}/' >'{}' 2>&1",
                    source.native(), target.native(), out);
    REQUIRE(std::system(command.c_str()) == 0);
    return std::string{as_text(read_file(out))};
  }
};

}  // namespace

TEST_CASE("a restored tree is what was captured, metadata and all") {
  Restores t;
  write(t.source / "large", noise(9'000'000, 1));
  write(t.source / "empty", "");
  for (int i = 0; i < 300; ++i) write(t.source / fmt::format("small{}", i), noise(1000, static_cast<unsigned>(i)));
  fs::create_directories(t.source / "a" / "b");
  write(t.source / "a" / "b" / "new\nline\xff", "odd name");
  write(t.source / "a" / std::string(255, 'x'), "long name");
  fs::create_hard_link(t.source / "large", t.source / "a" / "link");
  fs::create_symlink("../nowhere", t.source / "a" / "symlink");
  CHECK(::mkfifo((t.source / "fifo").c_str(), 0640) == 0);
  CHECK(::truncate((t.source / "empty").c_str(), 40'000'000) == 0);
  CHECK(::chmod((t.source / "a").c_str(), 0500) == 0);
  const auto manifest = t.take();
  const auto result = t.get(manifest);
  CHECK(result.problems.empty());
  CHECK(result.bytes_written > 49'000'000);
  CHECK(t.differences() == "");
  struct stat st {};
  REQUIRE(::stat((t.target / "empty").c_str(), &st) == 0);
  CHECK(st.st_blocks == 0);
  CHECK(::chmod((t.source / "a").c_str(), 0700) == 0);
  CHECK(::chmod((t.target / "a").c_str(), 0700) == 0);
}

TEST_CASE("paths restore alone, with the directories above them") {
  Restores t;
  fs::create_directories(t.source / "a" / "b");
  write(t.source / "a" / "b" / "wanted", "wanted");
  write(t.source / "a" / "other", "other");
  fs::create_hard_link(t.source / "a" / "other", t.source / "b-link");
  const auto manifest = t.take();
  SUBCASE("a file") {
    t.get(manifest, {"a/b/wanted"});
    CHECK(read_file(t.target / "a" / "b" / "wanted").size() == 6);
    CHECK(!fs::exists(t.target / "a" / "other"));
  }
  SUBCASE("a hard link whose first name is not selected has its content all the same") {
    auto c = t.context();
    const auto plan = plan_restore(c, manifest, {.target = t.target, .paths = {"b-link"}}).figures;
    CHECK(plan.files == 1);
    CHECK(plan.entries == 2);  // with the root
    CHECK(plan.bytes == 5);
    CHECK(plan.packs == 1);
    CHECK(plan.bytes_to_fetch > 0);
    const auto result = t.get(manifest, {"b-link"});
    CHECK(result.entries == plan.entries);
    CHECK(as_text(read_file(t.target / "b-link")) == "other");
    CHECK(!fs::exists(t.target / "a"));
  }
  SUBCASE("one that is not there") {
    CHECK_THROWS_WITH_AS(t.get(manifest, {"a/none"}), "unable to restore path 'a/none': it is not in the snapshot",
                         Error);
    CHECK(!fs::exists(t.target));
  }
}

TEST_CASE("holes need no room") {
  Restores t;
  write(t.source / "image", "begin");
  CHECK(::truncate((t.source / "image").c_str(), 8LL << 40) == 0);
  write(t.source / "small", "small");
  const auto manifest = t.take();
  auto c = t.context();
  const auto plan = plan_restore(c, manifest, {.target = t.target, .paths = {}}).figures;
  CHECK(plan.bytes == (8ULL << 40) + 5);
  CHECK(plan.space < 1 << 20);
  CHECK(plan.space >= 10);
  CHECK(t.get(manifest).problems.empty());
  CHECK(fs::file_size(t.target / "image") == 8ULL << 40);
}

TEST_CASE("a damaged file is left out and named, the rest is restored") {
  Restores t;
  write(t.source / "good", noise(3'000'000, 1));
  write(t.source / "bad", noise(3'000'000, 2));
  fs::create_hard_link(t.source / "bad", t.source / "bad-link");
  const auto manifest = t.take();
  // "bad" comes first, so its frames do.
  for (const auto& ref : manifest.packs) {
    if (ref.size < 1'000'000) continue;
    const fs::path pack = t.store_root / layout::pack_key(ref.name);
    std::string bytes{as_text(read_file(pack))};
    bytes[500'000] = static_cast<char>(bytes[500'000] ^ 1);
    write(pack, bytes);
  }
  const auto result = t.get(manifest);
  REQUIRE(result.problems.size() == 2);
  CHECK(result.problems[0].path == "bad");
  CHECK(result.problems[1].path == "bad-link");
  CHECK(!fs::exists(t.target / "bad"));
  CHECK(as_text(read_file(t.target / "good")) == noise(3'000'000, 1));
}

TEST_CASE("from a far store: each pack comes in one request, and what is damaged in it is left out") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path source = directory.path() / "source";
  fs::create_directory(source);
  write(source / "bad", noise(3'000'000, 2));
  write(source / "good", noise(3'000'000, 1));
  for (int i = 0; i < 50; ++i) write(source / fmt::format("small{}", i), noise(5'000, 100U + static_cast<unsigned>(i)));
  test::MemoryStore store;
  {
    test::EngineFixture engine{store};
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    SnapshotRequest request;
    request.series = "s";
    take_snapshot(engine.context, from, request);
  }
  test::EngineFixture engine{store};
  const auto manifest = engine.repository.manifests().load(engine.repository.manifests().list().at(0));
  std::mutex mutex;
  std::vector<std::string> answered;
  store.on_answer = [&](const std::string& key, Bytes&) {
    const std::scoped_lock lock{mutex};
    answered.push_back(key);
  };
  const auto plan = plan_restore(engine.context, manifest, {.target = directory.path() / "plan", .paths = {}}).figures;
  CHECK(plan.packs == 1);
  CHECK(plan.requests == 1);
  answered.clear();
  const auto whole =
      restore(engine.context, manifest, {.target = directory.path() / "whole", .paths = {}, .overwrite = false});
  CHECK(whole.problems.empty());
  CHECK(whole.files == 52);
  CHECK(answered.size() == 2);  // the content, and the entry list

  // "bad" comes first, so its frames do.
  PackRef pack;
  for (const auto& ref : manifest.packs) {
    if (ref.size > pack.size) pack = ref;
  }
  const std::string key = layout::pack_key(pack.name);
  Bytes bytes = store.read(key, std::nullopt).value();
  const auto damage = [&](std::size_t at) {
    Bytes damaged = bytes;
    damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ 1U);
    store.put(key, ObjectBody::from_memory(damaged));
    test::EngineFixture other{store};
    const auto target = directory.path() / fmt::format("damaged{}", at);
    return restore(other.context, manifest, {.target = target, .paths = {}, .overwrite = false});
  };
  const auto frame = damage(500'000);
  REQUIRE(frame.problems.size() == 1);
  CHECK(frame.problems[0].path == "bad");
  CHECK(frame.files == 51);
  answered.clear();
  CHECK(damage(pack.directory_offset + 20).problems.size() == 52);
  // Not anew for each of the files.
  CHECK(std::count(answered.begin(), answered.end(), key) < 10);
  bytes.resize(bytes.size() / 2);
  CHECK(damage(0).problems.size() == 52);
}

TEST_CASE("from a far store: files that changed here and there come back, each byte fetched about once") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path source = directory.path() / "source";
  fs::create_directory(source);
  constexpr std::size_t k_page = 4096;
  // Images: cut into pages. Each in several stripes of the restore below.
  std::map<std::string, std::string> files{
      {"a.img", noise(18'000'000, 1)}, {"b.img", noise(22'000'000, 2)}, {"c", noise(40'000, 3)}};
  test::MemoryStore store;
  std::uint32_t seed = 7;
  constexpr int k_layers = 6;
  for (int layer = 0; layer < k_layers; ++layer) {
    for (auto& [name, text] : files) {
      text.replace(0, 4, "QFI\xfb");
      for (std::size_t i = 0; layer != 0 && i < text.size() / k_page / 8; ++i) {
        seed = seed * 1664525 + 1013904223;
        text.replace((seed >> 8) % (text.size() / k_page) * k_page, k_page, noise(k_page, seed));
      }
      write(source / name, text);
    }
    test::EngineFixture engine{store};
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    SnapshotRequest request;
    request.series = "s";
    request.reread = true;
    take_snapshot(engine.context, from, request);
  }
  test::EngineFixture engine{store};
  auto manifests = engine.repository.manifests().list();
  REQUIRE(manifests.size() == k_layers);
  std::sort(manifests.begin(), manifests.end(),
            [](const auto& a, const auto& b) { return a.name.cut_point < b.name.cut_point; });
  const auto manifest = engine.repository.manifests().load(manifests.back());
  std::mutex mutex;
  std::uint64_t fetched = 0;
  std::uint64_t requests = 0;
  store.on_answer = [&](const std::string& key, Bytes& bytes) {
    const std::scoped_lock lock{mutex};
    if (!key.starts_with("packs/")) return;
    fetched += bytes.size();
    ++requests;
  };
  std::uint64_t stored = 0;
  for (const auto& pack : manifest.packs) stored += pack.size;
  RestoreRequest request;
  request.target = directory.path() / "whole";
  request.stripe = 4ULL << 20;
  const auto whole = restore(engine.context, manifest, request);
  CHECK(whole.problems.empty());
  for (const auto& [name, text] : files) CHECK((as_text(read_file(request.target / name)) == text));
  MESSAGE(
      fmt::format("{} packs of {} bytes: {} requests for {} bytes", manifest.packs.size(), stored, requests, fetched));
  CHECK(fetched < stored + stored / 4);
  CHECK(requests < 12 * manifest.packs.size());

  // Of one file alone: what comes before it is not taken for it.
  request.target = directory.path() / "one";
  request.paths = {"b.img"};
  CHECK(restore(engine.context, manifest, request).files == 1);
  CHECK((as_text(read_file(request.target / "b.img")) == files.at("b.img")));

  // The last layer's pack begins with pages of the first file.
  request.paths = {};
  PackRef pack;
  const auto before = engine.repository.manifests().load(manifests[k_layers - 2]);
  for (const auto& ref : manifest.packs) {
    const auto old = std::find_if(before.packs.begin(), before.packs.end(),
                                  [&](const PackRef& other) { return other.name == ref.name; });
    if (old == before.packs.end() && ref.size > pack.size) pack = ref;
  }
  Bytes bytes = store.read(layout::pack_key(pack.name), std::nullopt).value();
  bytes[1000] ^= 1;
  store.put(layout::pack_key(pack.name), ObjectBody::from_memory(bytes));
  test::EngineFixture other{store};
  request.target = directory.path() / "damaged";
  const auto damaged = restore(other.context, manifest, request);
  REQUIRE(damaged.problems.size() == 1);
  CHECK(damaged.problems[0].path == "a.img");
  CHECK((as_text(read_file(request.target / "b.img")) == files.at("b.img")));
  // Its directory, too: all that needs the pack.
  bytes[pack.directory_offset + 20] ^= 1;
  store.put(layout::pack_key(pack.name), ObjectBody::from_memory(bytes));
  test::EngineFixture third{store};
  request.target = directory.path() / "directory";
  CHECK(restore(third.context, manifest, request).problems.size() == 3);
}

TEST_CASE("a target that is not empty is refused, and merged into when asked") {
  Restores t;
  write(t.source / "file", "new");
  const auto manifest = t.take();
  fs::create_directory(t.target);
  write(t.target / "file", "old");
  write(t.target / "other", "stays");
  CHECK_THROWS_AS(t.get(manifest), Error);
  CHECK(as_text(read_file(t.target / "file")) == "old");
  t.get(manifest, {}, true);
  CHECK(as_text(read_file(t.target / "file")) == "new");
  CHECK(as_text(read_file(t.target / "other")) == "stays");
}

TEST_CASE("directories above what was asked for that are there already are left as they are") {
  Restores t;
  fs::create_directories(t.source / "a" / "b" / "c");
  write(t.source / "a" / "b" / "c" / "wanted", "wanted");
  for (const char* path : {"", "a", "a/b", "a/b/c"}) CHECK(::chmod((t.source / path).c_str(), 0750) == 0);
  const auto manifest = t.take();
  fs::create_directories(t.target / "a" / "b");
  const auto is_ours = [](const fs::path& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    char value[1];
    return (status.st_mode & 07777U) == 01777 && ::getxattr(path.c_str(), "user.kept", value, sizeof value) == 1;
  };
  for (const char* path : {"", "a", "a/b"}) {
    REQUIRE(::setxattr((t.target / path).c_str(), "user.kept", "1", 1, 0) == 0);
    REQUIRE(::chmod((t.target / path).c_str(), 01777) == 0);
  }
  const auto mode_of = [](const fs::path& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
  };
  t.get(manifest, {"a/b/c/wanted"}, true);
  for (const char* path : {"", "a", "a/b"}) CHECK(is_ours(t.target / path));
  CHECK(mode_of(t.target / "a" / "b" / "c") == 0750);
  // What was asked for itself becomes what the snapshot has.
  t.get(manifest, {"a/b"}, true);
  for (const char* path : {"", "a"}) CHECK(is_ours(t.target / path));
  CHECK(mode_of(t.target / "a" / "b") == 0750);
  CHECK(!is_ours(t.target / "a" / "b"));
  t.get(manifest, {}, true);
  CHECK(mode_of(t.target) == 0750);
}

TEST_CASE("a pack that is gone: the plan names it, the result does not count what did not come") {
  Restores t;
  write(t.source / "a", noise(300'000, 1));
  write(t.source / "b", noise(300'000, 2));
  const auto manifest = t.take();  // its directories are in the cache now
  for (const auto& ref : manifest.packs) {
    if (ref.size > 500'000) fs::remove(t.store_root / layout::pack_key(ref.name));
  }
  auto c = t.context();
  const auto plan = plan_restore(c, manifest, {.target = t.target, .paths = {}}).figures;
  REQUIRE(plan.unreadable.size() == 1);
  CHECK(plan.unreadable[0].message.find("it is missing from the store") != std::string::npos);
  CHECK(plan.unreadable[0].files == 2);
  CHECK(plan.bytes_to_fetch == 0);
  const auto result = t.get(manifest);
  CHECK(result.problems.size() == 2);
  CHECK(result.entries == 1);  // the root
  CHECK(result.bytes_fetched < 10'000);
}

TEST_CASE("a plan touches nothing and says how much there is to do") {
  Restores t;
  write(t.source / "file", noise(5'000'000, 1));
  const auto manifest = t.take();
  fs::remove_all(t.store_root / ".tmp-staging");
  auto c = t.context();
  const auto plan = plan_restore(c, manifest, {.target = t.target, .paths = {}}).figures;
  CHECK(plan.bytes == 5'000'000);
  CHECK(plan.files == 1);
  CHECK(plan.bytes_to_fetch >= 5'000'000);
  CHECK(!fs::exists(t.target));
  CHECK(!fs::exists(t.store_root / ".tmp-staging"));
}
