#include "engine/inside/looker.hpp"

#include "support/hand_made_snapshot.hpp"
#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::directory_line;
using test::file_line;
using test::HandMadeSnapshot;

namespace {

std::string content(InsideFile& file) {
  return std::string{as_text(file.reader->read_at(0, UINT64_MAX))};
}

std::string link_line(const std::string& path, const std::string& target) {
  Entry entry;
  entry.path = path;
  entry.type = EntryType::hard_link;
  entry.link_target = target;
  return write_entry_head(entry) + "}\n";
}

}  // namespace

TEST_CASE("looker: frames that two snapshots share are fetched once") {
  HandMadeSnapshot t;
  const PackRef pack = t.add_pack({"one ", "two "}, 2);
  const std::string list = directory_line(".") + file_line("file", 8, {{pack.prefix(), 0, 2, 0}});
  const Manifest first = t.manifest({list});
  t.packs.pop_back();
  const PackRef more = t.add_pack({"three"}, 1);
  const Manifest second =
      t.manifest({directory_line(".") + file_line("file", 13, {{pack.prefix(), 0, 2, 0}, {more.prefix(), 0, 1, 0}})});
  const std::vector<const Manifest*> both{&first, &second};
  Context& context = t.engine.context;
  Looker looker{context, both, 1 << 20};
  auto one = looker.open(first, "file");
  CHECK(content(one) == "one two ");
  const auto requests = [&] {
    return looker.frames(first).alone([](const FrameFetcher& fetcher) { return fetcher.statistics().requests; });
  };
  const auto before = requests();
  auto two = looker.open(second, "/file");
  CHECK(content(two) == "one two three");
  // Its list, and what is new.
  CHECK(requests() - before == 2);
}

TEST_CASE("looker: a file is found by its path, a link is what it leads to") {
  HandMadeSnapshot t;
  const PackRef pack = t.add_pack({"bytes"}, 1);
  const Manifest tree = t.manifest({directory_line(".") + directory_line("d") +
                                    file_line("d/file", 5, {{pack.prefix(), 0, 1, 0}}) + link_line("link", "d/file")});
  const std::vector<const Manifest*> all{&tree};
  Context& context = t.engine.context;
  Looker looker{context, all, 1 << 20};
  for (const char* path : {"d/file", "./d/file", "/d/file", "link"}) {
    auto file = looker.open(tree, path);
    CHECK(content(file) == "bytes");
  }
  CHECK(test::failure_of([&] { looker.open(tree, "d"); }) == ErrorKind::usage);
  CHECK(test::failure_of([&] { looker.open(tree, std::nullopt); }) == ErrorKind::usage);
  CHECK(test::failure_of([&] { looker.open(tree, "../d"); }) == ErrorKind::usage);
  CHECK(test::failure_of([&] { looker.open(tree, "d/other"); }) == ErrorKind::not_found);
}

TEST_CASE("looker: the only file of a snapshot needs no path") {
  HandMadeSnapshot t;
  const PackRef pack = t.add_pack({"bytes"}, 1);
  const Manifest single = t.manifest({file_line("file", 5, {{pack.prefix(), 0, 1, 0}})}, 0, true);
  const std::vector<const Manifest*> all{&single};
  Context& context = t.engine.context;
  Looker looker{context, all, 1 << 20};
  auto file = looker.open(single, std::nullopt);
  CHECK(content(file) == "bytes");
  CHECK(file.reader->entry().path == "file");
}
