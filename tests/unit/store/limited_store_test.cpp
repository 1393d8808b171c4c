#include "store/limited_store.hpp"

#include "support/content.hpp"
#include "support/memory_store.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("limited store: all that is read counts, and comes back as it is") {
  RateLimiter::Clock::time_point now{};
  const auto limiter = std::make_shared<RateLimiter>(
      1 << 20, RateLimiter::Tools{[&] { return now; }, [&](std::chrono::nanoseconds d) { now += d; }});
  auto inner = std::make_unique<test::MemoryStore>();
  Bytes bytes(5'000'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  inner->put("packs/a", ObjectBody::from_memory(bytes));
  LimitedStore store{std::move(inner), limiter};
  const auto seconds = [&] { return std::chrono::duration<double>(now.time_since_epoch()).count(); };

  CHECK(store.get("packs/a") == bytes);
  CHECK(seconds() > 4.6);
  CHECK(seconds() < 5.0);
  // Longer than a piece, and past the end.
  const auto part = store.get("packs/a", ByteRange{1000, 10'000'000});
  REQUIRE(part);
  CHECK(*part == Bytes(bytes.begin() + 1000, bytes.end()));
  CHECK(seconds() > 9.3);
  CHECK(store.get("packs/a", ByteRange{10, 5}) == Bytes(bytes.begin() + 10, bytes.begin() + 15));
  CHECK(store.get("packs/a", ByteRange{9'000'000, 3'000'000}) == Bytes{});
  CHECK_FALSE(store.get("packs/b"));
  CHECK_FALSE(store.get("packs/b", ByteRange{0, 3'000'000}));
}
