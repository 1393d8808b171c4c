#include "util/lru.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::vector<std::string> values(const Lru<int, std::string>& lru) {
  std::vector<std::string> out;
  lru.for_each([&](const std::string& value) { out.push_back(value); });
  return out;
}

}  // namespace

TEST_CASE("lru: what was used longest ago goes first, and finding is using") {
  Lru<int, std::string> lru;
  for (int i = 0; i < 4; ++i) lru.put(i, std::to_string(i), 10);
  CHECK(lru.bytes() == 40);
  REQUIRE(lru.find(0) != nullptr);
  CHECK(lru.find(7) == nullptr);
  lru.shrink(25);
  CHECK(values(lru) == std::vector<std::string>{"0", "3"});
  CHECK(lru.find(1) == nullptr);
  CHECK(lru.bytes() == 20);
  lru.shrink(20);
  CHECK(lru.size() == 2);
}

TEST_CASE("lru: the one that was used last stays, whatever it takes") {
  Lru<int, std::string> lru;
  lru.put(1, "small", 1);
  lru.put(2, "large", 1000);
  lru.shrink(100);
  CHECK(values(lru) == std::vector<std::string>{"large"});
  lru.shrink(100, [](const std::string&) { return true; });
  CHECK(lru.size() == 0);
  CHECK(lru.bytes() == 0);
}

TEST_CASE("lru: one that may not go keeps all that were used later") {
  Lru<int, std::string> lru;
  for (int i = 0; i < 4; ++i) lru.put(i, std::to_string(i), 10);
  lru.shrink(0, [](const std::string& value) { return value != "1"; });
  CHECK(values(lru) == std::vector<std::string>{"3", "2", "1"});
}

TEST_CASE("lru: a value is replaced, resized and erased with its bytes") {
  Lru<int, std::string> lru;
  lru.put(1, "a", 10);
  lru.put(2, "b", 10);
  lru.put(1, "c", 5);
  CHECK(lru.bytes() == 15);
  CHECK(values(lru) == std::vector<std::string>{"c", "b"});
  lru.resize(2, 3);
  CHECK(lru.bytes() == 8);
  lru.resize(2, 30);
  CHECK(lru.bytes() == 35);
  lru.erase(2);
  lru.erase(2);
  CHECK(lru.bytes() == 5);
  std::string& value = lru.put(3, "d", 1);
  value = "e";
  CHECK(*lru.find(3) == "e");
}
