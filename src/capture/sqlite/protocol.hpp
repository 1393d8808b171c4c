// The messages between this program and the child that reads databases for it (reader_main.hpp). Pure: messages to
// bytes and back. Decoders believe no number and throw Error(failed) on nonsense; whoever broke into the child may send
// anything.
#pragma once

#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/file_id.hpp"
#include "util/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace cairn::sqlite {

// To the child. With it goes one descriptor, the directory (O_PATH is enough); or, where the child could not open the
// files by itself, one of the database and one each of the -wal and -journal that there are, open for reading. With
// Reach::check comes one descriptor of a database at rest, which is not to be held but checked.
struct OpenRequest {
  enum class Reach { by_name, by_descriptor, check };
  Reach reach = Reach::by_name;
  std::string name;                       // of the database in the directory
  FileId file;                            // what has to lie there
  std::string shown;                      // the path, for messages
  std::chrono::milliseconds patience{0};  // how long to wait for locks
  bool assume_local = false;
  bool has_wal = false;      // by_descriptor
  bool has_journal = false;  // by_descriptor
  // Give up (Failed::Cause::unreachable) rather than read with less than full rights to -shm: another identity may have
  // them.
  bool demanding = false;
  // Not to read it: by_name, bring all that is committed into the main file, and let nobody else in (settle.hpp).
  bool settle = false;
  // With Reach::check: everything that can be found out, and not the soundness of the pages alone.
  bool thorough = false;
  // Not to read it: by_name, a second descriptor is that of an image, all of whose pages go into it as one transaction
  // (live_write.hpp). It is answered by CheckProgress, Committed and LogCopied; any message before Committed gives it
  // up.
  bool write_live = false;
};

// From the child: the database is held.
struct Opened {
  enum class Kind {
    empty,    // no pages
    overlay,  // in place: descriptors of the database and, where pages are overlaid, of the log and of the list of them
    staged,   // copied into the temporary file that was asked for first
  };
  Kind kind = Kind::empty;
  std::string mode;              // as in the facts: "wal", "backup", "staged"
  std::uint32_t page_size = 0;   // overlay
  std::uint64_t page_count = 0;  // overlay
  std::uint64_t overlaid = 0;    // overlay: pages in the list, each two 32-bit numbers, page and frame
  Bytes first_page_begin;        // staged: replaces the beginning of page 1, if not empty
  Time cut_point;
  Nanoseconds commits_blocked{0};
  Nanoseconds pinned{0};  // staged: how long the log could not be reset
  std::string schema_digest;
  Nanoseconds waited{0};  // for locks
};

// From the child: there is nothing to be had.
struct Failed {
  enum class Cause {
    other,
    content,      // the bytes are no database, or a damaged one
    unreachable,  // this identity may not open what it takes
    no_space,     // the disk is full
  };
  Cause cause = Cause::other;
  ErrorKind kind = ErrorKind::failed;
  std::string message;
  std::string hint;
  Nanoseconds waited{0};
};

// From the child: a file without a name is wanted, for a copy, into which altogether so many bytes will go. It is
// answered by a descriptor, or by an empty message text that says why there is none.
struct TemporaryWanted {
  std::uint64_t bytes = 0;
};

// From the child, after a release was asked for.
struct Released {
  bool stood_still = false;
  Nanoseconds pinned{0};
};

// From the child: the database is settled, until the child ends.
struct Settled {};
// From the child, to Reach::check: so many bytes were read since it told last; and what it found.
struct CheckProgress {
  std::uint64_t bytes = 0;
};
// From the child, to a thorough check, before it says what it found: one thing that the database holds.
struct CheckedItem {
  enum class Kind {
    table,       // number: its rows
    element,     // of the schema: "table t", "column t.a TEXT", "index i on t"
    broken_key,  // "t -> p"; number: rows of t that refer to nothing in p
    counter,     // what only ever grows: "change counter", "sequence of t"
    bad_schema,  // keys that lead to what cannot be referred to
  };
  Kind kind = Kind::element;
  std::string name;  // any bytes, at most k_longest_name of them
  std::uint64_t number = 0;

  static constexpr std::size_t k_longest_name = 1000;
};
struct Checked {
  enum class Verdict {
    sound,
    broken,
    unknown,  // this SQLite cannot tell
  };
  Verdict verdict = Verdict::sound;
  std::string message;        // why, unless it is sound
  std::string schema_digest;  // schema.hpp; of a sound one
};

// From the child, to write_live: the database is what the image is.
struct Committed {
  Nanoseconds blocked{0};       // so long nobody else could write
  std::uint64_t log_bytes = 0;  // that the log has, where there is one
};
// From the child, after Committed: it is through.
struct LogCopied {
  bool whole = true;  // all that the log had is in the main file
};

using Reply = std::variant<Opened, Failed, TemporaryWanted, Released, Settled, CheckProgress, CheckedItem, Checked,
                           Committed, LogCopied>;

Bytes encode(const OpenRequest& request);
Bytes encode(const Reply& reply);
OpenRequest decode_request(ByteView bytes);
Reply decode_reply(ByteView bytes);

}  // namespace cairn::sqlite
