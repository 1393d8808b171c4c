#include "repo/manifest.hpp"
#include "repo/notes.hpp"
#include "unit/support.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

struct Keys {
  age::Identity owner = age::Identity::generate();
  Keyring host{{owner.recipient()}, age::Identity::generate(), {}};
  Keyring reader{{}, std::nullopt, [this] { return std::vector{owner}; }};
};

PackRef pack(const std::string& name, PackContent content) {
  PackRef ref;
  ref.name = sha256(name);
  ref.size = 1000;
  ref.directory_offset = 900;
  ref.directory_size = 68;
  ref.logical_id = sha256("content of " + name);
  ref.raw_bytes = 5000;
  ref.live_bytes = 400;
  ref.content = content;
  return ref;
}

Manifest sample() {
  Record record;
  record.series = "db";
  record.cut_point = *parse_time("2026-11-21T03:24:10Z");
  Facts facts;
  facts.salt = std::string(32, 'a');
  facts.host = "planted-host";
  facts.kind = "directory";
  facts.source = "/planted/path";
  facts.started = record.cut_point;
  facts.tags = {{"planted", "tag"}};
  Root root;
  root.salt = std::string(32, 'b');
  root.extents = {{pack("a", PackContent::list).prefix(), 0, 3, 0}};
  return Manifest::make(record, facts, root, {pack("a", PackContent::list), pack("b", PackContent::files)});
}

}  // namespace

TEST_CASE("sealed manifest: the same snapshot, and nothing private to be seen") {
  Keys keys;
  const Manifest before = sample();
  const std::string text = before.text(keys.host);
  for (const auto& secret : {std::string{"planted"}, before.packs[0].logical_id.hex(), before.packs[1].logical_id.hex(),
                             before.root.packs.hex()}) {
    CHECK(text.find(secret) == std::string::npos);
  }
  for (const Keyring* ring : {&keys.host, &keys.reader}) {
    const Manifest after = Manifest::parse(text, "m", *ring);
    CHECK_FALSE(after.closed);
    CHECK(after.id == before.id);
    CHECK(after.text() == before.text());
    CHECK(after.packs == before.packs);
    const auto head = Manifest::parse_head(text.substr(0, 4096), "m", *ring);
    REQUIRE(head);
    CHECK(head->facts.host == "planted-host");
  }
}

TEST_CASE("sealed manifest: without a key it is closed, and what needs no key is there") {
  Keys keys;
  const Manifest before = sample();
  const Manifest closed = Manifest::parse(before.text(keys.host), "m");
  CHECK(closed.closed);
  CHECK(closed.id == before.id);
  CHECK(closed.record.series == "db");
  REQUIRE(closed.packs.size() == 2);
  CHECK(closed.packs[0].name == before.packs[0].name);
  CHECK(closed.packs[0].size == 1000);
  CHECK(closed.packs[0].logical_id == Digest{});
  CHECK(failure_of([&] { closed.require_open(); }) == ErrorKind::no_key);
  CHECK(failure_of([&] { closed.text(); }) == ErrorKind::no_key);
  CHECK_NOTHROW(before.require_open());
}

TEST_CASE("sealed manifest: parts of two manifests do not go together") {
  Keys keys;
  const Manifest a = sample();
  Manifest other = sample();
  other.facts.salt = std::string(32, 'c');
  other = Manifest::make(other.record, other.facts, other.root, other.packs);
  const auto part = [](const std::string& text, const std::string& from, const std::string& to) {
    const auto begin = text.find(from) + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
  };
  const std::string text = a.text(keys.host);
  const std::string mixed =
      replaced(text, part(text, "\"facts\":\"", "\""), part(other.text(keys.host), "\"facts\":\"", "\""));
  CHECK(failure_of([&] { Manifest::parse(mixed, "m", keys.host); }) == ErrorKind::damaged);
  // Sealed by somebody else for the same recipients, but not for this host.
  Keyring stranger{{keys.owner.recipient()}, age::Identity::generate(), {}};
  const std::string foreign =
      replaced(text, part(text, "\"root\":\"", "\""), part(a.text(stranger), "\"root\":\"", "\""));
  CHECK(failure_of([&] { Manifest::parse(foreign, "m", keys.host); }) == ErrorKind::damaged);
}

TEST_CASE("sealed manifest: an unknown seal is refused as unknown") {
  const std::string text = replaced(sample().text(), "\"seal\":\"none\",\"facts\"", "\"seal\":\"pgp:00\",\"facts\"");
  CHECK(failure_of([&] { Manifest::parse(text, "m"); }) == ErrorKind::failed);
}

TEST_CASE("sealed pending record: prune reads the names, the host that wrote it the rest") {
  Keys keys;
  PendingRecord record;
  record.run = std::string(32, 'a');
  record.host = "planted-host";
  record.created = *parse_time("2026-11-21T03:24:10Z");
  record.packs = {pack("a", PackContent::list), pack("b", PackContent::files)};
  const std::string text = record.text(keys.host);
  CHECK(text.find("planted") == std::string::npos);
  CHECK(text.find(record.packs[0].logical_id.hex()) == std::string::npos);
  const auto closed = PendingRecord::parse(text, "p");
  CHECK(closed.closed);
  REQUIRE(closed.packs.size() == 2);
  CHECK(closed.packs[1].name == record.packs[1].name);
  const auto open = PendingRecord::parse(text, "p", keys.host);
  CHECK_FALSE(open.closed);
  CHECK(open.host == "planted-host");
  CHECK(open.packs[0].logical_id == record.packs[0].logical_id);
  CHECK(open.packs[0].content == PackContent::list);
}
