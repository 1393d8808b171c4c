// What a host is like: its libraries, disks and timers.
#pragma once

#include "engine/doctor/finding.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// version: as "3.40.1". The WAL-reset bug, by which two connections that write and checkpoint at the same moment can
// corrupt a database in WAL mode, is in 3.7.0 to 3.51.2, but for 3.50.7 and 3.44.6 (sqlite.org/wal.html, "The WAL-Reset
// Bug"). It is the applications' own library that matters, which most share with this program.
Finding judge_sqlite(std::string_view version);

// Where files lie: st_dev, and the disk below it as /sys has it; empty where that is not known (btrfs, network).
struct Whereabouts {
  std::uint64_t device = 0;
  std::string disk;
};
// Of the nearest directory that is there. Nothing where that cannot be looked at.
std::optional<Whereabouts> whereabouts_of(const fs::path& path);

// Whether a store that is a directory would go with the source.
Finding judge_separation(const std::string& subject, const Whereabouts& source, const std::string& store,
                         const Whereabouts& place);

struct Room {
  std::uint64_t free = 0;  // for this user
  std::uint64_t size = 0;
  std::uint64_t free_files = 0;
  std::uint64_t files = 0;  // 0: the file system does not count them
};
std::optional<Room> room_of(const fs::path& path);
// Warns where less than a twentieth, or than a GiB, is free; and a problem where nothing is. purpose: "the spool".
Finding judge_room(const std::string& subject, const std::string& purpose, const fs::path& path, const Room& room);

// Of the names of units and the lines of crontabs that there are, whether something runs this program.
Finding judge_timers(const std::vector<std::string>& enabled_units, const std::vector<std::string>& crontabs);
// Units of this program that a target wants, by name; and crontabs with a line that has its name. root: "/".
std::vector<std::string> enabled_units(const fs::path& root);
std::vector<std::string> crontabs_with_program(const fs::path& root);

}  // namespace cairn
