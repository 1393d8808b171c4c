#include "repo/entry_text.hpp"

#include "repo/format.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/utf8.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>
#include <simdjson.h>

namespace cairn {

namespace {

using simdjson::dom::element;

constexpr std::array<const char*, 8> k_type_names{"file", "directory", "symlink",    "hardlink",
                                                  "fifo", "socket",    "chardevice", "blockdevice"};

constexpr std::uint32_t k_max_mode = 07777;

[[noreturn]] void damaged(std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged entry list: {}", cause));
}

// A byte string: under its own key where it is UTF-8, under KEY_b64 where it is not.
void write_name(JsonWriter& to, const std::string& key, std::string_view bytes) {
  if (is_valid_utf8(bytes)) {
    to.member(key, bytes);
  } else {
    to.member(key + "_b64", to_base64(as_bytes(bytes)));
  }
}

void write_members(JsonWriter& to, const Entry& e) {
  write_name(to, "path", e.path);
  to.member("type", entry_type_name(e.type));
  if (e.type == EntryType::hard_link) {
    write_name(to, "target", e.link_target);
    return;
  }
  to.member("mode", e.mode).member("uid", e.uid).member("gid", e.gid);
  if (!e.user.empty()) write_name(to, "user", e.user);
  if (!e.group.empty()) write_name(to, "group", e.group);
  to.member("mtime", format_time(e.mtime));
  if (e.type == EntryType::file) {
    to.member("ctime", format_time(e.ctime)).member("inode", std::to_string(e.inode)).member("size", e.size);
  }
  if (e.type == EntryType::symlink) write_name(to, "target", e.link_target);
  if (e.type == EntryType::char_device || e.type == EntryType::block_device) {
    to.key("device").begin_array().value(e.device_major).value(e.device_minor).end_array();
  }
  if (!e.xattrs.empty()) {
    to.key("xattrs").begin_array();
    for (const auto& x : e.xattrs) {
      to.begin_object();
      write_name(to, "name", x.name);
      to.member("value_b64", to_base64(as_bytes(x.value))).end_object();
    }
    to.end_array();
  }
}

std::string_view text_of(const element& from) {
  std::string_view text;
  if (from.get_string().get(text)) damaged("expected a string");
  return text;
}

std::uint64_t number_of(const element& from, std::uint64_t max) {
  std::uint64_t number = 0;
  if (from.get_uint64().get(number) || number > max) damaged("expected an integer in range");
  return number;
}

std::string binary_of(const element& from) {
  const auto bytes = from_base64(text_of(from));
  if (!bytes) damaged("invalid base64");
  return std::string{as_text(*bytes)};
}

// A name that is no text: text has one spelling, and it is not base64.
std::string name_of(const element& from) {
  std::string bytes = binary_of(from);
  if (is_valid_utf8(bytes)) damaged("base64 of what is text");
  return bytes;
}

Time time_of(const element& from) {
  const auto time = parse_time_exact(text_of(from));
  if (!time) damaged("invalid time");
  return *time;
}

constexpr std::size_t k_extent_text = 32;  // about what one takes

std::vector<Extent> extents_of(const element& from) {
  simdjson::dom::array array;
  if (from.get_array().get(array)) damaged("expected extents");
  std::vector<Extent> out;
  out.reserve(array.size());
  for (const auto& item : array) {
    simdjson::dom::array fields;
    if (item.get_array().get(fields)) damaged("expected an extent");
    if (fields.size() == 1) {
      out.push_back(Extent::make_hole(number_of(fields.at(0), k_max_integer)));
      if (out.back().hole == 0) damaged("an empty hole");
      continue;
    }
    if (fields.size() != 3) damaged("expected an extent");
    const std::string_view pack = text_of(fields.at(0));
    if (pack.size() != 16 || !is_hex(pack)) damaged("invalid pack name in an extent");
    Extent e;
    for (const char c : pack) e.pack = e.pack << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    e.first = static_cast<std::uint32_t>(number_of(fields.at(1), k_max_pack_chunks));
    e.count = static_cast<std::uint32_t>(number_of(fields.at(2), k_max_pack_chunks));
    if (e.count == 0) damaged("an empty extent");
    out.push_back(e);
  }
  return out;
}

// The bit of a member in the set of those seen: duplicates are refused.
struct Seen {
  std::uint32_t bits = 0;
  template <class Bit>
  void once(Bit which) {
    const auto bit = static_cast<unsigned>(which);
    if ((bits >> bit & 1) != 0) damaged("duplicate key");
    bits |= 1U << bit;
  }
};

std::vector<Xattr> xattrs_of(const element& from) {
  simdjson::dom::array array;
  if (from.get_array().get(array) || array.size() == 0) damaged("expected xattrs");
  std::vector<Xattr> out;
  for (const auto& item : array) {
    simdjson::dom::object object;
    if (item.get_object().get(object)) damaged("expected an xattr");
    Xattr x;
    Seen seen;
    for (const auto& member : object) {
      if (member.key == "name") {
        seen.once(0);
        x.name = text_of(member.value);
      } else if (member.key == "name_b64") {
        seen.once(0);
        x.name = name_of(member.value);
      } else if (member.key == "value_b64") {
        seen.once(1);
        x.value = binary_of(member.value);
      } else {
        damaged("unknown member of an xattr");
      }
    }
    if (seen.bits != 3) damaged("an xattr without name or value");
    out.push_back(std::move(x));
  }
  return out;
}

EntryType type_of(std::string_view name) {
  for (std::size_t i = 0; i < k_type_names.size(); ++i) {
    if (name == k_type_names[i]) return static_cast<EntryType>(i);
  }
  damaged("unknown entry type");
}

std::uint32_t u32_of(const element& from) {
  return static_cast<std::uint32_t>(number_of(from, UINT32_MAX));
}

std::uint64_t inode_of(const element& from) {
  // Inode numbers use all 64 bits, which JSON numbers do not carry everywhere: decimal text.
  const std::string_view text = text_of(from);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) damaged("invalid inode");
  return value;
}

// The members of an entry, as bits of Seen.
enum class Member : unsigned {
  path,
  type,
  mode,
  uid,
  gid,
  user,
  group,
  mtime,
  ctime,
  inode,
  size,
  target,
  device,
  xattrs,
  extents,
  parts
};

constexpr std::uint32_t bits_of(std::initializer_list<Member> members) {
  std::uint32_t bits = 0;
  for (const auto member : members) bits |= 1U << static_cast<unsigned>(member);
  return bits;
}

// The members that an entry of a type must have, and those that it may have besides.
struct Allowed {
  std::uint32_t required;
  std::uint32_t optional;
};
constexpr Allowed allowed_for(EntryType type) {
  constexpr std::uint32_t k_metadata =
      bits_of({Member::path, Member::type, Member::mode, Member::uid, Member::gid, Member::mtime});
  constexpr std::uint32_t k_more = bits_of({Member::user, Member::group, Member::xattrs});
  switch (type) {
    case EntryType::file:
      return {k_metadata | bits_of({Member::size}),
              k_more | bits_of({Member::ctime, Member::inode, Member::extents, Member::parts})};
    case EntryType::symlink:
      return {k_metadata | bits_of({Member::target}), k_more};
    case EntryType::hard_link:
      return {bits_of({Member::path, Member::type, Member::target}), 0};
    case EntryType::char_device:
    case EntryType::block_device:
      return {k_metadata | bits_of({Member::device}), k_more};
    case EntryType::directory:
    case EntryType::fifo:
    case EntryType::socket:
      break;
  }
  return {k_metadata, k_more};
}

void set_member(EntryLine& line, Entry& e, Seen& seen, std::string_view key, const element& value) {
  if (key == "path") {
    seen.once(Member::path);
    e.path = text_of(value);
  } else if (key == "path_b64") {
    seen.once(Member::path);
    e.path = name_of(value);
  } else if (key == "type") {
    seen.once(Member::type);
    e.type = type_of(text_of(value));
  } else if (key == "mode") {
    seen.once(Member::mode);
    e.mode = static_cast<std::uint32_t>(number_of(value, k_max_mode));
  } else if (key == "uid") {
    seen.once(Member::uid);
    e.uid = u32_of(value);
  } else if (key == "gid") {
    seen.once(Member::gid);
    e.gid = u32_of(value);
  } else if (key == "user" || key == "user_b64") {
    seen.once(Member::user);
    e.user = key == "user" ? std::string{text_of(value)} : name_of(value);
  } else if (key == "group" || key == "group_b64") {
    seen.once(Member::group);
    e.group = key == "group" ? std::string{text_of(value)} : name_of(value);
  } else if (key == "mtime") {
    seen.once(Member::mtime);
    e.mtime = time_of(value);
  } else if (key == "ctime") {
    seen.once(Member::ctime);
    e.ctime = time_of(value);
  } else if (key == "inode") {
    seen.once(Member::inode);
    e.inode = inode_of(value);
  } else if (key == "size") {
    seen.once(Member::size);
    e.size = number_of(value, k_max_integer);
  } else if (key == "target" || key == "target_b64") {
    seen.once(Member::target);
    e.link_target = key == "target" ? std::string{text_of(value)} : name_of(value);
  } else if (key == "device") {
    seen.once(Member::device);
    simdjson::dom::array numbers;
    if (value.get_array().get(numbers) || numbers.size() != 2) damaged("invalid device");
    e.device_major = u32_of(numbers.at(0));
    e.device_minor = u32_of(numbers.at(1));
  } else if (key == "xattrs") {
    seen.once(Member::xattrs);
    e.xattrs = xattrs_of(value);
  } else if (key == "extents") {
    seen.once(Member::extents);
    line.extents = extents_of(value);
  } else if (key == "parts") {
    seen.once(Member::parts);
    line.parts = number_of(value, k_max_integer);
  } else {
    damaged("unknown member of an entry");
  }
}

void check_entry(const EntryLine& line, const Entry& e, const Seen& seen) {
  if ((seen.bits & bits_of({Member::path, Member::type})) != bits_of({Member::path, Member::type}))
    damaged("an entry without path or type");
  const Allowed allowed = allowed_for(e.type);
  if ((seen.bits & allowed.required) != allowed.required) damaged(fmt::format("missing metadata of {}", quote(e.path)));
  if ((seen.bits & ~(allowed.required | allowed.optional)) != 0) {
    damaged(fmt::format("{} has what a {} cannot have", quote(e.path), entry_type_name(e.type)));
  }
  const char* fault = entry_fault(e);
  if (fault == nullptr) fault = xattrs_fault(e.xattrs);
  if (fault != nullptr) damaged(fmt::format("{}: {}", fault, quote(e.path)));
  if (e.type != EntryType::file) return;
  const bool has_extents = (seen.bits & bits_of({Member::extents})) != 0;
  const bool has_parts = (seen.bits & bits_of({Member::parts})) != 0;
  if (has_extents == has_parts) damaged(fmt::format("missing content of {}", quote(e.path)));
  if (has_parts && line.parts == 0) damaged("no parts");
  if (has_extents && line.extents.empty() != (e.size == 0)) damaged(fmt::format("wrong size of {}", quote(e.path)));
}

}  // namespace

const char* entry_type_name(EntryType type) noexcept {
  return k_type_names[static_cast<std::size_t>(type)];
}

const char* entry_fault(const Entry& e) noexcept {
  if (!is_valid_entry_path(e.path)) return "invalid path";
  if (e.type == EntryType::hard_link && !is_valid_entry_path(e.link_target)) return "invalid target of a hard link";
  if (e.type == EntryType::symlink && (e.link_target.empty() || e.link_target.find('\0') != std::string::npos)) {
    return "invalid target of a symlink";
  }
  if (e.mode > k_max_mode) return "invalid mode";
  return e.size > k_max_integer ? "it has more than 2^53-1 bytes" : nullptr;
}

const char* xattrs_fault(const std::vector<Xattr>& xattrs) noexcept {
  const Xattr* before = nullptr;
  for (const Xattr& x : xattrs) {
    if (x.name.empty() || x.name.find('\0') != std::string::npos) return "invalid xattr name";
    if (before != nullptr && before->name >= x.name) return "xattrs are out of order";
    before = &x;
  }
  return nullptr;
}

std::string entry_members(const Entry& entry) {
  JsonWriter to;
  to.begin_object();
  write_members(to, entry);
  return std::move(to).text().substr(1);
}

std::string write_entry_head(const Entry& entry) {
  JsonWriter to;
  to.begin_object();
  write_members(to, entry);
  return std::move(to).text();
}

std::string finish_entry_line(std::string_view head, const std::vector<Extent>& extents, std::uint64_t parts) {
  std::string line;
  line.reserve(head.size() + 32 + extents.size() * k_extent_text);
  line += head;
  if (parts != 0) {
    line += fmt::format(",\"parts\":{}", parts);
  } else {
    line += ",\"extents\":";
    append_extents_text(line, extents);
  }
  line += "}\n";
  return line;
}

std::string write_part_line(std::uint64_t size, const std::vector<Extent>& extents) {
  std::string line = fmt::format("{{\"part\":{},\"extents\":", size);
  append_extents_text(line, extents);
  line += "}\n";
  return line;
}

struct EntryLineParser::Impl {
  simdjson::dom::parser parser;
};

EntryLineParser::EntryLineParser() : m_impl(std::make_unique<Impl>()) {}
EntryLineParser::~EntryLineParser() = default;

EntryLine EntryLineParser::parse(std::string_view text) {
  element root;
  if (m_impl->parser.parse(text.data(), text.size()).get(root)) damaged("invalid JSON");
  simdjson::dom::object object;
  if (root.get_object().get(object)) damaged("a line is not an object");
  EntryLine line;
  Seen seen;
  if (object.begin() != object.end() && object.begin().key() == "part") {
    for (const auto& member : object) {
      if (member.key == "part") {
        seen.once(0);
        line.part_size = number_of(member.value, k_max_integer);
        if (line.part_size == 0) damaged("an empty part");
      } else if (member.key == "extents") {
        seen.once(1);
        line.extents = extents_of(member.value);
      } else {
        damaged("unknown member of a part");
      }
    }
    if (seen.bits != 3) damaged("a part without extents");
    return line;
  }
  Entry& entry = line.entry.emplace();
  for (const auto& member : object) set_member(line, entry, seen, member.key, member.value);
  check_entry(line, entry, seen);
  return line;
}

}  // namespace cairn
