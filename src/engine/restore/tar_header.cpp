#include "engine/restore/tar_header.hpp"

#include "util/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_access_acl = "system.posix_acl_access";
constexpr std::string_view k_default_acl = "system.posix_acl_default";
constexpr std::uint64_t k_most_in_7_digits = 07777777;
constexpr std::uint64_t k_most_in_11_digits = 077777777777;
constexpr std::int64_t k_second = 1'000'000'000;

// A header block as ustar lays it out.
struct Block {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;
  std::array<char, 12> mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link_name;
  std::array<char, 8> magic;  // and version
  std::array<char, 31> user;
  char user_end;
  std::array<char, 31> group;
  char group_end;
  std::array<char, 8> device_major;
  std::array<char, 8> device_minor;
  std::array<char, 155> prefix;
  std::array<char, 12> unused;
};
static_assert(sizeof(Block) == k_tar_block);

template <std::size_t N>
void put_octal(std::array<char, N>& field, std::uint64_t value) {
  fmt::format_to_n(field.begin(), N - 1, "{:0{}o}", value, N - 1);
}

// A text that does not fit is cut: then a record has it whole.
template <std::size_t N>
void put_text(std::array<char, N>& field, std::string_view text) {
  std::copy_n(text.begin(), std::min(N, text.size()), field.begin());
}

char type_of(EntryType type) noexcept {
  switch (type) {
    case EntryType::hard_link:
      return '1';
    case EntryType::symlink:
      return '2';
    case EntryType::char_device:
      return '3';
    case EntryType::block_device:
      return '4';
    case EntryType::directory:
      return '5';
    case EntryType::fifo:
      return '6';
    default:
      return '0';
  }
}

// Values that the fields of a block cannot hold.
class Records {
 public:
  // "LENGTH KEY=VALUE\n", where the length counts itself.
  void add(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest;
    for (std::size_t before = 0; before != length;) {
      before = length;
      length = rest + std::to_string(length).size();
    }
    m_text += fmt::format("{} {}=", length, key);
    m_text += value;
    m_text += '\n';
  }
  void add_name(std::string_view key, std::string_view value) {
    add(key, value);
    m_binary = m_binary || !is_valid_utf8(value);
  }
  // Records are UTF-8 unless they say so first.
  std::string take() {
    if (!m_binary) return std::move(m_text);
    const std::string names = std::move(m_text);
    m_text.clear();
    add("hdrcharset", "BINARY");
    return m_text + names;
  }

 private:
  std::string m_text;
  bool m_binary = false;
};

// Seconds as pax writes them: the sign is that of the whole, before 1970 too.
std::string decimal_time(Time time) {
  const std::int64_t at = time.time_since_epoch().count();
  const std::uint64_t size = at < 0 ? 0 - static_cast<std::uint64_t>(at) : static_cast<std::uint64_t>(at);
  return fmt::format("{}{}.{:09}", at < 0 ? "-" : "", size / k_second, size % k_second);
}

// '=' would end the key. GNU tar escapes it so, and '%' where what follows would be taken for an escape.
std::string xattr_key(std::string_view name) {
  std::string key = "SCHILY.xattr.";
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::string_view next = name.substr(i + 1, 2);
    if (name[i] == '=') {
      key += "%3D";
    } else if (name[i] == '%' && (next == "3D" || next == "25")) {
      key += "%25";
    } else {
      key += name[i];
    }
  }
  return key;
}

void append_xattr(Records& records, const Xattr& xattr) {
  const bool access = xattr.name == k_access_acl;
  if (access || xattr.name == k_default_acl) {
    if (const auto text = acl_text(xattr.value)) {
      return records.add(access ? "SCHILY.acl.access" : "SCHILY.acl.default", *text);
    }
  }
  records.add(xattr_key(xattr.name), xattr.value);
}

// The text in its field, and in a record where it is too long for that. Short names go as they are, whatever their
// bytes: records are text in UTF-8, which a reader turns into what its locale has.
template <std::size_t N>
void put_name(std::array<char, N>& field, std::string_view text, std::string_view key, Records& records) {
  put_text(field, text);
  if (text.size() > N) records.add_name(key, text);
}

void put_path(Block& block, const std::string& path, Records& records) {
  if (path.size() > block.name.size()) {
    // As early as the rest fits: neither half may be empty.
    const std::size_t slash = path.find('/', path.size() - block.name.size() - 1);
    if (slash != std::string::npos && slash != 0 && slash <= block.prefix.size() && slash + 1 < path.size()) {
      put_text(block.prefix, std::string_view{path}.substr(0, slash));
      return put_text(block.name, std::string_view{path}.substr(slash + 1));
    }
  }
  put_name(block.name, path, "path", records);
}

template <std::size_t N>
void put_number(std::array<char, N>& field, std::uint64_t value, std::string_view key, Records& records) {
  constexpr std::uint64_t k_most = N == 8 ? k_most_in_7_digits : k_most_in_11_digits;
  put_octal(field, std::min(value, k_most));
  if (value > k_most) records.add(key, std::to_string(value));
}

void put_time(Block& block, Time mtime, Records& records) {
  const std::int64_t at = mtime.time_since_epoch().count();
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(at, 0) / k_second);
  put_octal(block.mtime, std::min(seconds, k_most_in_11_digits));
  if (at < 0 || at % k_second != 0 || seconds > k_most_in_11_digits) {
    records.add("mtime", decimal_time(mtime));
  }
}

void append_block(Bytes& to, Block& block) {
  put_text(block.magic, std::string_view{"ustar\0"
                                         "00",
                                         8});
  block.checksum.fill(' ');
  std::array<std::uint8_t, k_tar_block> bytes{};
  std::memcpy(bytes.data(), &block, bytes.size());
  std::uint64_t sum = 0;
  for (const std::uint8_t byte : bytes) sum += byte;
  fmt::format_to_n(block.checksum.begin(), 7, "{:06o}", sum);
  block.checksum[6] = '\0';
  std::memcpy(bytes.data(), &block, bytes.size());
  append(to, bytes);
}

// The header of a member that holds the records of the one that follows it.
void append_records(Bytes& to, std::string_view name, std::string_view records) {
  Block block{};
  put_text(block.name, fmt::format("PaxHeaders/{}", name));
  put_octal(block.mode, 0644);
  put_octal(block.uid, 0);
  put_octal(block.gid, 0);
  put_octal(block.size, records.size());
  put_octal(block.mtime, 0);
  block.type = 'x';
  append_block(to, block);
  append(to, as_bytes(records));
  to.insert(to.end(), tar_padding(records.size()), std::uint8_t{0});
}

}  // namespace

std::optional<std::string> acl_text(std::string_view value) {
  // A version, then entries of tag, permissions and number, all little-endian: linux/posix_acl_xattr.h.
  constexpr std::size_t k_header = 4;
  constexpr std::size_t k_entry = 8;
  const ByteView bytes = as_bytes(value);
  if (bytes.size() < k_header || (bytes.size() - k_header) % k_entry != 0 || get_u32(bytes.data()) != 2) {
    return std::nullopt;
  }
  std::string text;
  for (std::size_t at = k_header; at < bytes.size(); at += k_entry) {
    const std::uint32_t tag_and_rights = get_u32(bytes.data() + at);
    const std::uint32_t tag = tag_and_rights & 0xffffU;
    const std::uint32_t rights = tag_and_rights >> 16U;
    const std::uint32_t number = get_u32(bytes.data() + at + 4);
    if (rights > 7) return std::nullopt;
    std::string who;
    switch (tag) {
      case 0x01:
        who = "user:";
        break;
      case 0x02:
        who = fmt::format("user:{}", number);
        break;
      case 0x04:
        who = "group:";
        break;
      case 0x08:
        who = fmt::format("group:{}", number);
        break;
      case 0x10:
        who = "mask:";
        break;
      case 0x20:
        who = "other:";
        break;
      default:
        return std::nullopt;
    }
    text += fmt::format("{}{}:{}{}{}", text.empty() ? "" : ",", who, (rights & 4U) != 0 ? 'r' : '-',
                        (rights & 2U) != 0 ? 'w' : '-', (rights & 1U) != 0 ? 'x' : '-');
  }
  if (text.empty()) return std::nullopt;
  return text;
}

void append_tar_header(Bytes& to, const Entry& entry, const TarMember& member) {
  Block block{};
  Records records;
  const std::string path = entry.type == EntryType::directory ? entry.path + '/' : entry.path;
  const bool link = entry.type == EntryType::hard_link || entry.type == EntryType::symlink;
  if (member.sparse) {
    records.add("GNU.sparse.major", "1");
    records.add("GNU.sparse.minor", "0");
    records.add_name("GNU.sparse.name", path);
    records.add("GNU.sparse.realsize", std::to_string(entry.size));
    put_text(block.name, fmt::format("GNUSparseFile.0/{}", path));
  } else {
    put_path(block, path, records);
  }
  if (link) put_name(block.link_name, entry.link_target, "linkpath", records);
  put_octal(block.mode, entry.mode & 07777U);
  put_number(block.uid, entry.uid, "uid", records);
  put_number(block.gid, entry.gid, "gid", records);
  put_number(block.size, member.stored, "size", records);
  put_time(block, entry.mtime, records);
  if (member.owner_names) {
    put_name(block.user, entry.user, "uname", records);
    put_name(block.group, entry.group, "gname", records);
  }
  put_number(block.device_major, entry.device_major, "SCHILY.devmajor", records);
  put_number(block.device_minor, entry.device_minor, "SCHILY.devminor", records);
  block.type = type_of(entry.type);
  if (entry.type != EntryType::hard_link) {
    for (const Xattr& xattr : entry.xattrs) append_xattr(records, xattr);
  }
  const std::string text = records.take();
  if (!text.empty()) append_records(to, path, text);
  append_block(to, block);
}

void append_tar_end(Bytes& to) {
  to.insert(to.end(), 2 * k_tar_block, std::uint8_t{0});
}

}  // namespace cairn
