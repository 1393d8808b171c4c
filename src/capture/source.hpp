// The source of a capture: a stream of entries, each file with a content that is read from begin to end. There are
// sources that can be walked and opened as the reader likes, and streams that pass by once. directory, sqlite and
// command implement it; the snapshotter reads it, and diff what is reopenable.
#pragma once

#include "capture/source_kind.hpp"
#include "repo/entry.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

// How content is cut into chunks.
struct ChunkRule {
  enum class Kind {
    fixed,   // aligned chunks of `size` bytes (page files); a power of two from 4096 to 65536
    files,   // content-defined, for ordinary files
    stream,  // content-defined, small average, for dump streams
  };
  Kind kind = Kind::files;
  std::uint32_t size = 0;
};

// The name holds something else by now than the walk saw, and that cannot be read: it says nothing of what the walk
// saw, which may have other names.
class ReplacedError : public SourceError {
 public:
  using SourceError::SourceError;
};

// One file's bytes, opened. Used by one thread at a time, from begin to end. The destructor releases everything (a
// SQLite read transaction too) whether or not the end was reached.
class Content {
 public:
  Content() = default;
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  virtual ~Content() = default;

  virtual ChunkRule rule() const = 0;
  // The probable size; 0 where unknown. For choosing a strategy and for progress only.
  virtual std::uint64_t expected_size() const = 0;

  struct Piece {
    enum class Kind { data, hole, end };
    Kind kind = Kind::end;
    std::uint64_t length = 0;  // data: bytes now in the buffer (at least 1, less than asked only before a hole, the
                               // end, or on a stream's last read); hole: bytes that are zero and take no space
  };
  // Fills out from its beginning. Holes start and end at multiples of 65536 (or at the end of the file). Throws
  // SourceError where the source cannot be read.
  virtual Piece read(ByteSpan out) = 0;

  // After the end: checks that what was read is one state (the file did not change meanwhile, the producer exited 0).
  // Changed: the file was written while it was read; the caller reads it again or reports it.
  enum class Outcome { consistent, changed };
  virtual Outcome finish() = 0;

  // The reason why the snapshot is incomplete although there is content, as a message; empty: there is none.
  virtual std::string problem() const { return {}; }

  // Facts worth recording, JSON members without braces ("" where none), for example of SQLite: page_size,
  // user_version, how long the WAL was pinned. After finish().
  virtual std::string facts() const { return {}; }
};

// A file's content, not opened yet. Of a reopenable source open() may be called from any thread, and again for a second
// try; of a sequential one as SourceAccess says.
class ContentOpener {
 public:
  ContentOpener() = default;
  ContentOpener(const ContentOpener&) = delete;
  ContentOpener& operator=(const ContentOpener&) = delete;
  virtual ~ContentOpener() = default;
  // Throws SourceError. May update the entry from the opened file (size, times: fstat is truth, the walk was a hint).
  virtual std::unique_ptr<Content> open(Entry& entry) = 0;
  // A second name or read path for the unchanged test: true where the content must always be read (a database with a
  // -wal, --reread).
  virtual bool always_read() const { return false; }
};

struct SourceItem {
  Entry entry;
  std::shared_ptr<ContentOpener> content;  // null for anything but a regular file
  bool has_links = false;                  // of a regular file: entries that follow may be hard links to it
  // Of a hard link to a regular file: opens this name as a file of its own (and fills in all of the entry but path and
  // type), for where the entry that it links to is left out, or is another file by the time it is opened.
  std::shared_ptr<ContentOpener> as_file = nullptr;
};

// A failure on one path that leaves the snapshot incomplete (exit 3), not failed.
struct SourceProblem {
  std::string path;  // as in the entry, or what the user named
  std::string message;
};

enum class SourceShape {
  tree,  // a directory "." and what is below it
  file,  // one file, the only entry
};

enum class SourceAccess {
  // Entries come in path order (compare_paths). Contents may be opened at any time, side by side and more than once.
  reopenable,
  // A stream that passes by once, as a base backup that a server sends. Entries come in an order of their own, those
  // that belong first in the list perhaps last: but each path once, and a hard link after the file that it links to,
  // whose path must sort before its own. A content can be opened once, before the next call of next(), which passes
  // over what was not read of it. Nothing of it is compared with the previous snapshot by path.
  sequential,
};

// The facts of a source that are known when all of it was read.
struct SourceEnd {
  // The instant whose state the snapshot holds: begin of a directory walk, read transaction of a database, start of a
  // command, end of a base backup.
  Time cut_point;
  // Facts of a tree that are worth recording: JSON members without braces, "" where there are none. Those of a single
  // file are its content's.
  std::string facts = {};
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual SourceKind kind() const = 0;
  virtual SourceShape shape() const = 0;
  virtual SourceAccess access() const = 0;
  virtual std::string location() const = 0;  // real path or the command's name; goes into the record's facts
  // Bytes that a first look finds, for the pack size and progress; 0 where unknown. May walk; called once, first.
  virtual std::uint64_t estimate() { return 0; }

  // The next entry (in which order: access()), nothing at the end. Throws SourceError only for what ends the whole
  // capture; what one path alone suffers is collected in problems(). Called by one thread.
  virtual std::optional<SourceItem> next() = 0;
  // Once, after next() gave nothing and the last content was let go: ends the source, and says what is known only then.
  // Throws SourceError where what was read is no whole state; nothing is committed then.
  virtual SourceEnd finish() = 0;
  // Complete when next() gave nothing; of a sequential source after finish().
  virtual const std::vector<SourceProblem>& problems() const = 0;
};

}  // namespace cairn
