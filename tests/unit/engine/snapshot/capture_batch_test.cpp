#include "engine/snapshot/capture_batch.hpp"

#include "support/scripted_source.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

CapturedItem item_of(const std::shared_ptr<test::ScriptedItem>& item, bool read) {
  test::ScriptedSource from{{item}};
  CapturedItem out{*from.next()};
  out.read = read;
  return out;
}

CapturedItem file(std::uint64_t size, bool read) {
  CapturedItem out = item_of(test::scripted_file("a", "x"), read);
  out.source.entry.size = size;
  return out;
}

}  // namespace

TEST_CASE("capture batch: it is full by bytes and files to be read, by items, and by extents that it holds") {
  CaptureBatch batch;
  CHECK(batch.empty());
  batch.add(file(CaptureBatch::k_bytes - 1, true));
  CHECK_FALSE(batch.full());
  batch.add(file(CaptureBatch::k_bytes, false));
  CHECK_FALSE(batch.full());
  batch.add(file(1, true));
  CHECK(batch.full());
  CHECK(batch.take()->size() == 3);
  CHECK(batch.empty());
  CHECK_FALSE(batch.full());

  for (std::size_t i = 0; i < CaptureBatch::k_files - 1; ++i) batch.add(file(0, true));
  CHECK_FALSE(batch.full());
  batch.add(file(0, true));
  CHECK(batch.full());
  batch.take();

  for (std::size_t i = 0; i < CaptureBatch::k_items - 1; ++i) batch.add(file(0, false));
  CHECK_FALSE(batch.full());
  batch.add(file(0, false));
  CHECK(batch.full());
  CHECK_FALSE(batch.has_work());
  batch.take();

  CapturedItem scattered = file(0, false);
  scattered.reuse.push_back({1, std::vector<LocalExtent>(CaptureBatch::k_extents)});
  batch.add(std::move(scattered));
  CHECK(batch.full());
}

TEST_CASE("capture batch: files are read whole, and what fails with one is noted there") {
  const auto good = test::scripted_file("good", "text");
  const auto denied = test::scripted_file("denied", "text");
  denied->failures = {ErrorKind::failed};
  const auto gone = test::scripted_file("gone", "text");
  gone->failures = {ErrorKind::not_found};
  const auto locked = test::scripted_file("locked", "text");
  locked->failures = {ErrorKind::busy};
  const auto large = test::scripted_file("large", std::string(k_small_file + 1, 'x'));
  const auto known = test::scripted_file("known", "text");
  CaptureBatch::Items items;
  for (const auto& each : {good, denied, gone, locked, large}) items.push_back(item_of(each, true));
  items.push_back(item_of(known, false));
  read_batch(items);
  CHECK(items[0].failure.empty());
  CHECK(items[0].content.size == 4);
  REQUIRE(items[0].content.segments.size() == 1);
  CHECK(items[0].content.segments[0].digests == std::vector{sha256("text")});
  CHECK(items[1].failure == "unable to open denied");
  CHECK_FALSE(items[1].lost_name());
  CHECK(items[2].vanished);
  CHECK(items[2].lost_name());
  CHECK(items[3].locked);
  CHECK(items[4].content.too_large);
  CHECK(known->opened == 0);
}
