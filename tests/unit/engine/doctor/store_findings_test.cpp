#include "engine/doctor/store_findings.hpp"

#include "support/memory_store.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

Descriptor descriptor_with(bool create_only) {
  Descriptor descriptor;
  descriptor.create_only = create_only;
  return descriptor;
}

// The gravest finding that mentions the word; nothing where none does.
std::optional<Severity> severity_of(const Findings& findings, const std::string& word) {
  std::optional<Severity> out;
  for (const auto& finding : findings) {
    if (finding.message.find(word) != std::string::npos) out = std::max(out.value_or(Severity::good), finding.severity);
  }
  return out;
}

void deny(test::MemoryStore& store, const std::string& denied) {
  store.on_call = [denied](const std::string& operation, const std::string&) {
    if (operation == denied) throw StoreError(ErrorKind::failed, StoreError::Transient::no, "access denied");
  };
}

constexpr StoreRole k_writer{true, false};
constexpr StoreRole k_pruner{true, true};
constexpr StoreRole k_reader{false, false};

}  // namespace

TEST_CASE("doctor: a store where all is well gets its trial object back") {
  test::MemoryStore store;
  const auto findings = examine_store(store, "store s", descriptor_with(true), k_pruner, Trial::yes, store.now());
  CHECK(doctor_status(findings) == 0);
  CHECK(severity_of(findings, "may write to it, and delete") == Severity::good);
  CHECK(store.keys().empty());
}

TEST_CASE("doctor: nothing is put where that is not wanted") {
  test::MemoryStore store;
  deny(store, "put");
  CHECK(doctor_status(examine_store(store, "store s", descriptor_with(true), k_writer, Trial::no, store.now())) == 0);
}

TEST_CASE("doctor: a right is missed by whoever needs it") {
  test::MemoryStore store;
  const auto status = [&](const std::string& denied, StoreRole role) {
    deny(store, denied);
    return doctor_status(examine_store(store, "store s", descriptor_with(true), role, Trial::yes, store.now()));
  };
  CHECK(status("put", k_writer) == 2);
  CHECK(status("put", k_reader) == 0);
  CHECK(status("remove", k_writer) == 0);
  CHECK(status("remove", k_pruner) == 2);
  CHECK(status("list", k_reader) == 2);
  CHECK(status("get", k_writer) == 2);
}

TEST_CASE("doctor: clocks that differ, stores without create-only PUT, and leases are told") {
  test::MemoryStore store;
  const auto look = [&](Time now, bool create_only) {
    return examine_store(store, "store s", descriptor_with(create_only), k_reader, Trial::no, now);
  };
  CHECK(severity_of(look(store.now() + 4min, true), "clock") == Severity::good);
  CHECK(severity_of(look(store.now() + 6min, true), "ahead of the store's") == Severity::warning);
  CHECK(severity_of(look(store.now() - 26h, true), "behind the store's") == Severity::warning);
  CHECK(severity_of(look(store.now(), false), "create-only") == Severity::note);
  store.put("lease/prune.json", ObjectBody::from_text("{}"));
  CHECK(severity_of(look(store.now(), true), "a prune is running") == Severity::note);
  store.advance(2h);
  CHECK(severity_of(look(store.now(), true), "left its lease") == Severity::note);
}

TEST_CASE("doctor: pushes and drills that are behind") {
  const Time now{std::chrono::days{20'000}};
  CHECK(judge_push("source a", "main", "off", 0).severity == Severity::good);
  const Finding behind = judge_push("source a", "main", "it's off", 3);
  CHECK(behind.severity == Severity::warning);
  CHECK(behind.fix == R"(cairn push --from main --to 'it'\''s off')");
  const auto severity = [&](std::optional<LastDrill> last, std::optional<Nanoseconds> every) {
    return judge_drill("source a", "a", last, every, now).severity;
  };
  CHECK(severity({}, {}) == Severity::warning);
  CHECK(severity(LastDrill{now - 1h, false}, {}) == Severity::problem);
  CHECK(severity(LastDrill{now - std::chrono::hours{29 * 24}, true}, {}) == Severity::good);
  CHECK(severity(LastDrill{now - std::chrono::hours{31 * 24}, true}, {}) == Severity::warning);
  CHECK(severity(LastDrill{now - 50h, true}, Nanoseconds{24h}) == Severity::warning);
  CHECK(severity(LastDrill{now - 47h, true}, Nanoseconds{24h}) == Severity::good);
}

TEST_CASE("doctor: the gravest finding is the status") {
  const auto status = [](std::initializer_list<Severity> all) {
    Findings findings;
    for (const auto severity : all) findings.push_back({severity, "", "", ""});
    return doctor_status(findings);
  };
  CHECK(status({}) == 0);
  CHECK(status({Severity::good, Severity::note}) == 0);
  CHECK(status({Severity::warning, Severity::note}) == 1);
  CHECK(status({Severity::warning, Severity::problem, Severity::good}) == 2);
}
