#include "repo/layout.hpp"

#include "store/key.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::layout;

namespace {

const Digest k_digest = sha256(std::string_view{"abc"});
const Time k_time = *parse_time("2026-11-21T03:24:10.123456789Z");

// Everything that is the key with one character gone, doubled or replaced by an odd one.
std::vector<std::string> mutations(const std::string& key) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    out.push_back(key.substr(0, i) + key.substr(i + 1));
    for (const char c : {'\0', '/', 'G', ' ', '\xff'}) {
      if (key[i] != c) out.push_back(key.substr(0, i) + c + key.substr(i + 1));
    }
  }
  for (const char* more : {"x", "/", ".json", " ", "\n"}) out.push_back(key + more);
  for (std::size_t n = 0; n < key.size(); ++n) out.push_back(key.substr(0, n));
  return out;
}

}  // namespace

TEST_CASE("layout: each name comes back from its key, and is one a store takes") {
  const auto descriptor = descriptor_key(12, k_digest);
  CHECK(descriptor == "config/12-" + k_digest.hex() + ".json");
  REQUIRE(parse_descriptor_key(descriptor));
  CHECK(parse_descriptor_key(descriptor)->generation == 12);
  CHECK(parse_descriptor_key(descriptor)->sha256 == k_digest);

  const auto manifest = manifest_key("my-db_1.x", k_time, k_digest, sha256(std::string_view{}));
  CHECK(manifest == "snapshots/my-db_1.x/20261121T032410.123456789Z-ba7816bf8f01cfea-e3b0c44298fc1c14.json");
  const auto parsed = parse_manifest_key(manifest);
  REQUIRE(parsed);
  CHECK(parsed->series == "my-db_1.x");
  CHECK(parsed->cut_point == k_time);
  CHECK(parsed->id == "ba7816bf8f01cfea");
  CHECK(parsed->sha256 == "e3b0c44298fc1c14");

  const auto pack = pack_key(k_digest);
  CHECK(pack == "packs/ba/" + k_digest.hex());
  CHECK(parse_pack_key(pack) == k_digest);

  const std::string run(32, 'a');
  const auto pending = pending_key(run, 7);
  REQUIRE(parse_pending_key(pending));
  CHECK(parse_pending_key(pending)->run == run);
  CHECK(parse_pending_key(pending)->number == 7);

  const auto mark = mark_key(k_time, run);
  CHECK(parse_mark_key(mark) == k_time);

  for (const bool pinned : {true, false}) {
    const auto pin = pin_key(k_digest, k_time, pinned, std::string(16, '0'));
    REQUIRE(parse_pin_key(pin));
    CHECK(parse_pin_key(pin)->id == k_digest);
    CHECK(parse_pin_key(pin)->time == k_time);
    CHECK(parse_pin_key(pin)->pinned == pinned);
    CHECK(is_valid_key(pin));
  }
  for (const auto& key : {descriptor, manifest, pack, pending, mark}) CHECK(is_valid_key(key));
}

TEST_CASE("layout: a key that is not exactly one is none") {
  const auto pack = pack_key(k_digest);
  for (const auto& bad : mutations(pack)) CHECK_FALSE(parse_pack_key(bad));
  CHECK_FALSE(parse_pack_key("packs/00/" + k_digest.hex()));

  const auto pin = pin_key(k_digest, k_time, true, std::string(16, '0'));
  for (const auto& bad : mutations(pin)) CHECK_FALSE(parse_pin_key(bad));
  const auto mark = mark_key(k_time, std::string(32, '0'));
  for (const auto& bad : mutations(mark)) CHECK_FALSE(parse_mark_key(bad));
  // Shortening "12" or the series gives another valid name; all else does not.
  const auto descriptor = descriptor_key(1, k_digest);
  for (const auto& bad : mutations(descriptor)) CHECK_FALSE(parse_descriptor_key(bad));
  const auto manifest = manifest_key("s", k_time, k_digest, k_digest);
  for (const auto& bad : mutations(manifest)) {
    if (!bad.starts_with("snapshots/G/")) CHECK_FALSE(parse_manifest_key(bad));
  }
  const auto pending = pending_key(std::string(32, 'a'), 7);
  for (const auto& bad : mutations(pending)) CHECK_FALSE(parse_pending_key(bad));
}

TEST_CASE("layout: numbers and times in names have one spelling") {
  const std::string tail = "-" + k_digest.hex() + ".json";
  CHECK(parse_descriptor_key("config/1" + tail));
  CHECK(parse_descriptor_key("config/9007199254740991" + tail));
  for (const char* bad : {"config/0", "config/01", "config/9007199254740992", "config/", "config/-1", "config/+1",
                          "config/18446744073709551616", "config/1 "}) {
    CHECK_FALSE(parse_descriptor_key(bad + tail));
  }
  CHECK_FALSE(parse_manifest_key("snapshots/s/20261121T032410.123456789z-ba7816bf8f01cfea-e3b0c44298fc1c14.json"));
  CHECK_FALSE(parse_manifest_key("snapshots/s/20261121T032460.123456789Z-ba7816bf8f01cfea-e3b0c44298fc1c14.json"));
  CHECK_FALSE(parse_manifest_key("snapshots/s/t/20261121T032410.123456789Z-ba7816bf8f01cfea-e3b0c44298fc1c14.json"));
  CHECK_FALSE(parse_manifest_key("snapshots/latest/20261121T032410.123456789Z-ba7816bf8f01cfea-e3b0c44298fc1c14.json"));
}

TEST_CASE("layout: series names") {
  for (const std::string& good :
       {std::string{"a"}, std::string{"0"}, std::string{"A.b_c-9"}, std::string(64, 'z'), std::string{"1234567"},
        std::string{"latest2"}, std::string{"Latest"}, std::string{"deadbeef-"}, std::string{"12345678x"}}) {
    CHECK(is_valid_series(good));
  }
  for (const std::string& bad :
       {std::string{}, std::string{"latest"}, std::string{"12345678"}, std::string{"deadbeef"},
        std::string{"DEADBEEF00"}, std::string(65, 'z'), std::string{".a"}, std::string{"-a"}, std::string{"_a"},
        std::string{"a/b"}, std::string{"a b"}, std::string{"a\n"}, std::string{"ä"}, std::string{"a\0", 2}}) {
    CHECK_FALSE(is_valid_series(bad));
  }
}

TEST_CASE("layout: every name lies in one of the directories") {
  const std::string mark = mark_key(k_time, std::string(32, '0'));
  const std::string pin = pin_key(k_digest, k_time, true, std::string(16, '0'));
  const std::string drill = drill_key("a", k_time, k_digest, std::string(16, '0'));
  for (const auto& key :
       {descriptor_key(1, k_digest), manifest_key("a", k_time, k_digest, k_digest), pack_key(k_digest),
        pending_key(std::string(32, '0'), 1), mark, pin, drill, std::string{k_lease}}) {
    INFO(key);
    CHECK(std::find(k_directories.begin(), k_directories.end(), key.substr(0, key.find('/'))) != k_directories.end());
  }
}

TEST_CASE("layout: names of drill records give back what they are made of, and nothing else does") {
  const std::string key = drill_key("state", k_time, k_digest, "0123456789abcdef");
  const auto name = parse_drill_key(key);
  REQUIRE(name);
  CHECK(name->series == "state");
  CHECK(name->time == k_time);
  CHECK(name->id == k_digest.short_hex());
  for (const auto& bad : mutations(key)) {
    const auto other = parse_drill_key(bad);
    if (other) CHECK(other->series != name->series);
  }
}
