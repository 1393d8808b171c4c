#include "engine/restore/content_layout.hpp"

#include "unit/support.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Entry file(std::uint64_t size) {
  Entry entry;
  entry.path = "a/file";
  entry.size = size;
  return entry;
}

PackDirectory pack(std::initializer_list<std::uint32_t> lengths) {
  PackDirectory directory;
  for (const std::uint32_t length : lengths) directory.add_chunk({}, length);
  directory.add_frame(1, static_cast<std::uint32_t>(lengths.size()));
  return directory;
}

}  // namespace

TEST_CASE("content layout: chunks and holes follow each other") {
  const PackDirectory directory = pack({10, 20, 30});
  ContentLayout layout{file(165)};
  CHECK((layout.place({7, 1, 2}, directory) == PlannedWrite{0, 50, {7, 1, 2}}));
  layout.skip(100);
  layout.check_part(150);
  CHECK((layout.place({7, 0, 1}, directory) == PlannedWrite{150, 10, {7, 0, 1}}));
  CHECK(layout.end() == 160);
  CHECK(test::message_of([&] { layout.check_whole(); }) ==
        "damaged content of 'a/file': it has another size than its chunks");
  layout.skip(5);
  CHECK_NOTHROW(layout.check_whole());
}

TEST_CASE("content layout: what does not fit is damage") {
  const PackDirectory directory = pack({10, 20, 30});
  const auto refused = [&](auto f) {
    ContentLayout layout{file(40)};
    layout.begin_at(10);
    const auto message = test::message_of([&] { f(layout); });
    CHECK(test::failure_of([&] { f(layout); }).value_or(ErrorKind::damaged) == ErrorKind::damaged);
    return message.substr(message.find_last_of(':') + 1);
  };
  CHECK(refused([&](ContentLayout& l) { l.place({1, 2, 1}, directory); }).empty());
  CHECK(refused([&](ContentLayout& l) { l.skip(30); }).empty());
  CHECK(refused([&](ContentLayout& l) { l.place({1, 1, 2}, directory); }) == " chunks beyond its end");
  CHECK(refused([&](ContentLayout& l) { l.place({1, 2, 2}, directory); }) == " an extent out of its pack");
  CHECK(refused([&](ContentLayout& l) {
          l.place({1, UINT32_MAX, UINT32_MAX}, directory);
        }) == " an extent out of its pack");
  CHECK(refused([&](ContentLayout& l) { l.skip(31); }) == " a hole beyond its end");
  CHECK(refused([&](ContentLayout& l) { l.skip(UINT64_MAX); }) == " a hole beyond its end");
  CHECK(refused([&](ContentLayout& l) { l.check_part(11); }) == " a part has another size than its chunks");
}
