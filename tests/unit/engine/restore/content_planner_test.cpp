#include "engine/restore/content_planner.hpp"

#include "unit/support.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

constexpr std::uint64_t k_mib = 1ULL << 20;

// Packs 'A', 'B', ...: chunks of one length each, four to a frame.
class Packs : public PlannedPacks {
 public:
  void add(char name, std::uint32_t chunks, std::uint32_t length) {
    auto directory = std::make_shared<PackDirectory>();
    for (std::uint32_t i = 0; i < chunks; ++i) {
      directory->add_chunk({}, length);
      if (i % 4 == 3 || i + 1 == chunks) directory->add_frame(100, i % 4 + 1);
    }
    PackRef& ref = m_refs[static_cast<std::uint64_t>(name)];
    ref.logical_id.bytes[7] = static_cast<std::uint8_t>(name);
    ref.size = 10 * k_mib;
    m_directories[static_cast<std::uint64_t>(name)] = directory;
  }
  const PackRef& find(std::uint64_t pack) override {
    const auto found = m_refs.find(pack);
    if (found == m_refs.end()) throw Error(ErrorKind::damaged, "no such pack");
    return found->second;
  }
  bool comes_whole(const PackRef& pack) override { return whole.contains(static_cast<char>(pack.logical_id.bytes[7])); }
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack) override {
    if (unreadable.contains(static_cast<char>(pack))) throw Error(ErrorKind::damaged, "no directory");
    if (unreachable.contains(static_cast<char>(pack))) {
      throw StoreError(ErrorKind::damaged, StoreError::Transient::yes, "no answer");
    }
    return m_directories.at(pack);
  }
  std::set<char> whole;
  std::set<char> unreadable;
  std::set<char> unreachable;

 private:
  std::map<std::uint64_t, PackRef> m_refs;
  std::map<std::uint64_t, std::shared_ptr<const PackDirectory>> m_directories;
};

struct Planning {
  Packs packs;
  FetchPlan fetch;
  RestoreSteps steps{"/nowhere"};
  ThreadPool pool{2};
  PlanningOrder order{pool};
  ContentPlanner planner{packs, fetch, steps, 4 * k_mib, order};

  void begin(std::uint64_t size, const std::string& path = "file") {
    PlannedEntry planned;
    planned.entry.path = path;
    planned.entry.size = size;
    steps.add_entry(planned);
    planner.begin_file(planned.entry);
  }
  void chunks(char pack, std::uint32_t first, std::uint32_t count = 1) {
    planner.extent({static_cast<std::uint64_t>(pack), first, count, 0});
  }
  void hole(std::uint64_t bytes) { planner.extent(Extent::make_hole(bytes)); }

  // "A0+2@0=8" is a write of two chunks from the first of pack A, "(A0+2)" the same while it is pending.
  static std::string text_of(const ChunkRange& range) {
    return fmt::format("{}{}+{}", static_cast<char>(range.pack), range.first, range.count);
  }
  static std::string text_of(const PlannedWrite& write) {
    return fmt::format("{}@{}={}", text_of(write.source), write.offset, write.length);
  }
  static std::string text_of(const PendingBegin& begin) { return fmt::format("from:{}", begin.offset); }
  static std::string text_of(const PendingWrite& write) { return fmt::format("({})", text_of(write.source)); }
  static std::string text_of(const PendingHole& hole) { return fmt::format("(hole {})", hole.length); }
  static std::string text_of(const PendingCheck& check) { return fmt::format("check:{}", check.end); }
  static std::string text_of(const PackOrderBegin&) { return "["; }
  static std::string text_of(const PackOrderEnd&) { return "]"; }
  static std::string text_of(const LocalBase& base) { return fmt::format("base{}", base.file); }
  static std::string text_of(const LocalWrite& write) {
    return fmt::format("local{}:{}@{}={}", write.file, write.from, write.offset, write.length);
  }
  static std::string text_of(const PlannedHole& hole) { return fmt::format("hole@{}={}", hole.offset, hole.length); }
  static std::string text_of(const DamagedContent& damaged) { return "damaged: " + damaged.message; }

  // Of the next file.
  std::string content() {
    REQUIRE(steps.next_entry());
    std::string out;
    while (const auto step = steps.next_step()) {
      if (!out.empty()) out += ' ';
      out += std::visit([](const auto& what) { return text_of(what); }, *step);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("content planner: where directories are known, every write has its place") {
  Planning t;
  t.packs.add('A', 10, 100);
  t.packs.add('B', 3, 50);
  t.begin(1'000);
  t.chunks('A', 3, 4);
  t.hole(500);
  t.chunks('B', 0, 2);
  CHECK(t.planner.end_file({}) == 500);
  t.begin(0, "empty");
  CHECK(t.planner.end_file({}) == 0);
  t.begin(350, "in parts");
  t.chunks('A', 0, 1);
  t.planner.end_part(100);
  t.chunks('A', 9, 1);
  t.chunks('B', 0, 3);
  t.planner.end_part(250);
  CHECK(t.planner.end_file({}) == 350);
  CHECK(t.content() == "A3+4@0=400 B0+2@900=100");
  CHECK(t.content().empty());
  CHECK(t.content() == "A0+1@0=100 A9+1@100=100 B0+3@200=150");
  CHECK(t.planner.take_unreadable().empty());
  CHECK(t.fetch.packs() == 2);
  CHECK(t.fetch.bytes() == 400);  // frames 0, 1 and 2 of A, the one of B
}

TEST_CASE("content planner: what is fetched whole is pending, and all that follows it in its file") {
  Planning t;
  t.packs.add('A', 10, 100);
  t.packs.add('B', 10, 50);
  t.packs.whole = {'B'};
  t.begin(1'050);
  t.chunks('A', 0, 2);
  t.hole(300);
  t.planner.end_part(500);
  t.chunks('B', 5, 1);
  t.hole(400);
  t.chunks('A', 2, 1);
  t.planner.end_part(550);
  CHECK(t.planner.end_file({}) == 350);
  t.begin(100);
  t.chunks('A', 0, 1);
  t.planner.end_file({});
  CHECK(t.content() == "A0+2@0=200 from:500 (B5+1) (hole 400) (A2+1) check:1050");
  CHECK(t.content() == "A0+1@0=100");
  CHECK(t.planner.take_unreadable().empty());
  CHECK(t.fetch.packs() == 2);
  CHECK(t.fetch.bytes() == 100 + 10 * k_mib);
}

TEST_CASE("content planner: packs that cannot be read are named, and tried once more by who restores") {
  Planning t;
  t.packs.add('A', 10, 100);
  t.packs.add('B', 10, 100);
  t.packs.unreadable = {'B'};
  for (int i = 0; i < 2; ++i) {
    t.begin(400);
    t.chunks('A', 0, 1);
    t.chunks('B', 0, 1);
    t.chunks('X', 0, 1);
    t.chunks('B', 1, 1);
    t.planner.end_file({});
    CHECK(t.content() == "A0+1@0=100 from:100 (B0+1) (X0+1) (B1+1)");
  }
  const auto unreadable = t.planner.take_unreadable();
  REQUIRE(unreadable.size() == 2);
  CHECK(unreadable[0].message == "no directory");
  CHECK(unreadable[0].files == 2);
  CHECK(unreadable[1].message == "no such pack");
  CHECK(unreadable[1].files == 2);
  t.packs.unreachable = {'A'};
  t.begin(100);
  CHECK_THROWS_AS(t.chunks('A', 0, 1), StoreError);
}

TEST_CASE("content planner: a file that does not fit what its list says is damaged, and alone") {
  Planning t;
  t.packs.add('A', 10, 100);
  const std::string name = "damaged: damaged content of 'file': ";
  const auto planned = [&](auto f, const std::optional<Error>& damage = {}) {
    t.begin(200);
    f();
    t.planner.end_file(damage);
    return t.content();
  };
  CHECK(planned([&] { t.chunks('A', 9, 2); }) == name + "an extent out of its pack");
  CHECK(planned([&] { t.chunks('A', 0, 3); }) == name + "chunks beyond its end");
  CHECK(planned([&] { t.hole(201); }) == name + "a hole beyond its end");
  CHECK(planned([&] { t.chunks('A', 0, 1); }) == "A0+1@0=100 " + name + "it has another size than its chunks");
  CHECK(planned([&] {
          t.chunks('A', 0, 1);
          t.planner.end_part(99);
          t.chunks('A', 1, 1);
          t.planner.end_part(101);
        }) == "A0+1@0=100 " + name + "a part has another size than its chunks");
  const Error given{ErrorKind::damaged, "no further parts"};
  CHECK(planned([&] { t.chunks('A', 0, 1); }, given) == "A0+1@0=100 damaged: no further parts");
  CHECK(planned([&] { t.chunks('A', 0, 2); }) == "A0+2@0=200");
}

TEST_CASE("content planner: a stripe that jumps from pack to pack goes by pack, what comes in order does not") {
  Planning t;
  t.packs.add('A', 64, 128 << 10);
  t.packs.add('B', 64, 128 << 10);
  t.packs.add('C', 128, 128 << 10);
  bool pending = false;
  SUBCASE("with directories") {}
  SUBCASE("without") {
    pending = true;
    t.packs.whole = {'A', 'B', 'C'};
  }
  t.begin(16 * k_mib);
  for (std::uint32_t i = 0; i < 16; ++i) {  // 4 MiB: one stripe
    t.chunks('A', 15 - i);
    t.chunks('B', i);
  }
  t.planner.end_part(4 * k_mib);
  t.chunks('C', 0, 96);
  t.planner.end_part(12 * k_mib);
  CHECK(t.planner.end_file({}) == 16 * k_mib);
  t.begin(128 << 10, "small");
  t.chunks('C', 0);
  t.planner.end_file({});
  const std::string content = t.content();
  if (pending) {
    CHECK(content.starts_with("[ from:0 (A15+1) (B0+1) (A14+1) (B1+1) "));
    CHECK(content.ends_with(" (B15+1) check:4194304 ] (C0+96) check:16777216"));
    CHECK(t.fetch.held_long(1ULL << 40) == std::vector<std::uint64_t>{'A', 'B'});
  } else {
    // By frames of four chunks, in each as they come in the file.
    CHECK(content.starts_with("A3+1@3145728=131072 A2+1@3407872=131072 A1+1@3670016=131072 A0+1@3932160=131072 A7+1@"));
    CHECK(content.find(" A12+1@786432=131072 B0+1@131072=131072 B1+1@") != std::string::npos);
    CHECK(content.find(" B15+1@4063232=131072 C0+4@4194304=524288 C4+4@") != std::string::npos);
    CHECK(content.ends_with(" C92+4@16252928=524288"));
    const auto runs = t.fetch.runs(1ULL << 40);
    REQUIRE(runs.size() == 3);
    CHECK(runs[0].pack == 'A');
    CHECK(runs[1].pack == 'B');
    CHECK(runs[2].pack == 'C');
  }
  // The next file is no part of a stripe before it.
  CHECK(t.content() == (pending ? "from:0 (C0+1)" : "C0+1@0=131072"));
  CHECK(t.fetch.stretch_at() == 4 * k_mib);
}
