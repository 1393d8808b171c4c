#include "engine/doctor/host_findings.hpp"

#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <system_error>

namespace cairn {

namespace {

using Version = std::array<int, 3>;

std::optional<Version> version_of(std::string_view text) {
  Version out{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, out[i]);
    if (error != std::errc{}) return std::nullopt;
    at = next;
    if (i + 1 < out.size()) {
      if (at == end || *at != '.') return std::nullopt;
      ++at;
    }
  }
  return out;
}

bool resets_wal_soundly(const Version& version) {
  if (version < Version{3, 7, 0} || version >= Version{3, 51, 3}) return true;
  const auto is_mended = [&](const Version& first) {
    return version[0] == first[0] && version[1] == first[1] && version >= first;
  };
  return is_mended({3, 50, 7}) || is_mended({3, 44, 6});
}

// The disk that a block device is on, or is made of; its own name where it is a disk.
std::string disk_of(const fs::path& device, int depth = 0) {
  std::error_code ignored;
  const fs::path real = fs::canonical(device, ignored);
  if (ignored) return {};
  if (fs::exists(real / "partition", ignored)) return real.parent_path().filename().native();
  std::vector<fs::path> below;
  for (const auto& entry : fs::directory_iterator{real / "slaves", ignored}) below.push_back(entry.path());
  // Of several nobody can say that it goes with one.
  if (below.size() == 1 && depth < 8) return disk_of(below.front(), depth + 1);
  return below.empty() ? real.filename().native() : std::string{};
}

constexpr std::uint64_t k_little = 1ULL << 30;

}  // namespace

Finding judge_sqlite(std::string_view text) {
  const auto version = version_of(text);
  if (!version)
    return {Severity::note, "host", fmt::format("SQLite has version {}, which is not known", quote(std::string{text})),
            ""};
  if (resets_wal_soundly(*version)) return {Severity::good, "host", fmt::format("SQLite {}", text), ""};
  return {Severity::note, "host",
          fmt::format("SQLite {} has the WAL-reset bug: where several processes write a database in WAL mode, it may "
                      "become corrupt",
                      text),
          "applications need 3.51.3 or later (or 3.50.7, 3.44.6); drills tell of a corrupt database"};
}

std::optional<Whereabouts> whereabouts_of(const fs::path& path) {
  fs::path at = path;
  struct stat status {};
  while (::stat(at.c_str(), &status) != 0) {
    if (!at.has_relative_path()) return std::nullopt;
    at = at.parent_path();
  }
  const dev_t device = status.st_dev;
  return Whereabouts{device, disk_of(fmt::format("/sys/dev/block/{}:{}", ::major(device), ::minor(device)))};
}

Finding judge_separation(const std::string& subject, const Whereabouts& source, const std::string& store,
                         const Whereabouts& place) {
  const std::string fix = fmt::format("push to a store elsewhere: push_to; or put {} on another disk", quote(store));
  if (source.device == place.device) {
    return {Severity::warning, subject, fmt::format("store {} is on the same file system", quote(store)), fix};
  }
  if (!source.disk.empty() && source.disk == place.disk) {
    return {Severity::warning, subject, fmt::format("store {} is on the same disk, {}", quote(store), source.disk),
            fix};
  }
  // A mounted network is a file system without a disk here.
  if (place.disk.empty()) {
    return {Severity::good, subject, fmt::format("store {} is on another file system", quote(store)), ""};
  }
  return {Severity::note, subject, fmt::format("store {} is on another disk of this host", quote(store)),
          "a store elsewhere survives the host, too: push_to"};
}

std::optional<Room> room_of(const fs::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return std::nullopt;
  return Room{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
              static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize, status.f_favail, status.f_files};
}

Finding judge_room(const std::string& subject, const std::string& purpose, const fs::path& path, const Room& room) {
  const std::string where = fmt::format("{} {}", purpose, quote(path.native()));
  const std::string fix = "free some space there, or have it elsewhere";
  if (room.files != 0 && room.free_files == 0) {
    return {Severity::problem, subject, fmt::format("{} has no inode left", where), fix};
  }
  // Some file systems have no size (ramfs); they are not full.
  if (room.size == 0) return {Severity::good, subject, where, ""};
  const std::string text = fmt::format("{} has {} of {} free", where, format_size(room.free), format_size(room.size));
  if (room.free == 0) return {Severity::problem, subject, text, fix};
  const bool little = room.free < room.size / 20 || (room.free < k_little && room.size > 4 * k_little);
  return {little ? Severity::warning : Severity::good, subject, text, little ? fix : ""};
}

Finding judge_timers(const std::vector<std::string>& units, const std::vector<std::string>& crontabs) {
  if (!units.empty()) return {Severity::good, "host", fmt::format("{} is enabled", units.front()), ""};
  if (!crontabs.empty()) return {Severity::good, "host", fmt::format("{} runs it", quote(crontabs.front())), ""};
  return {Severity::warning, "host", "no timer and no crontab of this host runs cairn",
          "systemctl enable --now cairn-run.timer"};
}

std::vector<std::string> enabled_units(const fs::path& root) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& wanted : fs::directory_iterator{root / "etc/systemd/system", ignored}) {
    if (wanted.path().extension() != ".wants") continue;
    for (const auto& unit : fs::directory_iterator{wanted.path(), ignored}) {
      const std::string name = unit.path().filename().native();
      if (name.starts_with("cairn")) out.push_back(name);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> crontabs_with_program(const fs::path& root) {
  std::vector<fs::path> files{root / "etc/crontab"};
  std::error_code ignored;
  for (const char* directory :
       {"etc/cron.d", "var/spool/cron/crontabs", "var/spool/cron", "etc/cron.hourly", "etc/cron.daily"}) {
    for (const auto& entry : fs::directory_iterator{root / directory, ignored}) {
      if (entry.is_regular_file(ignored)) files.push_back(entry.path());
    }
  }
  std::vector<std::string> out;
  for (const auto& file : files) {
    std::ifstream in{file};
    for (std::string line; std::getline(in, line);) {
      const auto begin = line.find_first_not_of(" \t");
      if (begin == std::string::npos || line[begin] == '#') continue;
      if (line.find("cairn") == std::string::npos) continue;
      out.push_back(file.native());
      break;
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace cairn
