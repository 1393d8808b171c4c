#include "engine/restore/local_content.hpp"

#include "engine/restore/content_planner.hpp"
#include "engine/restore/planning_order.hpp"
#include "support/content.hpp"
#include "unit/support.hpp"
#include "util/bytes.hpp"

#include <fcntl.h>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using test::noise;

namespace {

class OnePack : public PlannedPacks {
 public:
  const PackRef& find(std::uint64_t) override { return ref; }
  bool comes_whole(const PackRef&) override { return false; }
  std::shared_ptr<const PackDirectory> directory(std::uint64_t) override { return contents; }
  PackRef ref;
  std::shared_ptr<PackDirectory> contents = std::make_shared<PackDirectory>();
};

// A file of pages in one pack, and local files that may have some of them.
struct Matching {
  static constexpr std::uint32_t k_page = 4096;
  TemporaryDirectory directory{fs::temp_directory_path()};
  ThreadPool pool{2};
  std::shared_ptr<LocalRoots> roots = std::make_shared<LocalRoots>();
  OnePack packs;
  FetchPlan fetch;
  RestoreSteps steps{"/nowhere"};
  std::unique_ptr<LocalFiles> files;
  std::vector<LocalCandidate> candidates;
  std::string content;

  explicit Matching(std::uint32_t pages) : content(noise(std::size_t{pages} * k_page, 1)) {
    for (const auto kind : {LocalRoot::Kind::target, LocalRoot::Kind::seed}) {
      roots->push_back({kind, open_file(directory.path(), O_RDONLY | O_DIRECTORY), directory.path().native()});
    }
    files = std::make_unique<LocalFiles>(roots, "/nowhere");
    for (std::uint32_t i = 0; i < pages; ++i) {
      packs.contents->add_chunk(sha256(page(i)), k_page);
      packs.contents->add_frame(100, 1);
    }
  }
  std::string page(std::uint32_t i) const { return content.substr(std::size_t{i} * k_page, k_page); }
  void add(std::size_t root, const std::string& name, const std::string& text) {
    test::write(directory.path() / name, text);
    LocalCandidate candidate;
    candidate.root = root;
    candidate.kind = (*roots)[root].kind;
    candidate.path = name;
    candidate.fd = open_file(directory.path() / name, O_RDONLY);
    REQUIRE(::fstat(candidate.fd.get(), &candidate.status) == 0);
    candidate.stamp = stamp_of(candidate.status);
    candidate.cuts = std::make_shared<std::optional<CutIndex>>();
    candidates.push_back(std::move(candidate));
  }
  // The steps of a file of these extents: "W" what is fetched, "L" what is not, by its place in candidates.
  std::string plan(std::uint64_t size, const std::vector<Extent>& extents, bool* whole = nullptr) {
    PlanningOrder order{pool};
    ContentPlanner planner{packs, fetch, steps, 1ULL << 30, order};
    PlannedEntry planned;
    planned.entry.path = "file";
    planned.entry.size = size;
    auto local = std::make_shared<LocalContent>(std::move(candidates), ChunkRule{}, *files, pool);
    local->settled = [&](LocalContent& told) {
      if (whole != nullptr) *whole = told.is_target_whole();
    };
    order.add([&] { steps.add_entry(planned); });
    planner.begin_file(planned.entry, local);
    for (const Extent& extent : extents) planner.extent(extent);
    planner.end_file({});
    order.finish();
    steps.rewind();
    REQUIRE(steps.next_entry());
    std::string out;
    while (const auto step = steps.next_step()) {
      if (!out.empty()) out += ' ';
      if (const auto* write = std::get_if<PlannedWrite>(&*step)) {
        out += fmt::format("W{}+{}", write->offset / k_page, write->length / k_page);
      } else if (const auto* taken = std::get_if<LocalWrite>(&*step)) {
        if (taken->digest) out += '!';
        out += fmt::format("L{}:{}+{}@{}", files->get(taken->file).path, taken->from, taken->length, taken->offset);
      } else if (const auto* hole = std::get_if<PlannedHole>(&*step)) {
        out += fmt::format("H{}+{}", hole->offset / k_page, hole->length / k_page);
      } else if (const auto* base = std::get_if<LocalBase>(&*step)) {
        out += "B" + files->get(base->file).path;
      }
    }
    return out;
  }
};

}  // namespace

TEST_CASE(
    "local content: what others may write is taken chunk by chunk, each with its digest, and nothing begins as it") {
  Matching t{4};
  t.add(0, "old", t.content);
  t.candidates[0].in_other_hands = true;
  CHECK(t.plan(4 * 4096, {{0, 0, 4, 0}}) ==
        "!Lold:0+4096@0 !Lold:4096+4096@4096 !Lold:8192+4096@8192 !Lold:12288+4096@12288");
}

TEST_CASE("local content: pages are taken where they are the same, and neighbours together") {
  Matching t{8};
  std::string old = t.content;
  old[2 * 4096 + 7] ^= 1;
  old[3 * 4096] ^= 1;
  old.resize(7 * 4096 + 100);
  t.add(0, "old", old);
  CHECK(t.plan(8 * 4096, {{0, 0, 5, 0}, {0, 5, 3, 0}}) == "Bold Lold:0+8192@0 W2+2 Lold:16384+12288@16384 W7+1");
  CHECK(t.fetch.bytes() == 300);
}

TEST_CASE("local content: what the first has is not looked for in the second") {
  Matching t{6};
  t.add(0, "first", t.page(0) + t.page(1) + noise(4096 * 4, 9));
  t.add(1, "second", noise(4096, 8) + t.page(1) + t.page(2) + t.page(3));
  CHECK(t.plan(6 * 4096, {{0, 0, 6, 0}}) == "Bfirst Lfirst:0+8192@0 Lsecond:8192+8192@8192 W4+2");
}

TEST_CASE("local content: a file is whole at the target only with every byte, holes and its own place included") {
  Matching t{4};
  bool whole = false;
  const std::vector<Extent> extents{{0, 0, 2, 0}, Extent::make_hole(65536), {0, 2, 2, 0}};
  const std::string all = t.content.substr(0, 8192) + std::string(65536, '\0') + t.content.substr(8192);
  SUBCASE("it is") {
    t.add(0, "it", all);
    CHECK(t.plan(all.size(), extents, &whole) == "Bit Lit:0+8192@0 H2+16 Lit:73728+8192@73728");
    CHECK(whole);
  }
  SUBCASE("there is something where the snapshot has a hole") {
    std::string other = all;
    other[8192 + 60000] = 'x';
    t.add(0, "it", other);
    t.plan(all.size(), extents, &whole);
    CHECK_FALSE(whole);
  }
  SUBCASE("it is somewhere else") {
    t.add(1, "it", all);
    t.plan(all.size(), extents, &whole);
    CHECK_FALSE(whole);
  }
  SUBCASE("it is shorter") {
    t.add(0, "it", all.substr(0, all.size() - 1));
    t.plan(all.size(), extents, &whole);
    CHECK_FALSE(whole);
  }
}

TEST_CASE("local content: nothing that fits leaves a plan as it is without") {
  Matching t{4};
  t.add(0, "it", noise(20'000, 5));
  CHECK(t.plan(4 * 4096 + 65536, {{0, 0, 2, 0}, Extent::make_hole(65536), {0, 2, 2, 0}}) == "W0+2 W18+2");
}
