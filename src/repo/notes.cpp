#include "repo/notes.hpp"

#include "repo/format.hpp"
#include "repo/json_fields.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_pending_format = "cairn-pending";
constexpr std::string_view k_mark_format = "cairn-mark";
constexpr std::string_view k_signatures = ",\"signatures\":";
constexpr std::string_view k_end = "}\n";

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

std::string pending_line(const std::string& store_id, const PendingRecord& record, const Digest& unsigned_digest) {
  return fmt::format("cairn-pending 1 {} {} {} {}\n", store_id, record.run, record.number, unsigned_digest.hex());
}

std::string PendingRecord::text(const Keyring& keys, const StoreSigner* signer) const {
  JsonWriter to;
  to.begin_object().member("format", k_pending_format).member("version", k_format_version);
  to.member("run", run).member("number", number).member("created", format_time(created));
  write_packs(to, packs);
  JsonWriter own;
  own.begin_object().member("host", host).key("logical_ids").begin_array();
  for (const auto& pack : packs) own.value(pack.logical_id.hex());
  own.end_array().key("holds_list").begin_array();
  for (const auto& pack : packs) own.value(pack.content == PackContent::list);
  own.end_array().end_object();
  to.member("seal", keys.seal()).member("private", keys.seals() ? keys.seal_text(own.text()) : own.text());
  if (signer != nullptr) {
    const Digest digest = sha256(to.text() + std::string{k_end});
    to.key("signatures");
    write_signatures(to, {signer->sign(pending_line(signer->store_id, *this, digest))});
  }
  to.end_object().newline();
  return std::move(to).text();
}

PendingRecord PendingRecord::parse(std::string_view text, std::string_view what, const Keyring& keys) {
  return naming("pending record", what, [&] {
    const Json json = Json::parse(text);
    check_format(json, k_pending_format, what);
    PendingRecord r;
    r.run = json.at("run").string();
    r.number = json.at("number").u64();
    if (r.run.size() != 32 || !is_hex(r.run) || r.number == 0) {
      throw Error(ErrorKind::damaged, "invalid run or number");
    }
    r.created = time_of(json.at("created"));
    r.packs = parse_packs(json);
    const std::string seal = parse_seal(json, what);
    auto own_text = std::optional{json.at("private").string()};
    if (is_sealed(seal)) own_text = keys.open_text(*own_text);
    r.closed = !own_text;
    // A string has no such bytes in it: its quotes are escaped.
    const Json* items = json.find("signatures");
    const auto end = text.find(k_signatures);
    if (items != nullptr && items->is_array() && end != std::string_view::npos) {
      r.signatures = parse_signatures(*items);
      r.unsigned_digest = sha256(std::string{text.substr(0, end)} + std::string{k_end});
    }
    if (r.closed) return r;
    const Json own = Json::parse(*own_text);
    r.host = own.at("host").string();
    const auto& ids = own.at("logical_ids").array();
    const auto& holds_list = own.at("holds_list").array();
    if (ids.size() != r.packs.size() || holds_list.size() != r.packs.size()) {
      throw Error(ErrorKind::damaged, "lists of packs differ in length");
    }
    for (std::size_t i = 0; i < r.packs.size(); ++i) {
      r.packs[i].logical_id = digest_of(ids[i]);
      r.packs[i].content = holds_list[i].boolean() ? PackContent::list : PackContent::files;
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

Mark Mark::parse(std::string_view text, std::string_view what, RemovedBytes bytes) {
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
      const auto decoded = from_base64(item.at("bytes_b64").string());
      if (!decoded) throw Error(ErrorKind::damaged, "invalid JSON: expected base64");
      const std::string& key = item.at("key").string();
      // An undo that puts it back must not be led to write anything else.
      if (!key.starts_with(layout::k_snapshots)) throw Error(ErrorKind::damaged, "a removed object is no manifest");
      m.removed.push_back({key, bytes == RemovedBytes::keep ? std::string{as_text(*decoded)} : std::string{}});
    }
    return m;
  });
}

void check_key(const Mark& mark, std::string_view key) {
  if (layout::parse_mark_key(key) == mark.time) return;
  throw Error(ErrorKind::damaged, fmt::format("damaged mark {}: it does not fit its name", quote(key)));
}

void check_key(const PendingRecord& record, std::string_view key) {
  const auto name = layout::parse_pending_key(key);
  if (name && name->run == record.run && name->number == record.number) return;
  throw Error(ErrorKind::damaged, fmt::format("damaged pending record {}: it does not fit its name", quote(key)));
}

}  // namespace cairn
