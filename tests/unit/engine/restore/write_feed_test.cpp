#include "engine/restore/write_feed.hpp"

#include "unit/support.hpp"

#include <map>
#include <string>
#include <variant>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

// Packs A and B of twelve chunks, four to a frame: of 10 bytes each, and of 20.
struct Feed {
  RestoreSteps steps{"/nowhere"};
  std::map<std::uint64_t, int> asked;
  WriteFeed feed{steps, [this](std::uint64_t pack) { return directory(pack); }};

  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack) {
    ++asked[pack];
    if (pack != 'A' && pack != 'B') throw Error(ErrorKind::damaged, "no such pack");
    auto out = std::make_shared<PackDirectory>();
    for (std::uint32_t i = 0; i < 12; ++i) {
      out->add_chunk({}, pack == 'A' ? 10 : 20);
      if (i % 4 == 3) out->add_frame(100, 4);
    }
    return out;
  }
  void add(std::uint64_t size, const std::vector<ContentStep>& content) {
    PlannedEntry planned;
    planned.entry.path = "file";
    planned.entry.size = size;
    steps.add_entry(planned);
    for (const auto& step : content) steps.add_step(step);
  }
  // "A0:1+3@0": the second to fourth chunk, which are in the first frame.
  static std::string text_of(const Write& w) {
    return fmt::format("{}{}:{}+{}@{}", static_cast<char>(w.frame.pack), w.frame.frame, w.first, w.count, w.offset);
  }
  // "file7:30+5@0": so many bytes of a local file from there.
  static std::string text_of(const LocalWrite& w) {
    return fmt::format("file{}:{}+{}@{}", w.file, w.from, w.length, w.offset);
  }
  static std::string text_of(const PlannedHole& hole) { return fmt::format("hole+{}@{}", hole.length, hole.offset); }
  std::string next_file() {
    const auto planned = steps.next_entry();
    REQUIRE(planned);
    const auto base = feed.begin(planned->entry);
    std::string out = base ? fmt::format("from file{}", *base) : std::string{};
    const auto take = [&] {
      while (const auto w = feed.next()) {
        if (!out.empty()) out += ' ';
        out += std::visit([](const auto& what) { return text_of(what); }, *w);
      }
    };
    const auto damage = damage_of(take);
    return damage ? out + " damaged: " + damage->message() : out;
  }
};

}  // namespace

TEST_CASE("write feed: planned writes as pieces of frames, in the order given") {
  Feed t;
  t.add(1000, {PlannedWrite{500, 60, {'A', 3, 6}}, PlannedWrite{0, 20, {'B', 0, 1}}});
  t.add(0, {});
  t.add(20, {PlannedWrite{0, 20, {'B', 1, 1}}});
  CHECK(t.next_file() == "A0:3+1@500 A1:4+4@510 A2:8+1@550 B0:0+1@0");
  CHECK(t.next_file().empty());
  CHECK(t.next_file() == "B0:1+1@0");
}

TEST_CASE("write feed: what was pending is placed") {
  Feed t;
  t.add(250, {PlannedWrite{0, 20, {'A', 0, 2}}, PendingBegin{50}, PendingWrite{{'B', 2, 3}}, PendingHole{80},
              PendingCheck{190}, PendingWrite{{'A', 0, 6}}, PendingCheck{250}});
  CHECK(t.next_file() == "A0:0+2@0 B0:2+2@50 B1:4+1@90 A0:0+4@190 A1:4+2@230");
}

TEST_CASE("write feed: what goes by pack is brought into order, and nothing beyond it") {
  Feed t;
  t.add(120, {PackOrderBegin{}, PendingBegin{0}, PendingWrite{{'B', 8, 1}}, PendingWrite{{'A', 9, 1}},
              PendingWrite{{'B', 0, 1}}, PendingWrite{{'A', 5, 1}}, PendingCheck{60}, PackOrderEnd{},
              PendingWrite{{'B', 4, 1}}, PendingWrite{{'A', 0, 1}}, PendingHole{30}});
  CHECK(t.next_file() == "B0:0+1@30 B2:8+1@0 A1:5+1@50 A2:9+1@20 B1:4+1@60 A0:0+1@80");
}

TEST_CASE("write feed: a file that turns out damaged says so, and the next one is none the worse for it") {
  const std::string name = " damaged: damaged content of 'file': ";
  Feed t;
  const auto outcome = [&](const std::vector<ContentStep>& content) {
    t.add(40, content);
    t.add(10, {PlannedWrite{0, 10, {'A', 0, 1}}});
    const auto out = t.next_file();
    CHECK(t.next_file() == "A0:0+1@0");
    return out;
  };
  CHECK(outcome({PlannedWrite{0, 10, {'A', 0, 1}}, DamagedContent{"it is"}}) == "A0:0+1@0 damaged: it is");
  CHECK(outcome({PendingBegin{0}, PendingWrite{{'A', 0, 1}}, PendingWrite{{'X', 0, 1}}, PendingHole{30}}) ==
        "A0:0+1@0 damaged: no such pack");
  CHECK(outcome({PlannedWrite{0, 10, {'X', 0, 1}}}) == " damaged: no such pack");
  CHECK(outcome({PlannedWrite{0, 10, {'A', 12, 1}}}) == " damaged: chunk 12 is not in its pack any more");
  CHECK(outcome({PendingBegin{0}, PendingWrite{{'A', 12, 1}}}) == name + "an extent out of its pack");
  CHECK(outcome({PendingBegin{30}, PendingWrite{{'A', 0, 2}}}) == name + "chunks beyond its end");
  CHECK(outcome({PendingBegin{30}, PendingHole{11}}) == name + "a hole beyond its end");
  CHECK(outcome({PendingBegin{30}, PendingHole{1}, PendingCheck{32}}) ==
        name + "a part has another size than its chunks");
  CHECK(outcome({PendingBegin{0}, PendingWrite{{'A', 0, 1}}}) ==
        "A0:0+1@0" + name + "it has another size than its chunks");
  CHECK(outcome({PackOrderBegin{}, PendingBegin{0}, PendingWrite{{'A', 0, 1}}, DamagedContent{"it is"}}) ==
        " damaged: it is");
}

TEST_CASE("write feed: what a local file gives, and holes where the file begins as one") {
  Feed t;
  t.add(100, {LocalBase{7}, LocalWrite{0, 30, 7, 0}, PlannedHole{30, 20}, PlannedWrite{50, 10, {'A', 0, 1}},
              LocalWrite{60, 10, 9, 500}, PendingBegin{70}, PendingWrite{{'A', 1, 1}}, PendingHole{20}});
  t.add(100, {LocalWrite{0, 30, 7, 0}, PendingBegin{30}, PendingHole{70}});
  CHECK(t.next_file() == "from file7 file7:0+30@0 hole+20@30 A0:0+1@50 file9:500+10@60 A0:1+1@70 hole+20@80");
  // Nothing was there before it, so holes are holes.
  CHECK(t.next_file() == "file7:0+30@0");
}
