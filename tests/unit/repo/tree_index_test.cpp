#include "repo/tree_index.hpp"

#include "support/hand_made_snapshot.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::directory_line;
using test::failure_of;
using test::file_line;
using test::HandMadeSnapshot;

namespace {

constexpr std::uint64_t k_large_parts = 3000;

// Paths with all that makes their order special, directories by a slash at the end, and one file of many parts.
struct Tree {
  std::vector<std::string> paths;  // in their order
  std::set<std::string> directories;
  std::string text;

  explicit Tree(bool large_file) {
    for (const char* path : {"a/", "a/b", "a-b", "a.b", "a/b-c/", "a/b-c/x", "z", "zz/"}) add(path);
    for (int i = 0; i < 20; ++i) {
      const std::string top = "d" + std::to_string(i);
      add(top + "/");
      for (int k = 0; k < 8; ++k) {
        add(top + "/s" + std::to_string(k) + "/");
        for (int n = 0; n < (i == 7 ? 60 : 6); ++n) {
          add(top + "/s" + std::to_string(k) + "/file" + std::to_string(n));
        }
      }
      add(top + "/last");
    }
    if (large_file) add("large");
    std::sort(paths.begin(), paths.end(),
              [](const std::string& a, const std::string& b) { return compare_paths(a, b) < 0; });
    text = directory_line(".");
    for (const auto& path : paths) {
      if (directories.contains(path)) {
        text += directory_line(path);
      } else if (path == "large") {
        text += file_line(path, k_large_parts * 10, {}, k_large_parts);
        for (std::uint64_t i = 0; i < k_large_parts; ++i) text += write_part_line(10, {Extent::make_hole(10)});
      } else {
        text += file_line(path, 0, {});
      }
    }
  }
  void add(std::string path) {
    if (path.back() == '/') {
      path.pop_back();
      directories.insert(path);
    }
    paths.push_back(std::move(path));
  }
  std::vector<std::string> children(const std::string& directory) const {
    std::vector<std::string> out;
    for (const auto& path : paths) {
      const auto slash = path.rfind('/');
      if ((slash == std::string::npos ? "." : path.substr(0, slash)) == directory) out.push_back(path);
    }
    return out;
  }
};

std::vector<std::string> children(const TreeIndex& index, const std::string& directory, const std::string& after = {}) {
  std::vector<std::string> out;
  const auto take = [&](const IndexedEntry& entry) {
    out.push_back(entry.entry.path);
    return true;
  };
  REQUIRE(index.children(directory, take, after));
  return out;
}

// Of the paths each `step`th: a list in one chunk is read from its beginning for each of them.
void check_whole(const TreeIndex& index, const Tree& tree, std::size_t step = 1) {
  REQUIRE(index.find("."));
  for (std::size_t i = 0; i < tree.paths.size(); i += step) {
    const std::string& path = tree.paths[i];
    CAPTURE(path);
    const auto found = index.find(path);
    REQUIRE(found);
    CHECK(found->entry.path == path);
    CHECK((found->entry.type == EntryType::directory) == tree.directories.contains(path));
    for (const char* behind : {"-", "/none"}) CHECK_FALSE(index.find(path + behind));
  }
  for (const char* none : {"", "!", "A", "~~", "d", "d99"}) CHECK_FALSE(index.find(none));
  CHECK(children(index, ".") == tree.children("."));
  for (const auto& directory : tree.directories) {
    if (step != 1 && directory != "d7" && directory != "a") continue;
    CAPTURE(directory);
    CHECK(children(index, directory) == tree.children(directory));
  }
}

}  // namespace

TEST_CASE("tree index: every path is found and none that is not there, however the list is cut and stored") {
  const bool large = true;
  const Tree tree{large};
  SUBCASE("at ends of lines") {
    HandMadeSnapshot t;
    const Manifest manifest = t.manifest(test::cut_at_lines(tree.text, 700));
    const auto frames = t.frames(manifest);
    check_whole(TreeIndex{*frames, manifest}, tree);
  }
  SUBCASE("anywhere, with lists of extents above it") {
    HandMadeSnapshot t;
    const Manifest manifest = t.manifest(test::cut_anywhere(tree.text, 333), 2);
    const auto frames = t.frames(manifest);
    check_whole(TreeIndex{*frames, manifest}, tree);
  }
  SUBCASE("in one piece") {
    const Tree small{!large};
    HandMadeSnapshot t;
    const Manifest manifest = t.manifest({small.text});
    const auto frames = t.frames(manifest);
    check_whole(TreeIndex{*frames, manifest}, small, 60);
  }
  SUBCASE("sealed") {
    const auto owner = age::Identity::generate();
    const Keyring::LoadIdentities load = [owner] { return std::vector{owner}; };
    HandMadeSnapshot t{std::make_shared<const Keyring>(std::vector{owner.recipient()}, std::nullopt, load)};
    const Manifest manifest = t.manifest(test::cut_at_lines(tree.text, 700));
    const auto frames = t.frames(manifest);
    check_whole(TreeIndex{*frames, manifest}, tree);
  }
}

TEST_CASE("tree index: children go on behind one of them, and stop when they are asked to") {
  const Tree tree{true};
  HandMadeSnapshot t;
  const Manifest manifest = t.manifest(test::cut_at_lines(tree.text, 500));
  const auto frames = t.frames(manifest);
  const TreeIndex index{*frames, manifest};
  const auto all = tree.children(".");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<std::string> rest{all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()};
    CHECK(children(index, ".", all[i]) == rest);
  }
  std::size_t seen = 0;
  CHECK(index.children(".", [&](const IndexedEntry&) { return ++seen < 3; }));
  CHECK(seen == 3);
  const auto nothing = [](const IndexedEntry&) { return true; };
  CHECK_FALSE(index.children("none", nothing));
  CHECK_FALSE(index.children("z", nothing));  // a file
}

TEST_CASE("tree index: a snapshot of one file has it in the root") {
  HandMadeSnapshot t;
  const Manifest manifest = t.manifest({file_line("db", 10, {Extent::make_hole(10)})}, 0, true);
  const auto frames = t.frames(manifest);
  const TreeIndex index{*frames, manifest};
  CHECK(index.find("db")->entry.size == 10);
  CHECK_FALSE(index.find("."));
  CHECK(children(index, ".") == std::vector<std::string>{"db"});
}

TEST_CASE("tree index: one question reads little of the list") {
  const Tree tree{false};
  HandMadeSnapshot t;
  const auto cut = test::cut_at_lines(tree.text, 200);
  const Manifest manifest = t.manifest(cut);
  std::atomic<int> requests{0};
  t.store.on_call = [&](const std::string& operation, const std::string&) { requests += operation == "get" ? 1 : 0; };
  REQUIRE(cut.size() > 400);  // four a frame
  for (const char* path : {"d13/s3/file2", "a/b", "zz", "d7/s7/file59"}) {
    CAPTURE(path);
    const auto frames = t.frames(manifest, 0);
    const TreeIndex index{*frames, manifest};
    requests = 0;
    CHECK(index.find(path));
    CHECK(requests < 40);
  }
  // d7 has a third of all entries below it, and is passed over.
  const auto frames = t.frames(manifest, 0);
  const TreeIndex index{*frames, manifest};
  requests = 0;
  CHECK(children(index, ".", "d6") == std::vector<std::string>{"d7", "d8", "d9", "z", "zz"});
  CHECK(requests < 150);
}

TEST_CASE("tree index: what is damaged is told, and what lies beside it is found") {
  const Tree tree{false};
  HandMadeSnapshot t;
  const Manifest manifest = t.manifest(test::cut_at_lines(tree.text, 200));
  const auto whole = t.store.objects();
  const std::uint32_t frame_count =
      static_cast<std::uint32_t>(t.engine.repository.packs().directory(t.list_pack)->frames().size());
  t.damage_frame(t.list_pack, frame_count - 1);
  const auto frames = t.frames(manifest);
  const TreeIndex index{*frames, manifest};
  CHECK(failure_of([&] { index.find("zz"); }) == ErrorKind::damaged);
  CHECK(index.find("a/b"));
  CHECK(index.find("d13/s3/file2"));
  // A frame that failed is asked for anew.
  const std::string key = layout::pack_key(t.list_pack.name);
  t.store.overwrite(key, as_text(whole.at(key).bytes));
  CHECK(index.find("zz"));
}

TEST_CASE("tree index: a list that does not hold together ends with an error, not with a guess of it") {
  const auto look = [](const std::vector<std::string>& list) {
    HandMadeSnapshot t;
    const Manifest manifest = t.manifest(list);
    const auto frames = t.frames(manifest);
    const TreeIndex index{*frames, manifest};
    return failure_of([&] { index.children(".", [](const IndexedEntry&) { return true; }); });
  };
  CHECK_FALSE(look({directory_line("."), directory_line("a")}));
  CHECK(look({directory_line("."), file_line("a/b", 0, {})}) == ErrorKind::damaged);  // in no directory
  CHECK(look({directory_line("."), file_line("a", 0, {}).substr(0, 20)}) == ErrorKind::damaged);
  CHECK(look({directory_line("."), "{}\n"}) == ErrorKind::damaged);

  HandMadeSnapshot t;
  Manifest manifest = t.manifest({directory_line(".")});
  Root root = manifest.root;
  root.extents.front().count = 2;
  manifest = Manifest::make(manifest.record, manifest.facts, root, manifest.packs);
  const auto frames = t.frames(manifest);
  const TreeIndex index{*frames, manifest};
  CHECK(failure_of([&] { index.find("a"); }) == ErrorKind::damaged);
  manifest.closed = true;
  CHECK(failure_of([&] { TreeIndex(*frames, manifest); }) == ErrorKind::no_key);
}

TEST_CASE("tree index: several threads look at once") {
  const Tree tree{true};
  HandMadeSnapshot t;
  const Manifest manifest = t.manifest(test::cut_at_lines(tree.text, 400));
  const auto frames = t.frames(manifest, 1 << 14);
  const TreeIndex index{*frames, manifest};
  std::atomic<std::size_t> found{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (std::size_t k = i; k < tree.paths.size(); k += 4) found += index.find(tree.paths[k]) ? 1U : 0U;
      });
    }
  }
  CHECK(found == tree.paths.size());
}
