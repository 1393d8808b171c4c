#include "repo/notes.hpp"

#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_pending_format = "cairn-pending";
constexpr std::string_view k_mark_format = "cairn-mark";

Digest digest_of(const Json& from) {
  const auto digest = Digest::parse(from.string());
  if (!digest) throw Error(ErrorKind::damaged, "invalid JSON: expected a SHA-256 digest");
  return *digest;
}

Time time_of(const Json& from) {
  const auto time = parse_time_exact(from.string());
  if (!time) throw Error(ErrorKind::damaged, "invalid JSON: expected a time");
  return *time;
}

template <class F>
auto naming(std::string_view kind, std::string_view what, F parse) {
  try {
    return parse();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    throw Error(ErrorKind::damaged, fmt::format("damaged {} {}: {}", kind, quote(what), e.message()), e.hint());
  }
}

}  // namespace

std::string PendingRecord::text() const {
  JsonWriter to;
  to.begin_object().member("format", k_pending_format).member("version", k_format_version);
  to.member("run", run).member("number", number).member("host", host).member("created", format_time(created));
  to.key("packs").begin_array();
  for (const auto& pack : packs) {
    to.begin_object().member("name", pack.name.hex()).member("size", pack.size);
    to.key("directory").begin_array().value(pack.directory_offset).value(pack.directory_size).end_array();
    to.member("seal", pack.seal).member("logical_id", pack.logical_id.hex()).end_object();
  }
  to.end_array().end_object().newline();
  return std::move(to).text();
}

PendingRecord PendingRecord::parse(std::string_view text, std::string_view what) {
  return naming("pending record", what, [&] {
    const Json json = Json::parse(text);
    check_format(json, k_pending_format, what);
    PendingRecord r;
    r.run = json.at("run").string();
    r.number = json.at("number").u64();
    r.host = json.at("host").string();
    if (r.run.size() != 32 || !is_hex(r.run) || r.number == 0) {
      throw Error(ErrorKind::damaged, "invalid run or number");
    }
    r.created = time_of(json.at("created"));
    for (const auto& item : json.at("packs").array()) {
      PackRef ref;
      ref.name = digest_of(item.at("name"));
      ref.size = item.at("size").u64();
      const auto& range = item.at("directory").array();
      if (range.size() != 2) throw Error(ErrorKind::damaged, "invalid directory range");
      ref.directory_offset = range[0].u64();
      ref.directory_size = range[1].u64();
      ref.seal = item.at("seal").string();
      ref.logical_id = digest_of(item.at("logical_id"));
      check_pack_ref(ref);
      r.packs.push_back(std::move(ref));
    }
    return r;
  });
}

std::string Mark::text() const {
  JsonWriter to;
  to.begin_object().member("format", k_mark_format).member("version", k_format_version);
  to.member("time", format_time(time)).member("newest_object", format_time(newest_object));
  to.key("packs").begin_array();
  for (const auto& pack : packs) to.value(pack.hex());
  to.end_array().key("seen").begin_array();
  for (const auto& key : seen) to.value(key);
  to.end_array().key("removed").begin_array();
  for (const auto& item : removed) {
    to.begin_object().member("key", item.key).member("bytes_b64", to_base64(as_bytes(item.bytes))).end_object();
  }
  to.end_array().key("restored").begin_array();
  for (const auto& key : restored) to.value(key);
  to.end_array().end_object().newline();
  return std::move(to).text();
}

Mark Mark::parse(std::string_view text, std::string_view what) {
  return naming("mark", what, [&] {
    const Json json = Json::parse(text);
    check_format(json, k_mark_format, what);
    Mark m;
    m.time = time_of(json.at("time"));
    m.newest_object = time_of(json.at("newest_object"));
    for (const auto& pack : json.at("packs").array()) m.packs.push_back(digest_of(pack));
    for (const auto& key : json.at("seen").array()) m.seen.push_back(key.string());
    for (const auto& key : json.at("restored").array()) m.restored.push_back(key.string());
    for (const auto& item : json.at("removed").array()) {
      const auto bytes = from_base64(item.at("bytes_b64").string());
      if (!bytes) throw Error(ErrorKind::damaged, "invalid JSON: expected base64");
      const std::string& key = item.at("key").string();
      // Whoever puts it back must not be led to write anything else.
      if (!key.starts_with(layout::k_snapshots)) throw Error(ErrorKind::damaged, "a removed object is no manifest");
      m.removed.push_back({key, std::string{as_text(*bytes)}});
    }
    return m;
  });
}

}  // namespace cairn
