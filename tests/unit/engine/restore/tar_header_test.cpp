#include "engine/restore/tar_header.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Entry file(std::string path) {
  Entry entry;
  entry.path = std::move(path);
  entry.mode = 0640;
  entry.uid = 1000;
  entry.gid = 100;
  entry.user = "someone";
  entry.group = "users";
  entry.mtime = Time{std::chrono::seconds{1'000'000'000}};
  return entry;
}

std::string header(const Entry& entry, const TarMember& member = {}) {
  Bytes bytes;
  append_tar_header(bytes, entry, member);
  CHECK(bytes.size() % k_tar_block == 0);
  return std::string{as_text(bytes)};
}

// The records before the header; nothing where there are none.
std::string records(const Entry& entry, const TarMember& member = {}) {
  const std::string all = header(entry, member);
  if (all.size() == k_tar_block) return {};
  REQUIRE(all[156] == 'x');
  const std::size_t size = std::stoul(all.substr(124, 11), nullptr, 8);
  CHECK(all.size() == 2 * k_tar_block + size + tar_padding(size));
  return all.substr(k_tar_block, size);
}

}  // namespace

TEST_CASE("tar header: what fits stands in the block, byte by byte") {
  const std::string block = header(file("a"), {.stored = 5});
  REQUIRE(block.size() == k_tar_block);
  CHECK(block.substr(0, 2) == std::string("a\0", 2));
  CHECK(block.substr(100, 36) == std::string("0000640\0"
                                             "0001750\0"
                                             "0000144\0"
                                             "00000000005\0",
                                             36));
  CHECK(block.substr(136, 12) == std::string("07346545000\0", 12));
  CHECK(block[156] == '0');
  CHECK(block.substr(257, 8) == std::string("ustar\0"
                                            "00",
                                            8));
  CHECK(block.substr(265, 8) == std::string("someone\0", 8));
  CHECK(block.substr(297, 6) == std::string("users\0", 6));
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(block[i]);
  }
  CHECK(std::stoul(block.substr(148, 6), nullptr, 8) == sum);
  CHECK(header(file("a"), {.owner_names = false}).substr(265, 8) == std::string(8, '\0'));
}

TEST_CASE("tar header: names as they are, split or in a record") {
  CHECK(records(file("\xff\xfe")).empty());
  const std::string split = std::string(120, 'd') + '/' + std::string(100, 'f');
  CHECK(records(file(split)).empty());
  CHECK(header(file(split)).substr(345, 120) == std::string(120, 'd'));
  CHECK(header(file(split)).substr(0, 100) == std::string(100, 'f'));
  const std::string name(101, 'n');
  CHECK(records(file(name)) == "111 path=" + name + "\n");
  const std::string bytes(120, '\xff');
  CHECK(records(file(bytes)) == "21 hdrcharset=BINARY\n130 path=" + bytes + "\n");
  Entry link = file("l");
  link.type = EntryType::symlink;
  link.link_target = name;
  CHECK(records(link) == "115 linkpath=" + name + "\n");
  Entry root = file(".");
  root.type = EntryType::directory;
  CHECK(header(root).substr(0, 3) == std::string("./\0", 3));
}

TEST_CASE("tar header: numbers that are too large, and times") {
  Entry large = file("a");
  large.uid = 3'000'000;
  CHECK(records(large, {.stored = 1ULL << 33}) == "15 uid=3000000\n19 size=8589934592\n");
  CHECK(records(file("a"), {.stored = (1ULL << 33) - 1}).empty());
  const auto time_of = [](std::int64_t nanoseconds) {
    Entry entry = file("a");
    entry.mtime = Time{Nanoseconds{nanoseconds}};
    return records(entry);
  };
  CHECK(time_of(1'234'567'890'123'456'789) == "30 mtime=1234567890.123456789\n");
  CHECK(time_of(-500'000'000) == "22 mtime=-0.500000000\n");
  CHECK(time_of(-1'250'000'000) == "22 mtime=-1.250000000\n");
  CHECK(time_of(0).empty());
}

TEST_CASE("tar header: attributes and access control lists") {
  Entry entry = file("a");
  entry.xattrs = {{"user.a=b%3Dc%q", std::string("v\0\n", 3)}};
  CHECK(records(entry) == "39 SCHILY.xattr.user.a%3Db%253Dc%q=" + std::string("v\0\n\n", 4));
  const auto item = [](unsigned tag, unsigned rights, unsigned id) {
    Bytes bytes;
    put_u32(bytes, tag | rights << 16U);
    put_u32(bytes, id);
    return std::string{as_text(bytes)};
  };
  const std::string version("\2\0\0\0", 4);
  const std::string acl = version + item(1, 6, ~0U) + item(2, 7, 1234) + item(4, 4, ~0U) + item(8, 1, 7) +
                          item(16, 7, ~0U) + item(32, 0, ~0U);
  const std::string text = "user::rw-,user:1234:rwx,group::r--,group:7:--x,mask::rwx,other::---";
  CHECK(acl_text(acl) == text);
  for (const std::string& bad : {std::string{}, version, acl.substr(1), acl + "x", version + item(3, 0, 0),
                                 version + item(1, 8, 0), "\3" + acl.substr(1)}) {
    CHECK_FALSE(acl_text(bad));
  }
  entry.xattrs = {{"system.posix_acl_access", acl}, {"system.posix_acl_default", "none"}};
  CHECK(records(entry) == "89 SCHILY.acl.access=" + text + "\n46 SCHILY.xattr.system.posix_acl_default=none\n");
}
