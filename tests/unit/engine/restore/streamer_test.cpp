#include "engine/restore/streamer.hpp"

#include "capture/directory_source.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "support/content.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"

#include <cstdlib>
#include <fstream>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using test::noise;
using test::write;

namespace {

class Collected : public StreamOutput {
 public:
  void write(ByteView bytes) override {
    if (bytes.size() > most - text.size()) throw Error(ErrorKind::failed, "full");
    text += as_text(bytes);
  }
  std::string text;
  std::size_t most = SIZE_MAX;
};

struct Streams : test::StoreFixture {
  Collected out;

  Manifest take(const fs::path& from) {
    DirectorySource files{{.path = from, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest request;
    request.series = "s";
    const auto id = take_snapshot(c, files, request).id;
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == id.short_hex()) return repository->manifests().load(info);
    }
    FAIL("no snapshot");
    return {};
  }
  StreamResult get(const Manifest& manifest, StreamShape shape, const RestoreRequest& request = {}) {
    out.text.clear();
    auto c = context();
    return stream_snapshot(c, manifest, request, shape, out);
  }
  // The biggest pack, as damage needs it.
  fs::path pack() const {
    fs::path found;
    for (const auto& at : fs::recursive_directory_iterator(store_root / "packs")) {
      if (at.is_regular_file() && (found.empty() || at.file_size() > fs::file_size(found))) found = at.path();
    }
    return found;
  }
  // Of content: it is not full, and more than the entry list.
  fs::path last_pack() const {
    fs::path found;
    for (const auto& at : fs::recursive_directory_iterator(store_root / "packs")) {
      if (!at.is_regular_file() || at.file_size() < (1 << 20)) continue;
      if (found.empty() || at.file_size() < fs::file_size(found)) found = at.path();
    }
    return found;
  }
  void damage(std::uint64_t offset) { damage_at(pack(), offset); }
  static void damage_at(const fs::path& path, std::uint64_t offset) {
    fs::permissions(path, fs::perms::owner_all);
    std::fstream f{path, std::ios::in | std::ios::out | std::ios::binary};
    f.seekp(static_cast<std::streamoff>(offset));
    f.write("\xde\xad\xbe\xef", 4);
  }
  std::string unpacked(const std::string& program) {
    const fs::path archive = directory.path() / "archive.tar";
    const fs::path to = directory.path() / "unpacked";
    write(archive, out.text);
    fs::remove_all(to);
    fs::create_directory(to);
    const int status =
        std::system(fmt::format("cd '{}' && {} -xf '{}' 2>/dev/null", to.native(), program, archive.native()).c_str());
    return status == 0 ? "whole" : "broken";
  }
};

}  // namespace

TEST_CASE_FIXTURE(Streams, "stream: one file, byte by byte, with its holes as zeros") {
  const std::string head = noise(300'000, 1);
  const std::string tail = noise(5'000, 2);
  write(source / "f", head);
  {
    std::ofstream f{source / "f", std::ios::in | std::ios::out | std::ios::binary};
    f.seekp(3'000'000);
    f << tail;
  }
  const std::string expected = head + std::string(3'000'000 - head.size(), '\0') + tail;
  write(source / "other", "x");
  ::link((source / "f").c_str(), (source / "zlink").c_str());
  const Manifest tree = take(source);
  get(tree, StreamShape::file, {.target = {}, .paths = {"f"}});
  CHECK(out.text == expected);
  get(tree, StreamShape::file, {.target = {}, .paths = {"zlink"}});
  CHECK(out.text == expected);
  get(take(source / "f"), StreamShape::file);
  CHECK(out.text == expected);

  for (const auto& paths : std::vector<std::vector<std::string>>{{}, {"f", "other"}, {"f", "zlink"}, {"."}}) {
    CHECK(test::failure_of([&] { get(tree, StreamShape::file, {.target = {}, .paths = paths}); }) == ErrorKind::usage);
    CHECK(out.text.empty());
  }
  CHECK(test::failure_of([&] { get(tree, StreamShape::file, {.target = {}, .paths = {"none"}}); }) ==
        ErrorKind::not_found);
}

TEST_CASE_FIXTURE(Streams, "stream: content that changed here and there leaves in the order of the file") {
  std::string content = noise(17 << 20, 3);
  std::vector<Manifest> all;
  for (unsigned round = 0; round < 3; ++round) {
    for (std::size_t at = round * 4096; at < content.size(); at += 16 * 4096) {
      content[at] = static_cast<char>(content[at] + 1);
    }
    write(source / "f", content);
    all.push_back(take(source / "f"));
  }
  get(all.back(), StreamShape::file);
  CHECK((out.text == content));
}

TEST_CASE_FIXTURE(Streams, "stream: damage that is found after the first byte ends the output, and that is an error") {
  write(source / "f", noise(24 << 20, 4));
  const Manifest manifest = take(source / "f");
  // In the last pack, behind what is looked at before the first byte is written.
  damage_at(last_pack(), 6 << 20);
  const std::string expected = std::string{as_text(read_file(source / "f"))};
  CHECK(test::failure_of([&] { get(manifest, StreamShape::file); }) == ErrorKind::damaged);
  CHECK(out.text.size() < expected.size());
  CHECK(expected.starts_with(out.text));
  CHECK(test::failure_of([&] { get(manifest, StreamShape::tar); }) == ErrorKind::damaged);
  CHECK(unpacked("tar") == "broken");
  REQUIRE_FALSE(reporter.warnings.empty());
  CHECK(reporter.warnings.back().find("is cut short after") != std::string::npos);
}

TEST_CASE_FIXTURE(Streams,
                  "stream: a small file whose damage is seen in time is left out of the archive, with its links") {
  for (int i = 0; i < 40; ++i) write(source / fmt::format("{:02}", i), noise(100'000, static_cast<unsigned>(i)));
  for (int i = 0; i < 40; ++i) {
    ::link((source / fmt::format("{:02}", i)).c_str(), (source / fmt::format("l{:02}", i)).c_str());
  }
  const Manifest manifest = take(source);
  damage(fs::file_size(pack()) / 2);
  const StreamResult result = get(manifest, StreamShape::tar);
  REQUIRE(result.problems.size() >= 2);
  CHECK(result.problems.size() < 40);
  CHECK(unpacked("tar") == "whole");
  std::size_t there = 0;
  for (const auto& at : fs::directory_iterator(directory.path() / "unpacked")) {
    if (fs::is_regular_file(at.path())) ++there;
  }
  CHECK(there == 80 - result.problems.size());
  CHECK(result.entries == there + 1);
  for (const auto& problem : result.problems) {
    CHECK_FALSE(fs::exists(directory.path() / "unpacked" / problem.path));
  }
}

TEST_CASE_FIXTURE(Streams, "stream: a pack that is missing is known before anything is written") {
  write(source / "f", noise(100'000, 5));
  const Manifest tree = take(source);
  const Manifest one = take(source / "f");
  fs::remove(pack());
  reopen();
  fs::remove_all(directory.path() / "cache");
  CHECK(test::failure_of([&] { get(one, StreamShape::file); }) == ErrorKind::damaged);
  CHECK(out.text.empty());
  const StreamResult result = get(tree, StreamShape::tar);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "f");
  CHECK(unpacked("tar") == "whole");
}

TEST_CASE_FIXTURE(Streams, "stream: an archive that ends between two members is broken to who reads it") {
  write(source / "a", "1");
  write(source / "b", "2");
  const Manifest manifest = take(source);
  // Nothing but the output fails: it takes the root and a, then no more, and is whole up to there.
  get(manifest, StreamShape::tar);
  const std::string whole = out.text;
  CHECK(unpacked("tar") == "whole");
  out.text = whole.substr(0, whole.size() - 1024);
  // As a failure between two members leaves it.
  DataSegments none{directory.path()};
  make_tar_form(out, none, OwnerNamesIn::yes)->cut();
  CHECK(unpacked("tar") == "broken");
  CHECK_FALSE(fs::exists(directory.path() / "unpacked" / "cut short"));
  if (std::system("bsdtar --version >/dev/null 2>&1") == 0) CHECK(unpacked("bsdtar") == "broken");
  out.most = whole.size() - 1;
  CHECK(test::failure_of([&] { get(manifest, StreamShape::tar); }) == ErrorKind::failed);
}

TEST_CASE_FIXTURE(Streams, "stream: an archive has what was chosen, and no directory that only leads there") {
  fs::create_directories(source / "d" / "e");
  write(source / "d" / "e" / "f.txt", "1");
  write(source / "d" / "g", "2");
  const Manifest manifest = take(source);
  CHECK(get(manifest, StreamShape::tar, {.target = {}, .paths = {"*.txt"}}).entries == 1);
  CHECK(out.text.find("d/e/f.txt") != std::string::npos);
  CHECK(unpacked("tar") == "whole");
  const StreamResult result = get(manifest, StreamShape::tar, {.target = {}, .paths = {}, .excludes = {"e"}});
  CHECK(result.entries == 3);  // the root, d and g
}
