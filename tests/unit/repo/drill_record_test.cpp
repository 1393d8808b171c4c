#include "repo/drill_record.hpp"

#include "repo/drill_store.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"
#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

DrillRecord sample(const std::string& time = "2026-11-21T03:24:10Z") {
  DrillRecord r;
  r.series = "state";
  r.id = sha256(std::string_view{"snapshot"});
  r.cut_point = *parse_time("2026-11-20T00:00:00Z");
  r.time = *parse_time(time);
  r.store = std::string(32, 'c');
  r.recovery = std::chrono::milliseconds{41234};
  r.host = "planted-host";
  r.versions = {{"cairn", "1.0"}, {"sqlite", "3.40.1"}};
  r.phases = {{"list", std::chrono::milliseconds{12}, 0}, {"fetch", std::chrono::milliseconds{900}, 4096}};
  r.checks = {{"integrity planted.db", DrillCheck::Result::passed, ""},
              {"rows planted.db", DrillCheck::Result::told, "planted: 10 rows, 12 before"}};
  DrillInventory held;
  held.path = "planted.db";
  held.kind = "sqlite";
  held.bytes = 8192;
  held.digest = std::string(64, 'd');
  held.newest = *parse_time("2026-11-19T00:00:00Z");
  held.counts = {{"planted_table", 10}};
  held.elements = {"column planted_table.a TEXT", "table planted_table"};
  r.inventories = {held};
  return r;
}

bool same_content(const DrillRecord& a, const DrillRecord& b) {
  return a.host == b.host && a.versions == b.versions && a.phases == b.phases && a.checks == b.checks &&
         a.inventories == b.inventories;
}

}  // namespace

TEST_CASE("drill record: parse gives back what was written; cut anywhere it is damaged") {
  const std::string text = sample().text();
  const auto back = DrillRecord::parse(text, "d");
  CHECK(back.text() == text);
  CHECK(same_content(back, sample()));
  CHECK(back.recovery == sample().recovery);
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    CHECK(failure_of([&] { DrillRecord::parse(text.substr(0, n), "d"); }) == ErrorKind::damaged);
  }
}

TEST_CASE("drill record: members out of range; what is not known is ignored") {
  const std::string text = sample().text();
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"\"series\":\"state\"", "\"series\":\"latest\""},
                                                                  {"\"outcome\":\"passed\"", "\"outcome\":\"maybe\""},
                                                                  {"\"store\":\"c", "\"store\":\"C"},
                                                                  {"\"recovery_ms\":4", "\"recovery_ms\":-4"},
                                                                  {"\"id\":\"", "\"id\":\"0"},
                                                                  {".000000000Z", "Z"},
                                                                  {"\\\"elements\\\":[", "\\\"elements\\\":[1,"},
                                                                  {"\\\"counts\\\"", "\\\"amounts\\\""},
                                                                  {"cairn-drill", "cairn-mark"}}) {
    const std::string to{change.second};
    CAPTURE(to);
    CHECK(failure_of([&] { DrillRecord::parse(replaced(text, change.first, to), "d"); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { DrillRecord::parse(replaced(text, "\"version\":1", "\"version\":2"), "d"); }) ==
        ErrorKind::failed);
  const auto more =
      replaced(replaced(text, "\"series\"", "\"later\":{\"a\":[1]},\"series\""), "{\\\"host", "{\\\"x\\\":1,\\\"host");
  CHECK(same_content(DrillRecord::parse(more, "d"), sample()));
  // A result that only a later program knows is neither a pass nor a failure.
  const auto unknown = replaced(text, "\\\"told\\\"", "\\\"odd\\\"");
  CHECK(DrillRecord::parse(unknown, "d").checks[1].result == DrillCheck::Result::skipped);
}

TEST_CASE("drill record: what is private is sealed, and what retention needs is not") {
  const age::Identity owner = age::Identity::generate();
  const Keyring host{{owner.recipient()}, age::Identity::generate(), {}};
  const Keyring reader{{}, std::nullopt, [&] { return std::vector{owner}; }};
  const std::string text = sample().text(host);
  CHECK(text.find("planted") == std::string::npos);
  CHECK(text.find("sqlite") == std::string::npos);
  CHECK(same_content(DrillRecord::parse(text, "d", host), sample()));
  CHECK(same_content(DrillRecord::parse(text, "d", reader), sample()));
  const auto closed = DrillRecord::parse(text, "d");
  CHECK(closed.closed);
  CHECK(closed.id == sample().id);
  CHECK(closed.outcome == DrillOutcome::passed);
  CHECK(closed.recovery == sample().recovery);
  CHECK(closed.checks.empty());
}

TEST_CASE("drill record: the signed line binds the outcome and every byte before the signature") {
  const TrustPolicy trust = test::trusting_author();
  const std::string text = sample().text(no_keys(), &test::author());
  const auto trusted = [&](const std::string& changed) {
    const auto r = DrillRecord::parse(changed, "d");
    return trust.judge(drill_line(r, r.unsigned_digest), r.series, r.signatures, r.time).trusted;
  };
  CHECK(trusted(text));
  for (const auto& change : std::initializer_list<std::pair<const char*, const char*>>{{"\"passed\"", "\"failed\""},
                                                                                       {"41234", "1"},
                                                                                       {"planted-host", "another-host"},
                                                                                       {"\"state\"", "\"other\""}}) {
    CAPTURE(change.first);
    CHECK_FALSE(trusted(replaced(text, change.first, change.second)));
  }
  CHECK_FALSE(trusted(sample().text()));
}

TEST_CASE("drill store: what cannot be read or is of the future is passed over; the newest that is trusted counts") {
  test::MemoryStore store;
  test::EngineFixture fixture{
      store, {}, "host", {}, test::trusting_author(), std::make_shared<const minisign::SecretKey>(test::author())};
  DrillStore& drills = fixture.repository.drills();
  const auto at = [&](std::chrono::minutes ago) {
    DrillRecord r = sample();
    r.time = shifted(store.now(), -ago);
    return r;
  };
  using std::chrono::minutes;
  const std::string first = drills.store(at(minutes{30}));
  DrillRecord second = at(minutes{20});
  second.outcome = DrillOutcome::failed;
  const std::string newest = drills.store(second);
  // Nobody whom we know signed it.
  const std::string forged = layout::drill_key("state", at(minutes{10}).time, sample().id, std::string(16, '0'));
  drills.put(forged, at(minutes{10}).text());
  drills.store(at(minutes{-90}));
  drills.put(layout::drill_key("state", at(minutes{5}).time, sample().id, std::string(16, '1')), "{}");
  drills.put(layout::drill_key("state", at(minutes{4}).time, sample().id, std::string(16, '2')), at(minutes{3}).text());

  const auto listed = drills.list("state");
  REQUIRE(listed.size() == 3);
  CHECK(listed[0].key == first);
  CHECK(listed[0].trusted);
  CHECK_FALSE(listed[2].trusted);
  CHECK(fixture.reporter.warnings.size() == 3);
  const auto found = newest_drills(listed);
  REQUIRE(found.size() == 1);
  CHECK(found.begin()->second.key == newest);
  CHECK(found.begin()->second.record.outcome == DrillOutcome::failed);
  CHECK(drills.list("other").empty());
  CHECK(drills.list().size() == 3);
}

TEST_CASE("drill store: a record never takes another one's place") {
  test::MemoryStore store;
  store.set_create_only(true);
  test::EngineFixture fixture{store};
  DrillStore& drills = fixture.repository.drills();
  const std::string key = layout::drill_key("state", sample().time, sample().id, std::string(16, '0'));
  drills.put(key, sample().text());
  drills.put(key, sample().text());
  DrillRecord other = sample();
  other.outcome = DrillOutcome::failed;
  CHECK(failure_of([&] { drills.put(key, other.text()); }) == ErrorKind::failed);
  CHECK(as_text(*store.get(key)) == sample().text());
}
