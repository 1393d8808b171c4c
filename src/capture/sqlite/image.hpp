// One committed state of a database as an array of pages.
#pragma once

#include "util/bytes.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace cairn::sqlite {

// Used by one thread at a time.
class PageImage {
 public:
  PageImage() = default;
  PageImage(const PageImage&) = delete;
  PageImage& operator=(const PageImage&) = delete;
  virtual ~PageImage() = default;

  virtual std::uint32_t page_size() const = 0;
  virtual std::uint64_t page_count() const = 0;
  // Whole pages, the first counted from 0, ascending from call to call. Throws SourceError.
  virtual void read(std::uint64_t first, ByteSpan out) = 0;
  // The next pages, from `first` on, that are zeros and take no space on the disk; begin is the page count where there
  // are none.
  struct Hole {
    std::uint64_t begin;
    std::uint64_t end;
  };
  virtual Hole next_hole(std::uint64_t first) { return {std::max(first, page_count()), page_count()}; }
  // After the last page: lets go of the live database at once. False where it turned out not to have stood still.
  virtual bool release() = 0;

  struct Report {
    std::string mode;                // "wal", "backup", "staged"
    Time cut_point;                  // what was committed before is in the image
    Nanoseconds wal_pinned{0};       // how long a checkpoint could not reset the log for us; after release()
    Nanoseconds commits_blocked{0};  // how long no transaction could commit (rollback journal)
    std::string schema_digest;       // hexadecimal SHA-256; empty where the schema could not be parsed
  };
  virtual const Report& report() const = 0;
};

}  // namespace cairn::sqlite
