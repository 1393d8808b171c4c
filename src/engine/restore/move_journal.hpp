// Moves names from staging into a directory tree that is there, such that all of it can be taken back.
#pragma once

#include "engine/restore/mended_directories.hpp"
#include "util/file.hpp"
#include "util/file_id.hpp"
#include "util/spool_file.hpp"

#include <cstdint>
#include <string>

namespace cairn {

// The outcome of undo().
struct Undone {
  std::uint64_t moved = 0;  // names that had been moved
  std::uint64_t left = 0;   // of those: that could not be put back
  std::string first;        // of the ones that are left: its path, and why
  // Something that was at the target lies in staging and could not be put back.
  bool kept_in_staging = false;
};

// One thread. What was there changes places with what comes (RENAME_EXCHANGE), and waits in staging under the name of
// what came; where the file system cannot do that, a second name for it is made there (link(2)) before it is replaced;
// where it cannot do that either, it is replaced for good. The record of it waits on disk, if it is long.
class MoveJournal {
 public:
  // The two roots, open as long as this lives. spool: where a long record goes.
  MoveJournal(int staging, int target, const fs::path& spool);

  // The calls that follow work in the directories at that path ("." or "a/b") of the two roots, which are open until
  // the next call. Keeps the times of the target's.
  void enter(const std::string& path, int from, int to);
  // Moves the name. 0, or errno: then nothing was moved. Never moves a directory to where something is, and never
  // something away that is a directory.
  int place(const std::string& name);
  // The caller renamed something in the target's directory.
  void note_renamed(const std::string& from, const std::string& to);

  // Last move first; then gives the directories their times back. Goes on after what fails.
  Undone undo() noexcept;

 private:
  enum class Kind : std::uint8_t {
    directory,  // entered: first is its path; id and times are of the target's
    created,    // the name had nothing; id is of what was moved there, as in the three that follow
    exchanged,  // what was there has the name in staging
    linked,     // what was there has the second name in staging
    replaced,   // what was there is gone
    renamed,    // in the target: from the first name to the second
  };
  struct Record {
    Kind kind = Kind::directory;
    std::string first;
    std::string second;
    FileId id;
    std::uint64_t directory = 0;  // where the record of the directory begins
    struct timespec times[2] = {};
  };
  // Two open directories of the same path.
  struct Pair {
    UniqueFd from;
    UniqueFd to;
  };

  void add(const Record& record);
  Record moving(Kind kind, const std::string& name, const FileId& id) const;
  Record read(std::uint64_t at, std::uint64_t end);
  int replace(const std::string& name, const FileId& id);
  int replace_without_exchange(const std::string& name, const FileId& id);
  void undo_all(Undone& undone);
  std::string put_back(const Record& move, const Pair& directories, bool& kept_in_staging);

  int m_staging;
  int m_target;
  int m_from = -1;
  int m_to = -1;
  SpoolFile m_records;
  std::uint64_t m_directory = 0;  // where the record of the one that was entered begins
};

}  // namespace cairn
