#include "repo/manifest.hpp"

#include "repo/json_fields.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/utf8.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_format = "cairn-manifest";
constexpr std::string_view k_pack_signatures = "pack_signatures";

// The members of the facts' content as they are written: it is the last member, so their text is what stands between
// its braces. They are for people: written in any other way, they are left out. The caller may put braces around them
// again.
std::string content_members(std::string_view facts, const Json& content) {
  constexpr std::string_view k_opening = "\"content\":{";
  constexpr std::string_view k_closing = "}}";
  const std::size_t members = content.object().size();
  const auto at = facts.find(k_opening);
  if (at == std::string_view::npos || facts.size() - at < k_opening.size() + k_closing.size()) return {};
  const auto begin = at + k_opening.size();
  std::string text{facts.substr(begin, facts.size() - begin - k_closing.size())};
  try {
    if (Json::parse("{" + text + "}").object().size() == members) return text;
  } catch (const Error&) {
    return {};
  }
  return {};
}

Doubt doubt_of(const Json& record) {
  const Json* value = record.find("doubt");
  if (value == nullptr || value->is_null()) return Doubt::none;
  for (const Doubt known : {Doubt::emptied, Doubt::shrunk}) {
    if (value->is_string() && value->string() == doubt_name(known)) return known;
  }
  return Doubt::other;
}

std::vector<Extent> extents_of(const Json& from) {
  std::vector<Extent> out;
  for (const auto& item : from.array()) {
    const auto& fields = item.array();
    if (fields.size() != 3) throw Error(ErrorKind::damaged, "invalid JSON: expected an extent");
    const std::string& name = fields[0].string();
    const auto pack = name.size() == 16 ? from_hex(name) : std::nullopt;
    const std::uint64_t first = fields[1].u64();
    const std::uint64_t count = fields[2].u64();
    if (!pack || first > k_max_pack_chunks || count == 0 || count > k_max_pack_chunks) {
      throw Error(ErrorKind::damaged, "invalid JSON: expected an extent");
    }
    Extent e;
    for (const auto byte : *pack) e.pack = e.pack << 8 | byte;
    e.first = static_cast<std::uint32_t>(first);
    e.count = static_cast<std::uint32_t>(count);
    out.push_back(e);
  }
  return out;
}

}  // namespace

std::string_view doubt_name(Doubt doubt) noexcept {
  switch (doubt) {
    case Doubt::none:
      return "";
    case Doubt::emptied:
      return "emptied";
    case Doubt::shrunk:
      return "shrunk";
    case Doubt::other:
      break;
  }
  return "unknown";
}

std::string Record::text() const {
  JsonWriter to;
  to.begin_object().member("format", "cairn-record").member("version", k_format_version);
  to.member("series", series).member("cut_point", format_time(cut_point)).member("sequence", sequence);
  to.key("previous");
  if (previous) {
    to.value(previous->hex());
  } else {
    to.null();
  }
  to.member("incomplete", incomplete);
  if (doubt != Doubt::none) to.member("doubt", doubt_name(doubt));
  to.member("facts", facts.hex()).member("root", root.hex()).end_object();
  return std::move(to).text();
}

Record Record::parse(std::string_view text) {
  const Json json = Json::parse(text);
  check_format(json, "cairn-record", "record");
  Record r;
  r.series = json.at("series").string();
  r.cut_point = time_of(json.at("cut_point"));
  r.sequence = json.at("sequence").u64();
  if (!layout::is_valid_series(r.series) || r.sequence == 0) {
    throw Error(ErrorKind::damaged, "invalid series or sequence number");
  }
  if (!json.at("previous").is_null()) r.previous = digest_of(json.at("previous"));
  r.incomplete = json.at("incomplete").boolean();
  r.doubt = doubt_of(json);
  r.facts = digest_of(json.at("facts"));
  r.root = digest_of(json.at("root"));
  return r;
}

std::string Facts::text() const {
  JsonWriter to;
  to.begin_object().member("salt", salt).member("host", host).member("kind", kind);
  if (is_valid_utf8(source)) {
    to.member("source", source);
  } else {
    to.member("source_b64", to_base64(as_bytes(source)));
  }
  to.member("started", format_time(started)).member("single_file", single_file);
  to.key("tags").begin_object();
  for (const auto& [name, value] : tags) to.member(name, value);
  to.end_object();
  to.key("stats").begin_object();
  to.member("entries", stats.entries).member("files", stats.files).member("bytes", stats.bytes);
  to.member("new_bytes", stats.new_bytes).member("stored_bytes", stats.stored_bytes);
  to.member("packs_written", stats.packs_written).member("errors", stats.errors).end_object();
  to.key("content").raw("{" + content + "}").end_object();
  return std::move(to).text();
}

Facts Facts::parse(std::string_view text) {
  const Json json = Json::parse(text);
  Facts f;
  f.salt = json.at("salt").string();
  f.host = json.at("host").string();
  f.kind = json.at("kind").string();
  if (const Json* encoded = json.find("source_b64")) {
    const auto bytes = from_base64(encoded->string());
    if (!bytes || is_valid_utf8(as_text(*bytes)) || json.find("source") != nullptr) {
      throw Error(ErrorKind::damaged, "invalid JSON: expected base64 of what is no text, and no text beside it");
    }
    f.source = as_text(*bytes);
  } else {
    f.source = json.at("source").string();
  }
  f.started = time_of(json.at("started"));
  f.single_file = json.at("single_file").boolean();
  for (const auto& [name, value] : json.at("tags").object()) f.tags[name] = value.string();
  const Json& stats = json.at("stats");
  f.stats.entries = stats.at("entries").u64();
  f.stats.files = stats.at("files").u64();
  f.stats.bytes = stats.at("bytes").u64();
  f.stats.new_bytes = stats.at("new_bytes").u64();
  f.stats.stored_bytes = stats.at("stored_bytes").u64();
  f.stats.packs_written = stats.at("packs_written").u64();
  f.stats.errors = stats.at("errors").u64();
  f.content = content_members(text, json.at("content"));
  return f;
}

std::string Root::text() const {
  JsonWriter to;
  to.begin_object().member("salt", salt).member("levels", levels).member("size", size);
  std::string list;
  append_extents_text(list, extents);
  to.key("extents").raw(list).member("packs", packs.hex()).end_object();
  return std::move(to).text();
}

Root Root::parse(std::string_view text) {
  const Json json = Json::parse(text);
  Root r;
  r.salt = json.at("salt").string();
  r.levels = json.at("levels").u64();
  r.size = json.at("size").u64();
  r.extents = extents_of(json.at("extents"));
  r.packs = digest_of(json.at("packs"));
  if (r.levels > 8) throw Error(ErrorKind::damaged, "invalid JSON: too many levels");
  return r;
}

Digest packs_digest(const std::vector<PackRef>& packs) {
  std::vector<Digest> ids;
  ids.reserve(packs.size());
  for (const auto& pack : packs) ids.push_back(pack.logical_id);
  std::sort(ids.begin(), ids.end());
  Bytes text;
  for (const auto& id : ids) append(text, id.bytes);
  return sha256(text);
}

Manifest Manifest::make(Record record, Facts facts, Root root, std::vector<PackRef> packs) {
  Manifest m;
  root.packs = packs_digest(packs);
  m.facts = std::move(facts);
  m.root = std::move(root);
  m.facts_text = m.facts.text();
  m.root_text = m.root.text();
  record.facts = sha256(m.facts_text);
  record.root = sha256(m.root_text);
  m.record = std::move(record);
  m.record_text = m.record.text();
  m.id = sha256(m.record_text);
  m.packs = std::move(packs);
  return m;
}

void Manifest::require_open() const {
  if (!closed) return;
  throw Error(ErrorKind::no_key,
              fmt::format("unable to open snapshot {} of series {}: it is sealed, and no key at hand opens it",
                          id.short_hex(), quote(record.series)),
              k_no_key_hint);
}

std::string signed_line(const Record& record, const Digest& id) {
  return fmt::format("cairn-snapshot 1 {} {} {}\n", record.series, format_time(record.cut_point), id.hex());
}

std::string packs_line(const std::string& store_id, const Digest& id, const Digest& lists) {
  return fmt::format("cairn-packs 1 {} {} {}\n", store_id, id.hex(), lists.hex());
}

Signature StoreSigner::sign(const std::string& line) const {
  return {key.public_key().text(), key.sign(line, line.substr(0, line.size() - 1))};
}

namespace {

// Members of an object that is open in `to`.
void write_lists(JsonWriter& to, const std::vector<PackRef>& packs, bool break_lines) {
  to.key("logical_ids").begin_array();
  for (const auto& pack : packs) to.value(pack.logical_id.hex());
  to.end_array();
  if (break_lines) to.newline();
  to.key("raw_bytes").begin_array();
  for (const auto& pack : packs) to.value(pack.raw_bytes);
  to.end_array().key("live_bytes").begin_array();
  for (const auto& pack : packs) to.value(pack.live_bytes);
  to.end_array().key("holds_list").begin_array();
  for (const auto& pack : packs) to.value(pack.content == PackContent::list);
  to.end_array();
}

// Fills in what is private of the packs.
void parse_lists(const Json& from, std::vector<PackRef>& packs) {
  const auto& ids = from.at("logical_ids").array();
  const auto& raw_bytes = from.at("raw_bytes").array();
  const auto& live_bytes = from.at("live_bytes").array();
  const auto& holds_list = from.at("holds_list").array();
  for (const auto* list : {&ids, &raw_bytes, &live_bytes, &holds_list}) {
    if (list->size() != packs.size()) throw Error(ErrorKind::damaged, "lists of packs differ in length");
  }
  std::set<std::uint64_t> prefixes;
  for (std::size_t i = 0; i < packs.size(); ++i) {
    packs[i].logical_id = digest_of(ids[i]);
    packs[i].raw_bytes = raw_bytes[i].u64();
    packs[i].live_bytes = live_bytes[i].u64();
    packs[i].content = holds_list[i].boolean() ? PackContent::list : PackContent::files;
    if (!prefixes.insert(packs[i].prefix()).second) throw Error(ErrorKind::damaged, "two packs of one name");
  }
}

}  // namespace

namespace {

// All that stands behind the first line, from its comma on.
std::string text_of_lists(const Manifest& manifest, const Keyring& keys) {
  JsonWriter to;
  to.begin_object();
  if (keys.seals()) {
    JsonWriter lists;
    lists.begin_object();
    write_lists(lists, manifest.packs, false);
    lists.end_object();
    to.member("root", keys.seal_text(manifest.root_text)).newline();
    to.member("lists", keys.seal_text(lists.text())).newline();
  } else {
    to.member("root", manifest.root_text).newline();
    write_lists(to, manifest.packs, true);
    to.newline();
  }
  write_packs(to, manifest.packs);
  to.end_object().newline();
  std::string text = std::move(to).text();
  text.front() = ',';
  return text;
}

}  // namespace

std::string Manifest::text(const Keyring& keys, const StoreSigner* by) const {
  require_open();
  const std::string lists = text_of_lists(*this, keys);
  JsonWriter to;
  to.begin_object().member("format", k_format).member("version", k_format_version);
  write_requirements(to, requirements);
  to.member("record", record_text);
  to.key("signatures");
  if (!signatures_text.empty()) {
    to.raw(signatures_text);
  } else {
    write_signatures(to, signatures);
  }
  to.member("seal", keys.seal());
  if (by != nullptr) {
    to.key(k_pack_signatures);
    write_signatures(to, {by->sign(packs_line(by->store_id, id, sha256(lists)))});
  }
  to.member("facts", keys.seals() ? keys.seal_text(facts_text) : facts_text).newline();
  return std::move(to).text() + lists;
}

namespace {

// Line 1: everything that list and status print. `text` is what was parsed.
Manifest parse_first_line(const Json& json, std::string_view text, std::string_view what, const Keyring& keys) {
  check_format(json, k_format, what);
  Manifest m;
  m.requirements = parse_requirements(json);
  m.seal = parse_seal(json, what);
  m.record_text = json.at("record").string();
  m.id = sha256(m.record_text);
  m.record = Record::parse(m.record_text);
  bool all_known = true;
  m.signatures = parse_signatures(json.at("signatures"), &all_known);
  if (!all_known) m.signatures_text = raw_member(text, "signatures");
  const Json* of_packs = json.find(k_pack_signatures);
  if (of_packs != nullptr && of_packs->is_array()) m.pack_signatures = parse_signatures(*of_packs);
  m.facts_text = json.at("facts").string();
  if (is_sealed(m.seal)) {
    auto opened = keys.open_text(m.facts_text);
    m.closed = !opened;
    m.facts_text = std::move(opened).value_or("");
  }
  if (m.closed) return m;
  m.facts = Facts::parse(m.facts_text);
  if (sha256(m.facts_text) != m.record.facts) throw Error(ErrorKind::damaged, "facts do not fit the record");
  return m;
}

// Of a manifest whose facts could be opened.
std::string open_part(const Keyring& keys, std::string_view sealed) {
  auto text = keys.open_text(sealed);
  if (!text) throw Error(ErrorKind::damaged, "its parts are sealed to different keys");
  return std::move(*text);
}

// A misfit with this program's idea of a manifest may come from a feature that the manifest asks its readers to know:
// then it is not damage.
void check_unread_features(std::string_view text, std::string_view what) {
  Requirements requirements;
  try {
    requirements = parse_requirements(Json::parse(text));
  } catch (const Error&) {
    return;
  }
  check_requirements(requirements, Operation::read, what);
}

template <class F>
auto naming(std::string_view text, std::string_view what, F parse) {
  try {
    return parse();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    check_unread_features(text, what);
    throw Error(ErrorKind::damaged, fmt::format("damaged manifest {}: {}", quote(what), e.message()), e.hint());
  }
}

}  // namespace

std::optional<Manifest> Manifest::parse_head(std::string_view beginning, std::string_view what, const Keyring& keys) {
  const auto end = beginning.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string line = std::string{beginning.substr(0, end)} + "}";
  return naming(line, what, [&] { return std::optional{parse_first_line(Json::parse(line), line, what, keys)}; });
}

Manifest Manifest::parse(std::string_view text, std::string_view what, const Keyring& keys) {
  return naming(text, what, [&] {
    const Json json = Json::parse(text);
    Manifest m = parse_first_line(json, text, what, keys);
    m.packs = parse_packs(json);
    if (const auto end = text.find('\n'); !m.pack_signatures.empty() && end != std::string_view::npos) {
      m.lists_digest = sha256(text.substr(end + 1));
    }
    if (m.closed) return m;
    m.root_text = json.at("root").string();
    if (is_sealed(m.seal)) {
      m.root_text = open_part(keys, m.root_text);
      parse_lists(Json::parse(open_part(keys, json.at("lists").string())), m.packs);
    } else {
      parse_lists(json, m.packs);
    }
    if (sha256(m.root_text) != m.record.root) throw Error(ErrorKind::damaged, "root does not fit the record");
    m.root = Root::parse(m.root_text);
    if (packs_digest(m.packs) != m.root.packs) throw Error(ErrorKind::damaged, "pack list does not fit the record");
    return m;
  });
}

}  // namespace cairn
