// Which pages of a database its write-ahead log overlays.
#pragma once

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/format.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::sqlite {

struct OverlayPage {
  std::uint32_t page;   // from 1
  std::uint32_t frame;  // from 1: the newest one of the page
};

// The newest frame of each page among the committed ones after `backfilled`, ascending by page; pages behind the end of
// the database are left out. backfilled is at most the index's max_frame. The log must be the index's, hold all of the
// frames, and its running checksum must arrive at the one that the index has: else throws SourceError. Memory follows
// the log's real length, whatever the index says.
std::vector<OverlayPage> read_overlay(const SqliteFile& log, const WalIndexHeader& index, std::uint32_t backfilled);

// Throws SourceError: "unable to read 'LOG': WHAT".
[[noreturn]] void fail_log(const SqliteFile& log, const std::string& what);

}  // namespace cairn::sqlite
