#include "engine/restore/live_rules.hpp"

#include "capture/file_kind.hpp"
#include "capture/source_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/supported.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr const char* k_otherwise = "stop its users, and restore without --live";
constexpr std::uint8_t k_wal_version = 2;

[[noreturn]] void refuse(const fs::path& shown, const std::string& why, const std::string& hint = k_otherwise) {
  throw Error(ErrorKind::usage, fmt::format("unable to restore to {} while it is used: {}", quote(shown.native()), why),
              hint);
}

void require_same_encoding(const LiveDatabase& there, const std::string& encoding, const fs::path& shown) {
  if (there.encoding == 0 || encoding.empty()) return;
  sqlite::Header header;
  header.encoding = there.encoding;
  if (header.encoding_name() == encoding) return;
  refuse(shown, fmt::format("its text encoding is {}, and that of the snapshot {}: its users would get errors alone",
                            header.encoding_name(), terminal_safe(encoding)));
}

void require_same_page_size(const LiveDatabase& there, std::uint64_t page_size, const fs::path& shown) {
  if (!there.has_log || there.page_size == 0 || page_size == 0 || page_size == there.page_size) return;
  refuse(shown, fmt::format("it is in WAL mode, which cannot change its page size from {} to the snapshot's {}",
                            there.page_size, page_size));
}

struct Recorded {
  std::uint64_t page_size = 0;
  std::string encoding;
};

Recorded recorded_of(const Manifest& manifest) {
  Recorded recorded;
  if (manifest.facts.content.empty()) return recorded;
  const Json content = Json::parse("{" + manifest.facts.content + "}");
  const Json* const size = content.find("page_size");
  const Json* const encoding = content.find("encoding");
  if (size != nullptr) recorded.page_size = size->u64();
  if (encoding != nullptr && encoding->is_string()) recorded.encoding = encoding->string();
  return recorded;
}

}  // namespace

LiveDatabase look_at_live(const RestoreTarget& target) {
  const std::string shown = target.path().native();
  const UniqueFd file = open_beneath(target.directory(), target.name(), O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) throw_errno("open", shown, errno);
  if (!S_ISREG(status.st_mode)) refuse(target.path(), "it is no regular file");
  // SQLite finds a log by the name of its database; and what is behind another name may be somebody else's.
  if (status.st_nlink != 1) refuse(target.path(), "it has several names, and a log beside each of them");
  if (const char* const remote = sqlite::remote_file_system(file.get(), shown)) {
    refuse(target.path(), fmt::format("it lies on {}, where the locks of others cannot be seen", remote));
  }
  LiveDatabase there;
  there.id = id_of(status);
  there.bytes = static_cast<std::uint64_t>(status.st_size);
  // Whoever has it open has not written anything yet.
  if (there.bytes == 0) return there;
  Bytes first(sqlite::k_header_size);
  first.resize(read_at(file.get(), first, 0, shown));
  const auto header = sqlite::parse_header(first);
  if (!header) refuse(target.path(), "it is no SQLite database", "--overwrite replaces it");
  if (std::max(header->read_version, header->write_version) > k_wal_version) {
    refuse(target.path(), "it is in a journal mode that SQLite does not have (wal2)");
  }
  const auto log = sqlite::status_beside(target.directory(), target.name(), sqlite::k_log);
  there.has_log = header->read_version == k_wal_version || (log && log->st_size != 0);
  there.page_size = header->page_size;
  there.encoding = header->encoding;
  return there;
}

void check_live_snapshot(const Manifest& manifest, const RestoreRequest& request) {
  if (!request.choice().everything()) {
    throw Error(ErrorKind::usage, "a part of a snapshot cannot be restored into a live database",
                "leave out what chooses it");
  }
  if (manifest.facts.single_file && parse_source_kind(manifest.facts.kind) == SourceKind::sqlite) return;
  throw Error(ErrorKind::usage,
              fmt::format("unable to restore snapshot {} into a live database: it is not one of a single database",
                          manifest.id.short_hex()),
              "restore it to another place, and take the database from there");
}

void check_fits(const LiveDatabase& there, const Manifest& manifest, const fs::path& shown) {
  const Recorded recorded = recorded_of(manifest);
  require_same_page_size(there, recorded.page_size, shown);
  require_same_encoding(there, recorded.encoding, shown);
}

void check_fits(const LiveDatabase& there, const sqlite::Header& image, const fs::path& shown) {
  require_same_page_size(there, image.page_size, shown);
  require_same_encoding(there, image.encoding == 0 ? std::string{} : image.encoding_name(), shown);
}

LiveEstimate estimate_live(const LiveDatabase& there, const Manifest& manifest, std::uint64_t bytes) {
  const std::uint64_t page_size = recorded_of(manifest).page_size;
  const bool known = page_size != 0 && page_size <= 65536;
  return estimate_live(bytes, known ? static_cast<std::uint32_t>(page_size) : there.page_size, there.bytes,
                       there.has_log);
}

}  // namespace cairn
