// A database that a child process holds or has copied, read by the descriptors that it gave.
//
// Nothing but locks needs SQLite while the pages are read: the child keeps them, and what is read here are bytes of
// regular files, checked as any others. So no page is copied from process to process.
#pragma once

#include "capture/sqlite/image.hpp"
#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/wal_overlay.hpp"
#include "util/file.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn::sqlite {

// Lets go of the database, and says whether it stood still; called once at most. Destroyed uncalled, it lets go, too.
class DatabaseHold {
 public:
  DatabaseHold() = default;
  DatabaseHold(const DatabaseHold&) = delete;
  DatabaseHold& operator=(const DatabaseHold&) = delete;
  virtual ~DatabaseHold() = default;
  virtual Released release() = 0;
};

class CapturedImage : public PageImage {
 public:
  // descriptors: as Opened::kind says. Throws SourceError where they or the numbers are not what they should be.
  CapturedImage(const Opened& opened, std::vector<UniqueFd> descriptors, FileId database, std::string shown,
                std::unique_ptr<DatabaseHold> hold);

  std::uint32_t page_size() const override { return m_page_size; }
  std::uint64_t page_count() const override { return m_page_count; }
  void read(std::uint64_t first, ByteSpan out) override;
  Hole next_hole(std::uint64_t first) override;
  bool release() override;
  const Report& report() const override { return m_report; }

 private:
  void take_overlay(const Opened& opened, const UniqueFd& list);
  void take_copy(const Opened& opened);
  void read_main(std::uint64_t first, ByteSpan out);
  [[noreturn]] void fail(const std::string& what) const;

  std::string m_shown;
  std::unique_ptr<DatabaseHold> m_hold;
  UniqueFd m_main;
  UniqueFd m_log;
  std::uint32_t m_page_size = 4096;
  std::uint64_t m_page_count = 0;
  std::uint64_t m_main_size = 0;
  bool m_live = false;  // pages that a writer allocated and never wrote are zeros; else all of it has to be there
  bool m_sparse = false;
  std::vector<OverlayPage> m_overlay;
  std::size_t m_next = 0;  // first overlay page not read yet
  Bytes m_first_page_begin;
  bool m_stood_still = true;
  Report m_report;
};

}  // namespace cairn::sqlite
