#include "repo/manifest.hpp"

#include "unit/support.hpp"
#include "util/json.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

PackRef pack(const std::string& name) {
  PackRef ref;
  ref.name = sha256(name);
  ref.size = 1000;
  ref.directory_offset = 900;
  ref.directory_size = 68;
  ref.logical_id = sha256("content of " + name);
  ref.raw_bytes = 5000;
  ref.live_bytes = 400;
  return ref;
}

Record sample_record() {
  Record r;
  r.series = "db";
  r.cut_point = *parse_time("2026-11-21T03:24:10.123456789Z");
  r.sequence = 7;
  r.previous = sha256(std::string_view{"before"});
  r.incomplete = true;
  return r;
}

Manifest sample() {
  Facts facts;
  facts.salt = std::string(32, 'a');
  facts.host = "host";
  facts.kind = "sqlite";
  facts.source = "/srv/\xff/db";
  facts.started = sample_record().cut_point;
  facts.single_file = true;
  facts.tags = {{"why", "é \"test\""}, {"", ""}};
  facts.stats = {1, 2, 3, 4, 5, 6, 7};
  facts.content = R"("page_size":4096,"more":{"content":{"x":1}})";
  Root root;
  root.salt = std::string(32, 'b');
  root.levels = 2;
  root.size = 123;
  root.extents = {{pack("a").prefix(), 0, 3, 0}, {pack("b").prefix(), 5, 1, 0}};
  return Manifest::make(sample_record(), facts, root, {pack("a"), pack("b")});
}

Manifest parse(const std::string& text) {
  return Manifest::parse(text, "m");
}

// The manifest with its facts or root replaced, digests made to fit again: an attacker can do that.
std::string with_root(const std::string& root_text) {
  Manifest m = sample();
  m.root_text = root_text;
  m.record.root = sha256(root_text);
  m.record_text = m.record.text();
  return m.text();
}
std::string with_facts(const std::string& facts_text) {
  Manifest m = sample();
  m.facts_text = facts_text;
  m.record.facts = sha256(facts_text);
  m.record_text = m.record.text();
  return m.text();
}
std::string with_record(const std::string& from, const std::string& to) {
  Manifest m = sample();
  m.record_text = replaced(m.record_text, from, to);
  return m.text();
}
std::string with_packs(std::vector<PackRef> packs) {
  const Manifest m = sample();
  return Manifest::make(m.record, m.facts, m.root, std::move(packs)).text();
}

}  // namespace

TEST_CASE("manifest: parse gives back what was written, text for text") {
  const Manifest before = sample();
  const Manifest after = parse(before.text());
  CHECK(after.text() == before.text());
  CHECK(after.id == before.id);
  CHECK(after.id == sha256(before.record_text));
  CHECK(after.record.text() == before.record.text());
  CHECK(after.facts.tags == before.facts.tags);
  CHECK(after.record.previous == before.record.previous);
  CHECK(after.facts.stats.errors == 7);
  CHECK(after.facts.text() == before.facts.text());
  CHECK(after.facts.source == "/srv/\xff/db");
  CHECK(after.facts.content == before.facts.content);
  CHECK(after.root.text() == before.root.text());
  CHECK(after.root.extents == before.root.extents);
  CHECK(after.packs == before.packs);
}

TEST_CASE("manifest: an empty one, the first of its series") {
  Record record;
  record.series = "s";
  const Manifest m = Manifest::make(record, {}, {}, {});
  const Manifest back = parse(m.text());
  CHECK_FALSE(back.record.previous);
  CHECK(back.packs.empty());
  CHECK(back.facts.content.empty());
  CHECK(back.root.packs == sha256(std::string_view{}));
}

TEST_CASE("manifest: the exact text of a record is what the id is taken over") {
  Record r = sample_record();
  r.previous.reset();
  CHECK(
      r.text() ==
      R"({"format":"cairn-record","version":1,"series":"db","cut_point":"2026-11-21T03:24:10.123456789Z","sequence":7,)"
      R"("previous":null,"incomplete":true,)"
      R"("facts":"0000000000000000000000000000000000000000000000000000000000000000",)"
      R"("root":"0000000000000000000000000000000000000000000000000000000000000000"})");
}

TEST_CASE("manifest: a doubt is a member of the record, which is not there where there is none") {
  Record r = sample_record();
  CHECK(r.text().find("doubt") == std::string::npos);
  CHECK(Record::parse(r.text()).doubt == Doubt::none);
  for (const auto& [doubt, name] : {std::pair{Doubt::emptied, "emptied"}, std::pair{Doubt::shrunk, "shrunk"}}) {
    r.doubt = doubt;
    CHECK(r.text().find(std::string{"\"incomplete\":true,\"doubt\":\""} + name + "\"") != std::string::npos);
    CHECK(Record::parse(r.text()).doubt == doubt);
  }
  // A value that a later program wrote is a doubt, too.
  for (const char* other : {"\"stale\"", "1", "{\"a\":[]}"}) {
    CHECK(Record::parse(replaced(r.text(), "\"shrunk\"", other)).doubt == Doubt::other);
  }
  CHECK(Record::parse(replaced(r.text(), "\"shrunk\"", "null")).doubt == Doubt::none);
}

TEST_CASE("manifest: the digest of its packs does not depend on their order or where they are stored") {
  PackRef other = pack("a");
  other.name = sha256(std::string_view{"elsewhere"});
  other.size = 2000;
  CHECK(packs_digest({pack("a"), pack("b")}) == packs_digest({pack("b"), other}));
  CHECK(packs_digest({pack("a")}) != packs_digest({pack("a"), pack("a")}));
  std::string both;
  const auto a = pack("a").logical_id;
  const auto b = pack("b").logical_id;
  both.append(as_text(std::min(a, b).bytes)).append(as_text(std::max(a, b).bytes));
  CHECK(packs_digest({pack("a"), pack("b")}) == sha256(both));
}

TEST_CASE("manifest: five lines, and the first alone is enough for a list") {
  const std::string text = sample().text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  CHECK(text.ends_with("}]}\n"));
  const auto end = text.find('\n');
  for (const std::size_t n : {end + 1, end + 2, text.size()}) {
    const auto head = Manifest::parse_head(text.substr(0, n), "m");
    REQUIRE(head);
    CHECK(head->id == sample().id);
    CHECK(head->facts.host == "host");
  }
  for (std::size_t n = 0; n <= end; ++n) CHECK_FALSE(Manifest::parse_head(text.substr(0, n), "m"));
}

TEST_CASE("manifest: cut anywhere it is damaged") {
  const std::string text = sample().text();
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    CHECK(failure_of([&] { parse(text.substr(0, n)); }) == ErrorKind::damaged);
  }
  CHECK(test::message_of([] { Manifest::parse("{}", "snapshots/x"); }).starts_with("damaged manifest 'snapshots/x': "));
}

TEST_CASE("manifest: any byte changed is refused, or changes nothing that is bound to the id") {
  const Manifest before = sample();
  const std::string text = before.text();
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string bad = text;
    bad[i] = bad[i] == '0' ? '1' : '0';
    try {
      const Manifest after = parse(bad);
      // The record itself (then it has another id), names, sizes and advice of packs: the object's own digest in its
      // name covers those. Facts, root and logical ids cannot differ under the same id.
      if (after.id == before.id) {
        CHECK(after.facts_text == before.facts_text);
        CHECK(after.root_text == before.root_text);
        CHECK(packs_digest(after.packs) == packs_digest(before.packs));
      }
    } catch (const Error& e) {
      CHECK((e.kind() == ErrorKind::damaged || e.kind() == ErrorKind::failed));
    }
  }
}

TEST_CASE("manifest: every member missing or twice is damaged") {
  const std::string text = sample().text();
  for (const char* key :
       {"format", "version", "requires_read", "requires_write", "requires_prune", "record", "seal", "facts", "root",
        "logical_ids", "raw_bytes", "live_bytes", "packs", "name", "size", "directory"}) {
    const std::string quoted = "\"" + std::string{key} + "\":";
    CAPTURE(key);
    CHECK(failure_of([&] { parse(replaced(text, quoted, "\"x\":")); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { parse(replaced(text, quoted, quoted + "null," + quoted)); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { parse(replaced(text, quoted, quoted + "null,\"x\":")); }) == ErrorKind::damaged);
  }
}

TEST_CASE("manifest: newer versions, seals and features are refused as such") {
  const std::string text = sample().text();
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"version\":1", "\"version\":2"},
           {"\"seal\":\"none\",\"facts\"", "\"seal\":\"age\",\"facts\""},
           {"\"seal\":\"none\"}", "\"seal\":\"age\"}"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { parse(replaced(text, from, to)); }) == ErrorKind::failed);
  }
  CHECK(failure_of([] { parse(with_record("\"version\":1", "\"version\":2")); }) == ErrorKind::failed);
  // A feature to read it may have changed the rest: that is not damage.
  CHECK(
      failure_of([] {
        parse(
            R"({"format":"cairn-manifest","version":1,"requires_read":["x"],"requires_write":[],"requires_prune":[]})");
      }) == ErrorKind::failed);
  // Where it parses, what a feature forbids is for the caller: a prune does not read content.
  CHECK(parse(replaced(text, "\"requires_read\":[]", "\"requires_read\":[\"x\"]")).requirements.read.size() == 1);
  CHECK(parse(replaced(text, "\"requires_prune\":[]", "\"requires_prune\":[\"x\"]")).requirements.prune.size() == 1);
  CHECK_NOTHROW(parse(replaced(text, "\"signatures\":[]", "\"signatures\":[\"one day\"]")));
  CHECK_NOTHROW(parse(replaced(text, "{", "{\"later\":1,")));
}

TEST_CASE("manifest: signatures that are not known are written again as they were read, in their places") {
  Manifest signed_one = sample();
  signed_one.signatures = {{"RWQa", "mine"}, {"RWQb", "theirs"}};
  const std::string first = "{\"key\":\"RWQa\",\"minisig\":\"mine\"}";
  const std::string later = R"({"kind":"later","n":1.50,"u":"\u0041"},[null,{"key":1}],"x",)" + first;
  const std::string text = replaced(signed_one.text(), first, later);
  const Manifest read = parse(text);
  REQUIRE(read.signatures.size() == 2);
  CHECK(read.signatures[0].key == "RWQa");
  CHECK(read.text() == text);
  // More of a signature than its key and what it signed with it belongs to it, too.
  const std::string more = replaced(signed_one.text(), "\"mine\"}", "\"mine\",\"more\":[1]}");
  CHECK(parse(more).signatures.size() == 2);
  CHECK(parse(more).text() == more);
  // However they were written, a line break is in its places only: the first line is one.
  CHECK(parse(replaced(text, "\"kind\":", "\"kind\"\n:")).text() == text);
}

TEST_CASE("manifest: tags and numbers of the facts out of range") {
  const std::string facts = sample().facts_text;
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"\"why\":\"", "\"why\":1,\"y\":\""},
                                                                  {"\"entries\":1", "\"entries\":1.5"},
                                                                  {"\"tags\":{", "\"tags\":{\"why\":\"\","}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    const std::string changed = replaced(facts, from, to);
    CHECK(failure_of([&] { parse(with_facts(changed)); }) == ErrorKind::damaged);
  }
}

TEST_CASE("manifest: a record out of range") {
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"\"db\"", "\"latest\""},
                                                                  {"\"db\"", "\"a/b\""},
                                                                  {"\"db\"", "\"\""},
                                                                  {":7,\"previous\"", ":0,\"previous\""},
                                                                  {":7,\"previous\"", ":-1,\"previous\""},
                                                                  {"10.123456789Z", "10Z"},
                                                                  {"\"incomplete\":true", "\"incomplete\":1"},
                                                                  {"cairn-record", "cairn-manifest"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { parse(with_record(from, to)); }) == ErrorKind::damaged);
  }
}

TEST_CASE("manifest: facts out of range, whoever made their digest fit") {
  const std::string facts = sample().facts_text;
  CHECK_NOTHROW(parse(with_facts(facts)));
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"salt\":\"", "\"salt\":1,\"x\":\""},
           {"source_b64\":\"", "source_b64\":\"*"},
           {"\"source_b64\":\"", "\"source_b64\":\"eA==\",\"x\":\""},
           {"\"source_b64\"", "\"source\":\"x\",\"source_b64\""},
           {"\"single_file\":true", "\"single_file\":0"},
           {"\"content\":{", "\"content\":1,\"x\":{"},
           {"\"host\"", "\"h\""},
           {"\"started\":\"2", "\"started\":\"x"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    const std::string bad = with_facts(replaced(facts, from, to));
    CHECK(failure_of([&] { parse(bad); }) == ErrorKind::damaged);
  }
}

TEST_CASE("manifest: facts whose content is no last member, or written with white space, are facts without") {
  const std::string facts = sample().facts_text;
  const std::string content = sample().facts.content;
  CHECK(Facts::parse(facts).content == content);
  for (const std::string& changed :
       {facts.substr(0, facts.size() - 1) + " }", facts.substr(0, facts.size() - 1) + ",\"more\":{}}",
        facts.substr(0, facts.size() - 1) + ",\"more\":{\"a\":1}}", replaced(facts, "\"content\":", "\"content\": "),
        replaced(facts, "\"salt\"", "\"x\":{\"content\":{\"a\":1}},\"salt\""), facts + "\n"}) {
    CAPTURE(changed);
    CHECK(Facts::parse(changed).content.empty());
    CHECK_NOTHROW(parse(with_facts(changed)));
  }
}

TEST_CASE("manifest: a root out of range, whoever made its digest fit") {
  const std::string root = sample().root_text;
  CHECK_NOTHROW(parse(with_root(root)));
  const std::string extent = root.substr(root.find("[[") + 1, root.find(']') - root.find("[["));
  for (const std::string& to :
       {std::string{"[4096]"}, std::string{"[]"}, std::string{"null"}, std::string{"[\"0123456789abcdef\",0]"},
        std::string{"[\"0123456789abcdef\",0,0]"}, std::string{"[\"0123456789abcdef\",-1,1]"},
        std::string{"[\"0123456789abcdef\",16777217,1]"}, std::string{"[\"0123456789abcdef\",0,16777217]"},
        std::string{"[\"0123456789abcde\",0,1]"}, std::string{"[\"0123456789abcdeg\",0,1]"},
        std::string{"[\"0123456789ABCDEF\",0,1]"}, std::string{"[\"0123456789abcdef\",0,1,1]"},
        std::string{"[0,0,1]"}}) {
    CAPTURE(to);
    const std::string bad = with_root(replaced(root, extent, to));
    CHECK(failure_of([&] { parse(bad); }) == ErrorKind::damaged);
  }
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"\"levels\":2", "\"levels\":9"},
                                                                  {"\"levels\":2", "\"levels\":-1"},
                                                                  {"\"size\":123", "\"size\":9007199254740992"},
                                                                  {"\"packs\":\"", "\"packs\":\"0"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    const std::string bad = with_root(replaced(root, from, to));
    CHECK(failure_of([&] { parse(bad); }) == ErrorKind::damaged);
  }
}

TEST_CASE("manifest: facts or root of another snapshot do not pass") {
  Manifest m = sample();
  m.facts_text = replaced(m.facts_text, "host", "most");
  CHECK(failure_of([&] { parse(m.text()); }) == ErrorKind::damaged);
  m = sample();
  m.root_text = replaced(m.root_text, "123", "124");
  CHECK(failure_of([&] { parse(m.text()); }) == ErrorKind::damaged);
}

TEST_CASE("manifest: a pack more, less, twice or exchanged does not pass") {
  CHECK_NOTHROW(parse(with_packs({pack("a")})));
  Manifest m = sample();
  m.packs.push_back(pack("c"));
  CHECK(failure_of([&] { parse(m.text()); }) == ErrorKind::damaged);
  m = sample();
  m.packs.pop_back();
  CHECK(failure_of([&] { parse(m.text()); }) == ErrorKind::damaged);
  m = sample();
  m.packs[1].logical_id = sha256(std::string_view{"other"});
  CHECK(failure_of([&] { parse(m.text()); }) == ErrorKind::damaged);
  // Two whose logical ids begin alike: extents could mean either.
  PackRef twin = pack("c");
  twin.logical_id = pack("a").logical_id;
  twin.logical_id.bytes[31] ^= 1;
  CHECK(failure_of([&] { parse(with_packs({pack("a"), twin})); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { parse(with_packs({pack("a"), pack("a")})); }) == ErrorKind::damaged);
}

TEST_CASE("manifest: pack ranges and lists that do not fit") {
  const std::string text = sample().text();
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"[900,68]", "[900,69]"},
                                                                  {"[900,68]", "[31,937]"},
                                                                  {"[900,68]", "[900]"},
                                                                  {"[900,68]", "[900,68,0]"},
                                                                  {"[900,68]", "[-1,68]"},
                                                                  {"\"size\":1000", "\"size\":63"},
                                                                  {"\"size\":1000", "\"size\":9007199254740991"},
                                                                  {"\"raw_bytes\":[5000,", "\"raw_bytes\":["},
                                                                  {"\"live_bytes\":[", "\"live_bytes\":[1,"},
                                                                  {"\"logical_ids\":[", "\"logical_ids\":[\"00\","},
                                                                  {"\"packs\":[", "\"packs\":[null,"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { parse(replaced(text, from, to)); }) == ErrorKind::damaged);
  }
}
