#include "capture/file_kind.hpp"

#include "capture/sqlite/format.hpp"
#include "util/units.hpp"

#include <algorithm>

namespace cairn {

namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t k_postgres_page = 8192;
constexpr std::uint32_t k_image_page = 4096;
constexpr std::uint64_t k_image_minimum = k_mib;

bool has_at(ByteView head, std::size_t offset, std::string_view magic) noexcept {
  return head.size() >= offset + magic.size() && as_text(head.subspan(offset, magic.size())) == magic;
}

std::string_view take_digits(std::string_view& text) noexcept {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const auto digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

// "16384", "16384_fsm", "16384.2", "t3_16384" (PostgreSQL documentation, "Database File Layout").
bool is_postgres_name(std::string_view name) noexcept {
  if (name.starts_with('t')) {
    name.remove_prefix(1);
    if (take_digits(name).empty() || !name.starts_with('_')) return false;
    name.remove_prefix(1);
  }
  if (take_digits(name).empty()) return false;
  for (const std::string_view fork : {"_fsm"sv, "_vm"sv, "_init"sv}) {
    if (name.starts_with(fork)) {
      name.remove_prefix(fork.size());
      break;
    }
  }
  if (name.starts_with('.')) {
    name.remove_prefix(1);
    if (take_digits(name).empty()) return false;
  }
  return name.empty();
}

bool is_disk_image(ByteView head) noexcept {
  return has_at(head, 510, "\x55\xaa"sv) || has_at(head, 1080, "\x53\xef"sv) || has_at(head, 0, "XFSB"sv) ||
         has_at(head, 0, "LUKS\xba\xbe"sv) || has_at(head, 512, "LABELONE"sv) || has_at(head, 0, "QFI\xfb"sv);
}

}  // namespace

bool is_sqlite_database(ByteView head, std::uint64_t size) noexcept {
  return size >= 512 && sqlite::parse_header(head).has_value();
}

bool has_sqlite_magic(ByteView head, std::uint64_t size) noexcept {
  return size >= 512 && has_at(head, 0, "SQLite format 3\0"sv);
}

bool is_sqlite_log(ByteView head) noexcept {
  return has_at(head, 0, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"sv) || has_at(head, 0, "\x37\x7f\x06\x82"sv) ||
         has_at(head, 0, "\x37\x7f\x06\x83"sv);
}

ChunkRule chunk_rule_for(std::string_view name, ByteView head, std::uint64_t size) noexcept {
  // pd_pagesize_version: page size plus layout version 4, little-endian at offset 18.
  if (size >= k_postgres_page && size % k_postgres_page == 0 && is_postgres_name(name) &&
      has_at(head, 18, "\x04\x20"sv)) {
    return {ChunkRule::Kind::fixed, k_postgres_page};
  }
  if (size >= k_image_minimum && is_disk_image(head)) return {ChunkRule::Kind::fixed, k_image_page};
  return {ChunkRule::Kind::files, 0};
}

}  // namespace cairn
