// The bytes of one file of a directory source.
#pragma once

#include "capture/metadata.hpp"
#include "capture/source.hpp"
#include "capture/sqlite/readers.hpp"
#include "util/file.hpp"
#include "util/file_id.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/stat.h>

namespace cairn {

// The state that all files of one capture share. It outlives the source where an opener still refers to it.
struct SourceTree {
  UniqueFd root;         // the directory that entry paths are relative to
  std::string location;  // its path, for messages
  OwnerNames names;
  std::shared_ptr<sqlite::Readers> databases;  // those in it
};

// A regular file. Sparse files give their holes (SEEK_HOLE), rounded inwards to multiples of k_hole_unit. Reads at
// most the size at open(): what is appended meanwhile is not this state, and finish() reports it.
class FileContent : public Content {
 public:
  static constexpr std::uint64_t k_hole_unit = 65536;

  // problem: what is wrong with it (Content::problem()).
  FileContent(UniqueFd fd, std::string shown, const struct stat& opened, ChunkRule rule, std::string problem = {});

  ChunkRule rule() const override { return m_rule; }
  std::uint64_t expected_size() const override { return m_size; }
  Piece read(ByteSpan out) override;
  Outcome finish() override;
  std::string problem() const override { return m_problem; }

 private:
  void find_hole();

  std::string m_problem;
  UniqueFd m_fd;
  std::string m_shown;
  struct stat m_opened;
  ChunkRule m_rule;
  std::uint64_t m_size;
  std::uint64_t m_position = 0;
  // The next hole; [m_position, m_hole_begin) is data. Both are m_size where no hole follows.
  std::uint64_t m_hole_begin = 0;
  std::uint64_t m_hole_end = 0;
  bool m_sparse;
};

// Opens a file by its path below the tree's root. The file found there on opening is the truth: size, times, owner,
// mode and xattrs of the entry follow it. Throws SourceError; its kind is not_found where the name vanished after the
// walk, which is no problem of the capture (the entry is to be left out); where the name holds something else that is
// no file or cannot be opened it is a ReplacedError. A SQLite database is opened as SqliteOpener does it; one that
// SQLite cannot make sense of, and that has neither -wal nor -journal beside it, gives its plain bytes and a problem. A
// database that is busy, or whose locks cannot be seen, never does. One that was busy is waited for with all the time
// there is when it is opened again.
class FileOpener : public ContentOpener {
 public:
  enum class AlwaysRead { no, yes };
  // Whether the entry has its extended attributes already.
  enum class Xattrs { read, unread };
  // id: of the file that the walk saw.
  FileOpener(std::shared_ptr<SourceTree> tree, std::string path, FileId id, AlwaysRead always_read, Xattrs xattrs)
      : m_tree(std::move(tree)), m_path(std::move(path)), m_id(id), m_always_read(always_read), m_xattrs(xattrs) {}

  std::unique_ptr<Content> open(Entry& entry) override;
  bool always_read() const override { return m_always_read == AlwaysRead::yes; }

 private:
  [[noreturn]] void fail_open(const std::string& shown, int error_number) const;
  UniqueFd open_plain(Entry& entry, const std::string& shown, struct stat& status) const;
  std::unique_ptr<Content> open_database(Entry& entry, const std::string& shown, const struct stat& seen);
  bool is_alone() const;

  std::shared_ptr<SourceTree> m_tree;
  std::string m_path;
  FileId m_id;
  AlwaysRead m_always_read;
  Xattrs m_xattrs;
  std::atomic<bool> m_was_busy = false;  // it is opened for a last time
};

}  // namespace cairn
