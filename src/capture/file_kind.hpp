// The kind of a file, by its first bytes, as far as it decides how its content is cut into chunks. Pure.
#pragma once

#include "capture/source.hpp"
#include "util/bytes.hpp"

#include <cstdint>
#include <string_view>

namespace cairn {

// How much of a file's beginning the functions below want to see (fewer where the file is smaller).
inline constexpr std::size_t k_file_head_size = 4096;

// A header that SQLite takes for that of a database (sqlite::parse_header), and at least the 512 bytes of the smallest
// page. A file with the magic alone is an ordinary one.
bool is_sqlite_database(ByteView head, std::uint64_t size) noexcept;

// "SQLite format 3" and a NUL (https://www.sqlite.org/fileformat2.html, 1.3.1), and as many bytes: for callers that
// would rather take too much for a database.
bool has_sqlite_magic(ByteView head, std::uint64_t size) noexcept;

// A rollback journal or write-ahead log by its magic (same page, 3 and 4.1).
bool is_sqlite_log(ByteView head) noexcept;

// Fixed, aligned chunks for files that are rewritten page by page: PostgreSQL relations (a file name as PostgreSQL
// gives them, whole pages of 8 KiB, a page header of layout 4), and disk images (partition table, ext2-4, XFS, LUKS,
// LVM, qcow2) of 1 MiB and more. Content-defined chunks for all else.
ChunkRule chunk_rule_for(std::string_view name, ByteView head, std::uint64_t size) noexcept;

}  // namespace cairn
