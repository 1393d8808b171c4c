#include "engine/snapshot/rollback_alarm.hpp"

#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

class Memory : public SequenceMemory {
 public:
  mutable std::map<std::string, std::uint64_t> numbers;  // by series
  bool broken = false;

  std::uint64_t last_sequence(const std::string&, const std::string& series) const override {
    if (broken) throw Error(ErrorKind::failed, "no state");
    const auto at = numbers.find(series);
    return at == numbers.end() ? 0 : at->second;
  }
  void set_last_sequence(const std::string&, const std::string& series, std::uint64_t sequence) const override {
    if (broken) throw Error(ErrorKind::failed, "no state");
    numbers[series] = sequence;
  }
};

struct Alarm {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  Memory memory;

  SnapshotResult put(std::uint64_t sequence) {
    const Manifest manifest = engine.make_manifest(
        "s", store.now() + std::chrono::seconds{static_cast<std::int64_t>(sequence)}, {}, sequence);
    engine.repository.manifests().store(manifest);
    SnapshotResult result;
    result.id = manifest.id;
    result.series = "s";
    result.sequence = sequence;
    return result;
  }
  void remove_all() {
    for (const auto& info : engine.repository.manifests().list()) store.remove(std::vector{info.key});
  }
};

}  // namespace

TEST_CASE("rollback alarm: the number of each snapshot is noted, and nothing is said of what is in order") {
  Alarm t;
  RollbackAlarm first{t.engine.repository, t.memory, t.engine.reporter, "s"};
  CHECK_FALSE(first.taken_before());
  first.committed(t.put(1));
  CHECK(t.memory.numbers.at("s") == 1);
  RollbackAlarm second{t.engine.repository, t.memory, t.engine.reporter, "s"};
  CHECK(second.taken_before());
  second.committed(t.put(2));
  CHECK(t.memory.numbers.at("s") == 2);
  CHECK(t.engine.reporter.warnings.empty());
}

TEST_CASE("rollback alarm: snapshots that were taken away are missed, once") {
  Alarm t;
  t.memory.numbers["s"] = 5;
  t.put(5);
  t.remove_all();
  t.put(3);
  RollbackAlarm alarm{t.engine.repository, t.memory, t.engine.reporter, "s"};
  alarm.committed(t.put(4));
  REQUIRE(t.engine.reporter.warnings.size() == 1);
  CHECK(t.engine.reporter.warnings[0].find("snapshot number 5 of series 's', which this host took, is not in the store "
                                           "any more") == 0);
  // From here on it counts from what is there.
  CHECK(t.memory.numbers.at("s") == 4);
  RollbackAlarm next{t.engine.repository, t.memory, t.engine.reporter, "s"};
  next.committed(t.put(5));
  CHECK(t.engine.reporter.warnings.size() == 1);
}

TEST_CASE("rollback alarm: a run that overlapped with another, and got a lower number, misses nothing") {
  Alarm t;
  t.memory.numbers["s"] = 5;
  t.put(5);
  RollbackAlarm alarm{t.engine.repository, t.memory, t.engine.reporter, "s"};
  alarm.committed(t.put(5));
  CHECK(t.engine.reporter.warnings.empty());
  CHECK(t.memory.numbers.at("s") == 5);

  // Another run notes more, meanwhile: that stays.
  RollbackAlarm late{t.engine.repository, t.memory, t.engine.reporter, "s"};
  t.memory.numbers["s"] = 9;
  late.committed(t.put(6));
  CHECK(t.memory.numbers.at("s") == 9);
  CHECK(t.engine.reporter.warnings.empty());
}

TEST_CASE("rollback alarm: a memory that fails costs the alarm alone") {
  Alarm t;
  t.memory.broken = true;
  RollbackAlarm alarm{t.engine.repository, t.memory, t.engine.reporter, "s"};
  CHECK_FALSE(alarm.taken_before());
  CHECK_NOTHROW(alarm.committed(t.put(1)));
  CHECK(t.engine.reporter.warnings.empty());
}
