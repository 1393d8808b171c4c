// The steps of a restore in the order in which they are carried out: entries, and of each file what is written where.
// They wait on disk, so that memory does not grow with the number of files; what is small stays in memory.
#pragma once

#include "codec/digest.hpp"
#include "engine/restore/local_files.hpp"
#include "repo/entry.hpp"
#include "util/file_id.hpp"
#include "util/spool_file.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace cairn {

// A restore does one of these to the name of an entry.
enum class EntryAction : std::uint8_t {
  create,    // nothing has it at the target
  change,    // what has it gives way to what was made anew
  metadata,  // what has it stays, and gets what the snapshot says of it besides its content
  keep,      // what has it stays as it is: nothing differs, or it is a directory that only leads to what was asked for
};

struct PlannedEntry {
  Entry entry;  // as it is to be: owners are this host's; ctime, inode and names of owners are left out
  EntryAction action = EntryAction::create;
  // Else it is a directory that only leads to what was: one that comes to be there meanwhile stays as it is.
  bool asked_for = true;
  // Of what is no directory and stays, or may (RestoreSteps::settle()): how it was when that was decided.
  LocalFiles::Id seen = LocalFiles::k_none;
  // The action that it gets where it may stay.
  EntryAction if_settled = EntryAction::create;
};

// A name at the target that the snapshot does not have.
struct PlannedRemoval {
  std::string path;
  bool directory = false;
  // Something of the snapshot takes the place of it, or of a directory above it.
  bool in_the_way = false;
  FileId id;
  bool operator==(const PlannedRemoval&) const = default;
};

// Neighbouring chunks of a pack, as extents name it.
struct ChunkRange {
  std::uint64_t pack = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const ChunkRange&) const = default;
};

// The steps that the content of a file takes. What no step writes is a hole, unless the file begins as a local one.

// The first step of a file: it begins as a copy of a local file, as a whole, where that costs nothing. The other steps
// say of each byte of it where it comes from.
struct LocalBase {
  LocalFiles::Id file = LocalFiles::k_none;
  bool operator==(const LocalBase&) const = default;
};
// The bytes are those of a local file, from there on.
struct LocalWrite {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t length = 0;
  LocalFiles::Id file = LocalFiles::k_none;
  std::uint64_t from = 0;  // offset there
  // Of the bytes, where they may have become others without a trace; they are few enough to be held in memory.
  std::optional<Digest> digest = std::nullopt;
  bool operator==(const LocalWrite&) const = default;
};
// Zeros that take no space.
struct PlannedHole {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t length = 0;
  bool operator==(const PlannedHole&) const = default;
};

// Where the bytes are is known. They need not be of one frame.
struct PlannedWrite {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t length = 0;
  ChunkRange source;
  bool operator==(const PlannedWrite&) const = default;
};
// The pending steps that follow begin there. Before the first of them.
struct PendingBegin {
  std::uint64_t offset = 0;
  bool operator==(const PendingBegin&) const = default;
};
// Chunks whose lengths are not known yet: their pack is fetched whole and its directory comes with it, or that could
// not be read. They begin where the pending step before them ends. After the first one all steps of a file are pending.
struct PendingWrite {
  ChunkRange source;
  bool operator==(const PendingWrite&) const = default;
};
struct PendingHole {
  std::uint64_t length = 0;
  bool operator==(const PendingHole&) const = default;
};
// The pending step before it, the last of a part, must end there; else the file is damaged.
struct PendingCheck {
  std::uint64_t end = 0;
  bool operator==(const PendingCheck&) const = default;
};
// The writes between the two are brought into the order of their packs (order_by_pack()) once they are all known.
struct PackOrderBegin {
  bool operator==(const PackOrderBegin&) const = default;
};
struct PackOrderEnd {
  bool operator==(const PackOrderEnd&) const = default;
};
// The file is damaged and will not be restored. The last step of its content.
struct DamagedContent {
  std::string message;
  bool operator==(const DamagedContent&) const = default;
};
using ContentStep = std::variant<PlannedWrite, PendingBegin, PendingWrite, PendingHole, PendingCheck, PackOrderBegin,
                                 PackOrderEnd, DamagedContent, LocalBase, LocalWrite, PlannedHole>;

// Written once from the beginning, then read back, as often as wanted. Hard links are read back after all other
// entries, whenever they were added: what they lead to is there by then. Removals are read for themselves. One thread.
// Throws Error(failed) where the spool cannot be written.
class RestoreSteps {
 public:
  // directory: where a file without a name is made when there is too much for memory; not before.
  explicit RestoreSteps(const fs::path& directory);

  void add_entry(const PlannedEntry& planned);
  // Of the last entry, a file.
  void add_step(const ContentStep& step);
  // Takes back the last entry but for hard links, with its content.
  void retract();
  void add_removal(const PlannedRemoval& removal);
  // Names entries that stay after all, which is known only when all others are: each has its if_settled from then on,
  // and no content.
  void settle(std::set<std::string> paths) { m_settled = std::move(paths); }
  // Names files that turned out not to be restored: what has their name at the target stays, and with it what lies
  // below and the logs of a database. Removals of those are none from then on. Returns how many that are.
  std::uint64_t spare(std::set<std::string> paths);

  void rewind();
  // Nothing at the end. What is left of the content of the entry before is skipped.
  std::optional<PlannedEntry> next_entry();
  // Of the last entry; nothing where it has no more.
  std::optional<ContentStep> next_step();
  // In the order in which they were added: what a directory holds comes before it.
  std::optional<PlannedRemoval> next_removal();

  // Bytes that they take.
  std::uint64_t size() const noexcept { return m_entries.size() + m_links.size() + m_removals.size(); }

 private:
  bool is_spared(const PlannedRemoval& removal) const;
  PlannedEntry read_entry(SpoolFile& from, std::uint64_t& at);
  void read_record(SpoolFile& from, std::uint64_t& at);
  bool skip_step();

  Bytes m_record;  // what is written or read: kept for its room
  SpoolFile m_entries;
  SpoolFile m_links;
  SpoolFile m_removals;
  std::set<std::string> m_settled;
  std::set<std::string> m_spared;
  std::uint64_t m_last_entry = 0;  // where the last entry begins
  std::uint64_t m_entry_at = 0;    // read so far
  std::uint64_t m_link_at = 0;
  std::uint64_t m_removal_at = 0;
  bool m_stays = false;  // the entry that was read last was settled: its content is none
};

}  // namespace cairn
