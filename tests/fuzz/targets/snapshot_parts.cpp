// Record, facts and root: an attacker can make their digests fit, a fuzzer cannot. The first byte says which it is.
#include "repo/manifest.hpp"
#include "samples.hpp"
#include "target.hpp"
#include "util/json.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void check_record(std::string_view input) {
  const Record record = Record::parse(input);
  const std::string text = record.text();
  require(Record::parse(text).text() == text, "a record is read as it was written");
  require(signed_line(record, sha256(text)).find('\n') == signed_line(record, sha256(text)).size() - 1,
          "the signed line is one line");
}

void check_facts(std::string_view input) {
  const Facts facts = Facts::parse(input);
  const std::string text = facts.text();
  const Facts again = Facts::parse(text);
  require(again.text() == text, "facts are read as they were written");
  require(Json::parse("{" + facts.content + "}").is_object(), "the content's facts are members of an object");
  // And as a manifest of somebody who made the digests fit.
  Manifest m = fuzz::sample_manifest();
  m.facts_text = input;
  m.record.facts = sha256(input);
  m.record_text = m.record.text();
  const Manifest read = Manifest::parse(m.text(), "m");
  require(read.facts_text == input && read.facts.text() == text, "a manifest holds its facts as they are");
}

void check_root(std::string_view input) {
  const Root root = Root::parse(input);
  const std::string text = root.text();
  require(Root::parse(text).text() == text, "a root is read as it was written");
  for (const auto& extent : root.extents) require(!extent.is_hole(), "an entry list has no holes");
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto part = input.front();
  input.remove_prefix(1);
  fuzz::accepted({ErrorKind::damaged, ErrorKind::failed}, [&] {
    if (part == 'r') check_record(input);
    if (part == 'f') check_facts(input);
    if (part == 'o') check_root(input);
  });
}

std::vector<std::string> seeds() {
  const Manifest m = fuzz::sample_manifest();
  // Content that is not the last member.
  const std::string open = m.facts_text.substr(0, m.facts_text.size() - 1);
  return {"r" + m.record_text, "f" + m.facts_text, "o" + m.root_text, "f" + open + " }", "f" + open + ",\"x\":{}}"};
}

const fuzz::Registration k_registration{{"snapshot_parts", run, seeds}};

}  // namespace
