#include "repo/own_packs.hpp"

#include "codec/digest.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

PackRef pack(const std::string& name) {
  PackRef ref;
  ref.name = sha256(name);
  ref.logical_id = sha256(name + " content");
  ref.size = 1000;
  ref.directory_offset = 900;
  ref.directory_size = 68;
  return ref;
}

}  // namespace

TEST_CASE("own packs: a line gives back the pack; what is no line is none") {
  for (const auto content : {PackContent::files, PackContent::list}) {
    PackRef ref = pack("a");
    ref.content = content;
    ref.seal = "age:0123456789abcdef";
    CHECK(parse_pack_line(pack_line(ref)) == ref);
  }
  const std::string line = pack_line(pack("a"));
  for (std::size_t n = 0; n < line.size(); ++n) CHECK_FALSE(parse_pack_line(line.substr(0, n)).has_value());
  CHECK_FALSE(parse_pack_line(line + " ").has_value());
}

TEST_CASE("own packs: what was added is there again, beside torn lines; what does not stay is forgotten") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "packs" / "store";
  OwnPacks first{file};
  CHECK(first.all().empty());
  first.add(pack("a"));
  std::ofstream{file, std::ios::app} << "torn";
  first.add(pack("b"));
  OwnPacks second{file};
  second.add(pack("c"));
  CHECK(OwnPacks{file}.all() == std::vector{pack("a"), pack("b"), pack("c")});
  const auto only_b = [](const PackRef& ref) { return ref == pack("b"); };
  // Not while another one adds to it.
  second.tidy(only_b);
  CHECK(OwnPacks{file}.all().size() == 3);
  first.tidy(only_b);
  CHECK(OwnPacks{file}.all() == std::vector{pack("b")});
  first.add(pack("d"));
  CHECK(OwnPacks{file}.all() == std::vector{pack("b"), pack("d")});
}

TEST_CASE("own packs: without a file, or a place for it, nothing is known and nothing fails") {
  OwnPacks none{{}};
  none.add(pack("a"));
  none.tidy([](const PackRef&) { return false; });
  CHECK(none.all().empty());
  OwnPacks nowhere{"/proc/nowhere/packs"};
  nowhere.add(pack("a"));
  nowhere.tidy([](const PackRef&) { return false; });
  CHECK(nowhere.all().empty());
}
