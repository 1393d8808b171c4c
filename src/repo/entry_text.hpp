// Entries and their content as lines of JSON. Text form: cairn-format(5), ENTRIES.
#pragma once

#include "repo/entry.hpp"
#include "repo/extent.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// One line of an entry list: an entry, or a further part of the content of the entry before it.
struct EntryLine {
  std::optional<Entry> entry;   // nothing: a part
  std::uint64_t parts = 0;      // of an entry: how many part lines follow it (its own extents are empty then)
  std::uint64_t part_size = 0;  // of a part: bytes
  std::vector<Extent> extents;
};

// The line with its newline. `middle` of write_entry_head is everything but the extents, which a writer that does not
// know pack names yet keeps aside.
std::string write_entry_head(const Entry& entry);  // "{...,": up to, not including, the extents member
std::string finish_entry_line(std::string_view head, const std::vector<Extent>& extents, std::uint64_t parts);
std::string write_part_line(std::uint64_t size, const std::vector<Extent>& extents);

// Parses lines. Keeps its buffers; one object a thread. Error(damaged) for anything the format does not allow.
class EntryLineParser {
 public:
  EntryLineParser();
  ~EntryLineParser();
  EntryLine parse(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

// "file", "directory", ... as the format spells them.
const char* entry_type_name(EntryType type) noexcept;

// The fault for which a reader refuses an entry's values, or its extended attributes: for the message; null: there is
// none. The parser calls both, and so do writers of entries that come from elsewhere.
const char* entry_fault(const Entry& entry) noexcept;
const char* xattrs_fault(const std::vector<Xattr>& xattrs) noexcept;

// The members of an entry (path, type, mode, ...) without braces or extents, for --json output.
std::string entry_members(const Entry& entry);

}  // namespace cairn
