#include "engine/snapshot/path_order.hpp"

#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Entry entry(const std::string& path, EntryType type = EntryType::file, const std::string& target = {}) {
  Entry out;
  out.path = path;
  out.type = type;
  out.link_target = target;
  return out;
}

std::string refusal(const std::vector<Entry>& entries) {
  PathOrder order;
  for (std::size_t i = 0; i < entries.size(); ++i) order.add(entries[i], i);
  const auto sort = [&] { order.sort(); };
  const auto kind = test::failure_of(sort);
  if (!kind) return {};
  CHECK(kind == ErrorKind::failed);
  return test::message_of(sort);
}

constexpr auto k_directory = EntryType::directory;
constexpr auto k_link = EntryType::hard_link;

}  // namespace

TEST_CASE("path order: places come in the order of the paths, a directory before what it holds") {
  PathOrder order;
  order.add(entry("base", k_directory), 3);
  order.add(entry("base-x"), 4);
  order.add(entry("base/1"), 5);
  order.add(entry("a-label"), 6);
  order.add(entry(".", k_directory), 7);
  order.add(entry("base/2", k_link, "base/1"), 8);
  CHECK(order.sort() == std::vector<std::size_t>{7, 6, 3, 5, 8, 4});
}

TEST_CASE("path order: entries that no reader would take are refused, and named") {
  const Entry root = entry(".", k_directory);
  CHECK(refusal({root, entry("a"), entry("b", k_link, "a")}).empty());
  CHECK(refusal({root, entry("a"), entry("a")}).find("'a'") != std::string::npos);
  CHECK(refusal({root, entry("d/a")}).find("'d/a'") != std::string::npos);
  CHECK(refusal({entry("a")}).find("'a'") != std::string::npos);
  CHECK(refusal({root, entry("b", k_link, "a")}).find("'a', which it did not give") != std::string::npos);
  CHECK(refusal({root, entry("a", k_link, "b"), entry("b")}).find("'a'") != std::string::npos);
}
