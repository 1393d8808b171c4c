#include "engine/notify/notice_text.hpp"

#include "util/bytes.hpp"
#include "util/json.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Notice failure_of_two() {
  Notice notice;
  notice.host = "node1";
  notice.run_id = "0a1b2c3d";
  notice.at = *parse_time("2026-11-21T03:24:10Z");
  Observation first;
  first.about = "source 'app'";
  first.condition = Condition::failed;
  first.status = ExitStatus::failed;
  first.source = "app";
  first.message = "unable to read '/srv/\x1b[2J': \xff";
  first.hint = "look";
  Observation second = first;
  second.about = "store 'there'";
  second.source.clear();
  notice.items = {{first, notice.at}, {second, notice.at}};
  return notice;
}

}  // namespace

TEST_CASE("notify text: JSON is one document, whatever bytes a message holds") {
  const Json json = Json::parse(json_of(failure_of_two()));
  CHECK(json.at("schema").string() == "cairn.notify/1");
  CHECK(json.at("event").string() == "failure");
  CHECK(json.at("subject").string() == "cairn on node1: failure: source 'app' and 1 more");
  CHECK(json.at("items").array().size() == 2);
  CHECK(json.at("items").array()[0].at("message").string() == "unable to read '/srv/\\x1b[2J': \\xff");
  CHECK(json.at("items").array()[1].at("source").is_null());
  CHECK(json.at("items").array()[1].at("since").string() == "2026-11-21T03:24:10.000000000Z");
}

TEST_CASE("notify text: a recovery says since when it was not well") {
  Notice notice = failure_of_two();
  notice.event = NotifyEvent::recovery;
  notice.items.pop_back();
  notice.items[0].seen.hint.clear();
  CHECK(text_of(notice) ==
        "source 'app': well again, after it was not since 2026-11-21 03:24:10 UTC\n\n"
        "host node1, run 0a1b2c3d, 2026-11-21 03:24:10 UTC\n");
}

TEST_CASE("notify text: the command has the facts of one thing, and of several none") {
  Notice notice = failure_of_two();
  const auto value = [&](const std::string& name) {
    for (const auto& [key, text] : environment_of(notice)) {
      if (key == name) return text;
    }
    return std::string{"absent"};
  };
  CHECK(value("CAIRN_EVENT") == "failure");
  CHECK(value("CAIRN_SOURCE").empty());
  CHECK(value("CAIRN_STORE") == "absent");
  notice.items.pop_back();
  CHECK(value("CAIRN_SOURCE") == "app");
  CHECK(value("CAIRN_EXIT_STATUS") == "1");
}

TEST_CASE("notify text: a ping says what did not go well") {
  const auto notice = failure_of_two();
  Observation well;
  well.about = "source 'other'";
  CHECK(ping_text(ExitStatus::failed, {well, notice.items[0].seen}, "0a1b2c3d") ==
        "failed (exit 1), run 0a1b2c3d\nsource 'app': failed: unable to read '/srv/\\x1b[2J': \\xff\n");
}

TEST_CASE("notify text: a mail has its headers, and none that a message adds") {
  const Time at = *parse_time("2026-11-21T03:04:05Z");
  CHECK(mail_of({"a@example.org", "root"}, "cairn@example.org", "all\nBcc: x@y\r\nis well", "text\n", at) ==
        "From: cairn@example.org\nTo: a@example.org,\n root\nSubject: all Bcc: x@y  is well\n"
        "Date: Sat, 21 Nov 2026 03:04:05 +0000\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 7bit\n\ntext\n");
}

TEST_CASE("notify text: a mail in other scripts is encoded, in words and lines that every server takes") {
  std::string subject;
  for (int i = 0; i < 40; ++i) subject += "größe ";
  const std::string mail = mail_of({"root"}, "", subject, "Größe: " + std::string(2000, 'x') + "\n", {});
  std::string decoded;
  std::size_t begin = 0;
  while (begin < mail.size()) {
    const std::string line = mail.substr(begin, mail.find('\n', begin) - begin);
    begin += line.size() + 1;
    CHECK(line.size() <= 90);
    const auto word = line.find("=?UTF-8?B?");
    if (word == std::string::npos) continue;
    CHECK(line.size() - word <= 75);
    const auto bytes = from_base64(line.substr(word + 10, line.find("?=", word + 10) - word - 10));
    REQUIRE(bytes);
    // Each by itself is UTF-8.
    CHECK((bytes->front() & 0xc0) != 0x80);
    decoded += as_text(*bytes);
  }
  CHECK(decoded == subject);
  CHECK(mail.find("Content-Transfer-Encoding: base64\n\n") != std::string::npos);
  // What looks like an encoded word is encoded, so that it is read as it was.
  CHECK(mail_of({"root"}, "", "=?UTF-8?B?eA==?=", "", {}).find("Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=") !=
        std::string::npos);
}

TEST_CASE("notify: addresses that a mail's header can hold") {
  for (const char* good : {"root", "ops@example.org", "a.b+c@sub.example.org", "x@localhost"}) {
    CHECK_MESSAGE(is_mail_address(good), good);
  }
  for (const char* wrong : {"", "@", "a@", "@b", "a b@c", "a@b\nBcc: c", "a,b", "A <a@b>", "-oQ/tmp", "a@b@c",
                            "gr\xc3\xb6\xc3\x9f@e", "\"a\"@b", "a;b"}) {
    CHECK_MESSAGE(!is_mail_address(wrong), wrong);
  }
}
