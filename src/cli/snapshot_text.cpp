#include "cli/snapshot_text.hpp"

#include "cli/output.hpp"
#include "util/error.hpp"
#include "util/utf8.hpp"

#include <fmt/format.h>

namespace cairn {

std::string tags_text(const std::map<std::string, std::string>& tags) {
  std::string out;
  for (const auto& [key, value] : tags) out += fmt::format("{}{}={}", out.empty() ? "" : ", ", key, value);
  return out;
}

std::map<std::string, std::string> parse_tags(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> out;
  for (const auto& argument : arguments) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0 || !is_valid_utf8(argument)) {
      throw Error(ErrorKind::usage, fmt::format("invalid tag {}", quote(argument)), "a tag is KEY=VALUE");
    }
    if (!out.emplace(argument.substr(0, equals), argument.substr(equals + 1)).second) {
      throw Error(ErrorKind::usage, fmt::format("tag {} is given twice", quote(argument.substr(0, equals))));
    }
  }
  return out;
}

bool has_tags(const std::map<std::string, std::string>& tags, const std::map<std::string, std::string>& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto found = tags.find(key);
    if (found == tags.end() || found->second != value) return false;
  }
  return true;
}

void write_snapshot_members(JsonWriter& to, const SnapshotInfo& snapshot) {
  const Record& record = snapshot.record;
  to.member("id", snapshot.id.hex()).member("series", record.series);
  to.member("cut_point", format_time(record.cut_point)).member("host", snapshot.facts.host);
  to.member("kind", snapshot.facts.kind);
  text_member(to, "source", snapshot.facts.source);
  to.member("entries", record.stats.entries).member("files", record.stats.files).member("bytes", record.stats.bytes);
  to.member("new_bytes", record.stats.new_bytes).member("stored_bytes", record.stats.stored_bytes);
  to.key("signer").null();
  to.key("tags").begin_object();
  for (const auto& [key, value] : record.tags) to.member(key, value);
  to.end_object();
  to.member("pinned", snapshot.pinned).member("incomplete", record.incomplete);
}

}  // namespace cairn
