// A database with its crew, and captures of it that are checked one by one.
#pragma once

#include "crew.hpp"
#include "subject.hpp"

#include <map>
#include <string>

namespace cairn::hammer {

enum class AutoVacuum : int { none, full, incremental };

struct Settings {
  int page_size = 4096;
  AutoVacuum auto_vacuum = AutoVacuum::none;
  std::string journal_mode = "wal";
  std::string checkpoints = "auto";  // by commits; "none", or a mode that another process runs all the time
  bool synchronous = false;
  bool deaths = true;
  bool vacuum = true;
  // Zeros up to so many pages before the page of the lock bytes at 1 GiB, which the rows then grow beyond; 0: none.
  int pages_before_lock_page = 0;
  // In WAL mode: the header of the main file says "rollback journal" all the time, as that of a copy by VACUUM INTO
  // does which somebody puts in the place of a database in use. Its log counts all the same.
  bool rollback_header = false;
  std::uint64_t seed = 0;

  std::string name() const;
};

// Figures of many captures.
struct Tally {
  int captures = 0;
  int wrong = 0;
  int refused = 0;  // of these: the capture gave no image
  int busy = 0;     // attempts that got no turn, each made again
  int restarted = 0;
  std::int64_t commits = 0;  // during the captures
  std::uint64_t bytes = 0;
  double slowest = 0;  // seconds
  std::map<std::string, int> modes;
  Tally& operator+=(const Tally& other);
};

// Whether this process may become other users: captures are made as root, the application is another user then, and
// the stranger a third.
bool can_change_user();

class Trial {
 public:
  // Makes the database in a directory of its own, and starts its crew.
  Trial(const fs::path& parent, Settings settings);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  // A capture that got its turn, and whether it is exactly one committed state. Says on standard output what is wrong.
  Tally capture(Kind kind, Plant plant = Plant::nothing);
  // Ends the application; the database must be in order. Gives the number of its faults, and those of its processes.
  int finish();

  int deaths() const { return m_crew.deaths(); }
  std::uint64_t checkpoints() const { return m_floor->checkpoints; }
  std::int64_t commits() const { return m_floor->log.newest_commit(); }
  // Of the last image.
  std::uint64_t image_size() const { return m_image_size; }

 private:
  Workplace workplace() const;
  fs::path make_database();
  void set_scene(Kind kind);
  void change_header() const;
  // Empty where all is well.
  std::string judge(const Account& account, const fs::path& image);
  std::string files_of_others() const;

  const Settings m_settings;
  const uid_t m_application;
  TemporaryDirectory m_directory;
  std::unique_ptr<Floor, void (*)(Floor*)> m_floor;
  fs::path m_database;
  Crew m_crew;
  std::uint64_t m_image_size = 0;
};

}  // namespace cairn::hammer
