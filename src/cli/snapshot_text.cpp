#include "cli/snapshot_text.hpp"

#include "cli/output.hpp"
#include "codec/minisign.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/utf8.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {
// Null where the snapshot is sealed and no key at hand opens it.
constexpr const char* k_private_members[] = {"host",  "kind",      "source",       "entries", "files",
                                             "bytes", "new_bytes", "stored_bytes", "tags"};
}  // namespace

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
      throw Error(ErrorKind::usage, fmt::format("invalid tag {}", quote_given(argument)), "a tag is KEY=VALUE");
    }
    if (!out.emplace(argument.substr(0, equals), argument.substr(equals + 1)).second) {
      throw Error(ErrorKind::usage, fmt::format("tag {} is given twice", quote_given(argument.substr(0, equals))));
    }
  }
  return out;
}

std::string signer_text(const std::optional<std::string>& signer) {
  return signer ? minisign::PublicKey::parse(*signer).key_id() : std::string{};
}

bool has_tags(const std::map<std::string, std::string>& tags, const std::map<std::string, std::string>& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto found = tags.find(key);
    if (found == tags.end() || found->second != value) return false;
  }
  return true;
}

void write_doubt(JsonWriter& to, Doubt doubt) {
  to.key("doubt");
  doubt == Doubt::none ? to.null() : to.value(doubt_name(doubt));
}

std::string doubt_text(Doubt doubt) {
  switch (doubt) {
    case Doubt::none:
      break;
    case Doubt::emptied:
      return "nothing was there when it was taken, and something in the one before";
    case Doubt::shrunk:
      return "much less was there when it was taken than in the one before";
    case Doubt::other:
      return "its writer doubted it for a reason that this program does not know";
  }
  return {};
}

void write_snapshot_members(JsonWriter& to, const SnapshotInfo& snapshot, Ahead ahead) {
  const Record& record = snapshot.record;
  to.member("id", snapshot.id.hex()).member("series", record.series);
  to.member("cut_point", format_time(record.cut_point));
  if (snapshot.closed) {
    for (const char* name : k_private_members) to.key(name).null();
  } else {
    const Facts& facts = snapshot.facts;
    to.member("host", facts.host).member("kind", facts.kind);
    text_member(to, "source", facts.source);
    to.member("entries", facts.stats.entries).member("files", facts.stats.files).member("bytes", facts.stats.bytes);
    to.member("new_bytes", facts.stats.new_bytes).member("stored_bytes", facts.stats.stored_bytes);
    to.key("tags").begin_object();
    for (const auto& [key, value] : facts.tags) to.member(key, value);
    to.end_object();
  }
  to.member("signer", snapshot.signer).member("trusted", snapshot.trusted);
  to.member("pinned", snapshot.pinned).member("incomplete", record.incomplete);
  write_doubt(to, record.doubt);
  to.member("future_dated", ahead != Ahead::no);
}

}  // namespace cairn
