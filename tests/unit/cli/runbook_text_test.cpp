#include "cli/runbook_text.hpp"

#include <algorithm>
#include <chrono>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now = Time{std::chrono::seconds{1'800'000'000}};

RunbookSnapshot snapshot(char digit, Nanoseconds age) {
  return {Digest::parse(std::string(64, digit)).value(), k_now - age};
}

RunbookSeries database() {
  RunbookSeries series;
  series.series = "state";
  series.newest = snapshot('a', 1h);
  series.kind = "sqlite";
  series.source = "/var/lib/it's/state.db";
  series.host = "node1";
  return series;
}

RunbookFacts facts_of(std::vector<RunbookSeries> series) {
  RunbookFacts facts;
  facts.made = k_now;
  facts.host = "node1";
  facts.version = "9.9";
  facts.store = {"offsite", "/srv/backup"};
  facts.series = std::move(series);
  return facts;
}

std::vector<std::string> commands_of(const RunbookFacts& facts) {
  std::vector<std::string> out;
  for (const auto& block : runbook_of(facts).blocks) {
    if (const auto* commands = std::get_if<CommandLines>(&block)) {
      out.insert(out.end(), commands->lines.begin(), commands->lines.end());
    }
  }
  return out;
}

bool has(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

// The whole text as one line.
std::string said(const RunbookFacts& facts) {
  std::string text = as_text(runbook_of(facts));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

bool says(const RunbookFacts& facts, const std::string& words) {
  return said(facts).find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("runbook: a database goes back beside, and its old log goes with the old one") {
  const auto lines = commands_of(facts_of({database()}));
  CHECK(has(lines, "export CAIRN_STORE=/srv/backup"));
  CHECK(has(lines, R"(cairn restore aaaaaaaaaaaa '/var/lib/it'\''s/state.db.restored')"));
  CHECK(has(lines, R"(mv '/var/lib/it'\''s/state.db' '/var/lib/it'\''s/state.db.broken')"));
  CHECK(has(lines, R"([ ! -e '/var/lib/it'\''s/state.db-wal' ] || mv '/var/lib/it'\''s/state.db-wal' )"
                   R"('/var/lib/it'\''s/state.db.broken-wal')"));
}

TEST_CASE("runbook: keys are asked for by name, and trusted ones go with the commands of their series") {
  RunbookFacts facts = facts_of({database()});
  CHECK_FALSE(says(facts, "age identity"));
  facts.recipients = {"age1abc"};
  facts.identity = "/etc/cairn/identity";
  facts.trusted_keys = {{"RWkey", "state"}};
  facts.series[0].trusted_keys = {"RWkey"};
  CHECK(says(facts, "age1abc"));
  CHECK(says(facts, "'/etc/cairn/identity'"));
  const auto lines = commands_of(facts);
  CHECK(has(lines, "export CAIRN_IDENTITY=/path/to/identity"));
  CHECK(has(lines, "cairn show state --trusted-key RWkey"));
}

TEST_CASE("runbook: it says which snapshot a drill has proven, and in what time") {
  RunbookFacts facts = facts_of({database()});
  CHECK(says(facts, "No drill has restored one of this series"));
  facts.series[0].proven = snapshot('b', 50h);
  facts.series[0].drilled = k_now - 49h;
  facts.series[0].recovery = 41s;
  CHECK(says(facts, "The newest that a drill has restored is bbbbbbbbbbbb"));
  CHECK(says(facts, "that took 41.0 s"));
  facts.series[0].proven = facts.series[0].newest;
  CHECK(says(facts, "A drill restored it 2 d 1 h ago, in 41.0 s."));
}

TEST_CASE("runbook: what is not known is not made up") {
  RunbookSeries sealed;
  sealed.series = "sealed";
  sealed.newest = snapshot('c', 1h);
  RunbookSeries none;
  none.series = "none";
  none.remark = "2 newer are incomplete";
  const RunbookFacts facts = facts_of({sealed, none});
  CHECK(says(facts, "choose the place"));
  CHECK(says(facts, "To know: 2 newer are incomplete."));
  CHECK(says(facts, "There is no snapshot that can be relied on"));
  CHECK(says(facts, "names no other store"));
  CHECK(has(commands_of(facts), "cairn restore cccccccccccc ./sealed.restored"));
  CHECK(says(facts_of({}), "nothing to restore from it yet"));
}

TEST_CASE("runbook: a bucket is copied by what everybody has") {
  RunbookFacts facts = facts_of({database()});
  facts.bucket = true;
  facts.bucket_name = "backups";
  facts.endpoint = "https://s3.example.net";
  facts.store.address = "s3://backups/node?endpoint=https://s3.example.net&region=eu-1";
  facts.others = {{"near", "/srv/near"}};
  const auto lines = commands_of(facts);
  CHECK(has(lines, "export CAIRN_STORE='s3://backups/node?endpoint=https://s3.example.net&region=eu-1'"));
  CHECK(has(lines, "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=..."));
  CHECK(has(lines, "aws s3 sync s3://backups/node/ store/ --endpoint-url https://s3.example.net"));
  CHECK(has(lines, "cairn restore REF TARGET --from /srv/near"));
}
