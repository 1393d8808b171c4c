#include "engine/follow/standby_state.hpp"

#include "unit/support.hpp"
#include "util/file.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

const Digest k_snapshot = sha256(std::string_view{"snapshot"});

std::vector<StandbyEntry> entries() {
  const FileStamp stamp{{5, 77}, 4096, -3, 1'700'000'000'123'456'789};
  StandbyEntry root{".", EntryType::directory, std::nullopt, std::nullopt, std::nullopt, {}};
  StandbyEntry file{"a/file", EntryType::file, stamp, KnownExtents{{0, 10, {7, 1, 2}}, {20, 5, {8, 0, 1}}}, {}, {}};
  StandbyEntry empty{"a/empty", EntryType::file, stamp, KnownExtents{}, std::nullopt, {}};
  StandbyEntry unknown{"a/unknown", EntryType::file, std::nullopt, std::nullopt, std::nullopt, {}};
  StandbyEntry spare{std::string{"b\0\xff", 3}, EntryType::file, stamp, KnownExtents{{0, 1, {1, 1, 1}}}, stamp, {}};
  spare.spare->ctime = 4;
  spare.spare_extents = {{0, 10, {7, 1, 2}}};
  return {root, file, empty, unknown, spare};
}

void write(const fs::path& file) {
  StandbyStateWriter writer{file, k_snapshot};
  for (const auto& entry : entries()) writer.add(entry);
  writer.commit();
}

}  // namespace

TEST_CASE("standby state: what was written is read back, entry by entry") {
  const TemporaryDirectory work{temporary_directory()};
  const fs::path file = work.path() / "state";
  CHECK_FALSE(StandbyState::load(file));
  write(file);
  const auto state = StandbyState::load(file);
  REQUIRE(state);
  CHECK(state->snapshot() == k_snapshot);
  for (const auto& entry : entries()) CHECK(state->find(entry.path) == entry);
  CHECK_FALSE(state->find("a"));
  CHECK(state->with_spare() == entries().back());
  // Another one takes its place as a whole.
  StandbyStateWriter{file, Digest{}}.commit();
  CHECK(StandbyState::load(file)->snapshot() == Digest{});
  CHECK_FALSE(StandbyState::load(file)->with_spare());
}

TEST_CASE("standby state: one that was cut off or changed anywhere is none") {
  const TemporaryDirectory work{temporary_directory()};
  const fs::path file = work.path() / "state";
  write(file);
  const Bytes whole = read_file(file);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_file_atomic(file, ByteView{whole}.first(length));
    CHECK_FALSE(StandbyState::load(file));
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] ^= 0x80;
    write_file_atomic(file, changed);
    CHECK_FALSE(StandbyState::load(file));
  }
  Bytes longer = whole;
  longer.push_back(0);
  write_file_atomic(file, longer);
  CHECK_FALSE(StandbyState::load(file));
}
