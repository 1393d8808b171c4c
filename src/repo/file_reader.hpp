// The content of one file of a snapshot, from any place in it.
#pragma once

#include "repo/content_runs.hpp"
#include "repo/entry.hpp"
#include "repo/entry_list_text.hpp"
#include "repo/snapshot_frames.hpp"
#include "repo/tree_index.hpp"
#include "util/bytes.hpp"
#include "util/lru.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace cairn {

// Every byte that is returned was held against the digest of its chunk; holes are zeros. Thread-safe, but for threads
// of the frames' pools.
class FileReader {
 public:
  // file: of type file, as index found it (who has a hard link looks for its target). frames and index are of the same
  // snapshot, and outlive the reader. Error(usage) where it is no file.
  FileReader(SnapshotFrames& frames, const TreeIndex& index, IndexedEntry file);

  const Entry& entry() const noexcept { return m_file.entry; }
  std::uint64_t size() const noexcept { return m_file.entry.size; }

  // The bytes from offset on: as many as asked for, and fewer only at the end of the file. Error(damaged) naming the
  // file, Error(no_key), StoreError: then nothing of the range is returned, and it may be asked for again.
  Bytes read_at(std::uint64_t offset, std::uint64_t length);
  // Tells that the range will soon be read: its frames are on their way when this returns. What is damaged is told by
  // who reads it; else it throws what read_at() does.
  void expect(std::uint64_t offset, std::uint64_t length);

 private:
  // So many parts of a file are found, and kept, together.
  struct Group {
    std::uint64_t offset = 0;  // in the file
    ListPosition at;           // of its first line
    std::uint64_t parts = 0;
  };
  // In which no chunk is far from the beginning.
  using Runs = std::vector<ContentRun>;
  struct Piece {
    FrameId frame;
    std::uint32_t chunk;
    std::uint64_t in_chunk;
    std::uint64_t to;  // in what is read
    std::uint64_t length;
  };

  Bytes read(std::uint64_t offset, std::uint64_t end);
  std::vector<Piece> pieces_between(std::uint64_t offset, std::uint64_t end);
  std::size_t group_at(std::uint64_t offset);
  void find_group();
  std::uint64_t end_of(std::size_t group);
  std::shared_ptr<const Runs> runs_of(std::size_t group);
  Runs place(const Group& group);
  void pieces_of(const ContentRun& run, std::uint64_t begin, std::uint64_t end, std::vector<Piece>& out);
  void copy(const std::vector<Piece>& pieces, Bytes& to);

  SnapshotFrames& m_frames;
  const EntryListText& m_text;
  IndexedEntry m_file;
  std::mutex m_mutex;           // of the rest
  std::vector<Group> m_groups;  // that were found so far, from the beginning of the file
  Group m_next;                 // the one that follows them: its parts are those that are left
  Lru<std::size_t, std::shared_ptr<const Runs>> m_runs;
};

}  // namespace cairn
