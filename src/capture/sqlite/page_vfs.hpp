// SQLite on bytes that somebody hands over: no file is opened by it, and nothing can be written through it.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn::sqlite {

class PageSupply {
 public:
  PageSupply() = default;
  PageSupply(const PageSupply&) = delete;
  PageSupply& operator=(const PageSupply&) = delete;
  virtual ~PageSupply() = default;
  // Fills all of `to` with the bytes of a database (its number) from offset on. False where they cannot be had: then
  // SQLite fails with SQLITE_IOERR.
  virtual bool read(std::size_t database, std::uint64_t offset, ByteSpan to) noexcept = 0;
};

// While it lives, SQLite has a VFS of that name in which the databases are the files "0", "1" and so on, with as many
// bytes as `sizes` says. They never change (SQLITE_IOCAP_IMMUTABLE): SQLite takes no lock, looks for no journal, and
// reads a database in WAL mode without its log, which a snapshot has none of. No other file is there. One at a time in
// a process, used by one thread; `supply` outlives it.
class PageVfs {
 public:
  PageVfs(PageSupply& supply, std::vector<std::uint64_t> sizes);
  PageVfs(const PageVfs&) = delete;
  PageVfs& operator=(const PageVfs&) = delete;
  ~PageVfs();

  const char* name() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace cairn::sqlite
