#include "repo/entry_text.hpp"

#include "unit/support.hpp"
#include "util/bytes.hpp"
#include "util/json.hpp"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

const Time k_time = *parse_time("2026-11-21T03:24:10.123456789Z");

Entry file() {
  Entry e;
  e.path = "dir/na\xff\nme";
  e.mode = 04755;
  e.uid = UINT32_MAX;
  e.gid = 5;
  e.user = "root";
  e.group = "gr\xe9";
  e.mtime = Time{Nanoseconds{-1}};
  e.ctime = k_time;
  e.inode = UINT64_MAX;
  e.size = 30;
  e.xattrs = {{"system.posix_acl_access", std::string{"\0\x01\xff", 3}}, {"user.\xfe", ""}};
  return e;
}

Entry other(EntryType type) {
  Entry e;
  e.path = "x";
  e.type = type;
  e.mode = 0644;
  e.mtime = k_time;
  if (type == EntryType::symlink) e.link_target = "/any\xff";
  if (type == EntryType::hard_link) e.link_target = "a/b";
  if (type == EntryType::block_device || type == EntryType::char_device) {
    e.device_major = 8;
    e.device_minor = 1048575;
  }
  return e;
}

EntryLine parse(const std::string& line) {
  return EntryLineParser{}.parse(line);
}
std::string line_of(const Entry& e) {
  if (e.type != EntryType::file) return write_entry_head(e) + "}";
  std::string line = finish_entry_line(write_entry_head(e), {{0x0123456789abcdef, 1, 2, 0}, Extent::make_hole(7)}, 0);
  line.pop_back();
  return line;
}

}  // namespace

TEST_CASE("entry lines: every kind comes back as it was") {
  for (const auto type : {EntryType::directory, EntryType::symlink, EntryType::hard_link, EntryType::fifo,
                          EntryType::socket, EntryType::char_device, EntryType::block_device}) {
    const Entry before = other(type);
    const auto after = parse(line_of(before)).entry;
    REQUIRE(after);
    CHECK(line_of(*after) == line_of(before));
    CHECK(after->type == type);
    CHECK(after->link_target == before.link_target);
    CHECK(after->device_minor == before.device_minor);
  }
  const EntryLine line = parse(line_of(file()));
  REQUIRE(line.entry);
  CHECK(line.entry->path == file().path);
  CHECK(line.entry->group == file().group);
  CHECK(line.entry->mtime == file().mtime);
  CHECK(line.entry->inode == UINT64_MAX);
  CHECK(line.entry->uid == UINT32_MAX);
  CHECK(line.entry->xattrs == file().xattrs);
  CHECK(line.extents == std::vector<Extent>{{0x0123456789abcdef, 1, 2, 0}, Extent::make_hole(7)});
  CHECK(line_of(*line.entry) == line_of(file()));
}

TEST_CASE("entry lines: exact text") {
  Entry e = file();
  e.path = "a";
  e.group = "";
  e.xattrs.clear();
  e.inode = 12;
  e.mtime = k_time;
  CHECK(
      finish_entry_line(write_entry_head(e), {}, 3) ==
      R"({"path":"a","type":"file","mode":2541,"uid":4294967295,"gid":5,"user":"root","mtime":"2026-11-21T03:24:10.123456789Z",)"
      R"("ctime":"2026-11-21T03:24:10.123456789Z","inode":"12","size":30,"parts":3})"
      "\n");
  CHECK(write_part_line(5, {Extent::make_hole(5)}) == "{\"part\":5,\"extents\":[[5]]}\n");
  CHECK(Json::parse("{" + entry_members(e) + "}").at("path").string() == "a");
}

TEST_CASE("entry lines: parts") {
  const EntryLine part = parse(R"({"part":9007199254740991,"extents":[["0123456789abcdef",0,1]]})");
  CHECK_FALSE(part.entry);
  CHECK(part.part_size == 9007199254740991);
  CHECK(part.extents.size() == 1);
  for (const char* bad :
       {R"({"part":5})", R"({"part":0,"extents":[]})", R"({"part":5,"extents":[],"x":1})",
        R"({"part":5,"extents":[],"part":5})", R"({"extents":[],"part":5})", R"({"part":-1,"extents":[]})",
        R"({"part":9007199254740992,"extents":[]})", R"({"part":"5","extents":[]})", R"({"part":5,"extents":{}})"}) {
    CAPTURE(bad);
    CHECK(failure_of([&] { parse(bad); }) == ErrorKind::damaged);
  }
}

TEST_CASE("entry lines: cut anywhere they are damaged") {
  for (const auto type : {EntryType::directory, EntryType::symlink, EntryType::hard_link, EntryType::block_device}) {
    const std::string line = line_of(other(type));
    for (std::size_t n = 0; n < line.size(); ++n) {
      CHECK(failure_of([&] { parse(line.substr(0, n)); }) == ErrorKind::damaged);
    }
  }
  const std::string line = line_of(file());
  for (std::size_t n = 0; n < line.size(); ++n) {
    CHECK(failure_of([&] { parse(line.substr(0, n)); }) == ErrorKind::damaged);
  }
}

TEST_CASE("entry lines: a member that its type needs missing, or twice, or one it cannot have") {
  const auto check_all = [](const std::string& line, std::initializer_list<const char*> required) {
    for (const char* key : required) {
      const std::string quoted = "\"" + std::string{key} + "\":";
      CAPTURE(line);
      CAPTURE(key);
      const auto at = line.find(quoted);
      REQUIRE(at != std::string::npos);
      auto end = line.find(",\"", at);
      std::string without = line.substr(0, at) + (end == std::string::npos ? "\"uid\":0}" : line.substr(end + 1));
      CHECK(failure_of([&] { parse(without); }) == ErrorKind::damaged);
      const std::string value = line.substr(at, end == std::string::npos ? line.size() - 1 - at : end - at);
      CHECK(failure_of([&] { parse(replaced(line, "{", "{" + value + ",")); }) == ErrorKind::damaged);
    }
  };
  check_all(line_of(other(EntryType::directory)), {"path", "type", "mode", "uid", "gid", "mtime"});
  check_all(line_of(other(EntryType::symlink)), {"path", "type", "mode", "uid", "gid", "mtime", "target_b64"});
  check_all(line_of(other(EntryType::hard_link)), {"path", "type", "target"});
  Entry plain = file();
  plain.xattrs.clear();
  check_all(line_of(plain), {"path_b64", "type", "mode", "uid", "gid", "mtime", "size", "extents"});

  const auto with = [](EntryType type, const std::string& member) {
    return failure_of([&] { parse(replaced(line_of(other(type)), "{", "{" + member + ",")); });
  };
  for (const auto type : {EntryType::directory, EntryType::symlink, EntryType::hard_link, EntryType::fifo,
                          EntryType::socket, EntryType::char_device}) {
    for (const char* member : {R"("size":0)", R"("extents":[])", R"("parts":1)", R"("inode":"1")",
                               R"("ctime":"2026-11-21T03:24:10.123456789Z")", R"("later":1)"}) {
      CHECK(with(type, member) == ErrorKind::damaged);
    }
  }
  CHECK(with(EntryType::directory, R"("target":"x")") == ErrorKind::damaged);
  CHECK(with(EntryType::fifo, R"("device":[1,2])") == ErrorKind::damaged);
  for (const char* member : {R"("mode":0)", R"("uid":0)", R"("user":"x")", R"("xattrs":[])",
                             R"("mtime":"2026-11-21T03:24:10.123456789Z")"}) {
    CHECK(with(EntryType::hard_link, member) == ErrorKind::damaged);
  }
  CHECK(failure_of([] { parse(replaced(line_of(file()), "{", "{\"target\":\"x\",")); }) == ErrorKind::damaged);
  CHECK(failure_of([] { parse(replaced(line_of(file()), "{", "{\"path\":\"x\",")); }) == ErrorKind::damaged);
  CHECK(failure_of([] { parse(replaced(line_of(file()), "{", "{\"parts\":1,")); }) == ErrorKind::damaged);
}

TEST_CASE("entry lines: values out of range") {
  const std::string line = line_of(file());
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"mode\":2541", "\"mode\":4096"},
           {"\"mode\":2541", "\"mode\":-1"},
           {"\"mode\":2541", "\"mode\":1.0"},
           {"\"gid\":5", "\"gid\":4294967296"},
           {"\"size\":30", "\"size\":9007199254740992"},
           {"\"size\":30", "\"size\":0"},
           {"\"18446744073709551615\"", "\"18446744073709551616\""},
           {"\"18446744073709551615\"", "\"\""},
           {"\"18446744073709551615\"", "\"-1\""},
           {"\"18446744073709551615\"", "12"},
           {"03:24:10.123456789Z", "03:24:10Z"},
           {"\"file\"", "\"door\""},
           {"\"path_b64\":\"", "\"path_b64\":\"*"},
           {"\"path_b64\":\"", "\"path\":\"/etc/"},
           {"[7]", "[0]"},
           {"[7]", "[9007199254740992]"},
           {"[7]", "[]"},
           {"[7]", "7"},
           {"[7]", "[\"0123456789abcdef\",1]"},
           {",1,2]", ",1,0]"},
           {",1,2]", ",16777217,2]"},
           {",1,2]", ",1,16777217]"},
           {",1,2]", ",-1,2]"},
           {"0123456789abcdef", "0123456789abcdeF"},
           {"0123456789abcdef", "0123456789abcde"},
           {"\"value_b64\":\"", "\"value\":\""},
           {"\"value_b64\":\"", "\"value_b64\":\"*"},
           {"\"name\":\"system.posix_acl_access\"", "\"name\":\"\""},
           {"\"name\":\"system.posix_acl_access\"", "\"name\":\"a\\u0000b\""},
           {"\"name\":\"system.posix_acl_access\"", "\"name\":\"a\",\"name_b64\":\"YQ==\""},
           {"\"name\":\"system.posix_acl_access\",", ""},
           {"\"name\":\"system.posix_acl_access\"", "\"name_b64\":\"YQ==\""},
           {"\"name\":\"system.posix_acl_access\"", "\"name\":\"z\""},
           {"\"xattrs\":[", "\"xattrs\":[1,"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { parse(replaced(line, from, to)); }) == ErrorKind::damaged);
  }
  // The same attribute twice.
  CHECK(failure_of([&] {
          parse(
              replaced(line, "\"xattrs\":[", "\"xattrs\":[{\"name\":\"system.posix_acl_access\",\"value_b64\":\"\"},"));
        }) == ErrorKind::damaged);
  const std::string device = line_of(other(EntryType::block_device));
  for (const char* to : {"[8]", "[8,1,2]", "[8,-1]", "[8,4294967296]", "8"}) {
    CHECK(failure_of([&] { parse(replaced(device, "[8,1048575]", to)); }) == ErrorKind::damaged);
  }
  const std::string link = line_of(other(EntryType::hard_link));
  for (const char* to : {"../b", "/b", "", "a//b", "a\\u0000"}) {
    CHECK(failure_of([&] { parse(replaced(link, "a/b", to)); }) == ErrorKind::damaged);
  }
  Entry symlink = other(EntryType::symlink);
  symlink.link_target = "t";
  for (const char* to : {"\"\"", "\"a\\u0000b\"", "1"}) {
    CHECK(failure_of([&] { parse(replaced(line_of(symlink), "\"t\"", to)); }) == ErrorKind::damaged);
  }
}

TEST_CASE("entry lines: hostile paths are refused whichever way they are written") {
  const std::string line = line_of(other(EntryType::directory));
  for (const std::string& path :
       {std::string{"../x"}, std::string{"/x"}, std::string{"a/../../x"}, std::string{}, std::string{"a/"}}) {
    CHECK(failure_of([&] { parse(replaced(line, "\"path\":\"x\"", "\"path\":\"" + path + "\"")); }) ==
          ErrorKind::damaged);
    CHECK(failure_of([&] {
            parse(replaced(line, "\"path\":\"x\"", "\"path_b64\":\"" + to_base64(as_bytes(path)) + "\""));
          }) == ErrorKind::damaged);
  }
}

TEST_CASE("entry lines: text is not written as base64, nor attributes where there are none") {
  const std::string line = line_of(other(EntryType::directory));
  CHECK_NOTHROW(parse(line));
  CHECK_NOTHROW(parse(replaced(line, "\"path\":\"x\"", "\"path_b64\":\"/w==\"")));
  for (const char* path : {"eA==", "w6Q="}) {
    CHECK(failure_of([&] { parse(replaced(line, "\"path\":\"x\"", fmt::format("\"path_b64\":\"{}\"", path))); }) ==
          ErrorKind::damaged);
  }
  for (const char* member : {"\"user_b64\":\"eA==\"", "\"group_b64\":\"eA==\"", "\"xattrs\":[]"}) {
    CHECK(failure_of([&] { parse(replaced(line, "{", fmt::format("{{{},", member))); }) == ErrorKind::damaged);
  }
  const std::string link = line_of(other(EntryType::hard_link));
  CHECK(failure_of([&] { parse(replaced(link, "\"target\":\"a/b\"", "\"target_b64\":\"YS9i\"")); }) ==
        ErrorKind::damaged);
}

TEST_CASE("entry lines: not an object, or more than one") {
  for (const char* bad : {"", " ", "null", "[]", "1", "{}", "{} {}", "\xff"}) {
    CHECK(failure_of([&] { parse(bad); }) == ErrorKind::damaged);
  }
}
