#include "engine/run/job_runner.hpp"

#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/scripted_source.hpp"
#include "unit/support.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

class Memory : public SequenceMemory {
 public:
  mutable std::map<std::string, std::uint64_t> numbers;  // by series
  std::uint64_t last_sequence(const std::string&, const std::string& series) const override {
    const auto at = numbers.find(series);
    return at == numbers.end() ? 0 : at->second;
  }
  void set_last_sequence(const std::string&, const std::string& series, std::uint64_t sequence) const override {
    numbers[series] = sequence;
  }
};

class FakeStore : public RunStore {
 public:
  explicit FakeStore(ObjectStore& store) : m_engine(store) {}
  Context context() override { return m_engine.context; }
  std::optional<Time> own_key_since() const override { return std::nullopt; }

 private:
  test::EngineFixture m_engine;
};

// Stores in memory and sources by series; whatever happens is written down.
struct FakeHost : RunHost, RunListener {
  TemporaryDirectory directory{fs::temp_directory_path()};
  std::map<std::string, test::MemoryStore> stores;
  std::map<std::string, ErrorKind> closed;  // stores that cannot be opened
  std::map<std::string, std::function<std::unique_ptr<test::ScriptedSource>()>> sources;
  test::CollectingReporter heard;
  Memory memory;
  std::vector<std::string> events;

  std::unique_ptr<RunStore> open_store(const std::string& store) override {
    events.push_back("open " + store);
    const auto at = closed.find(store);
    if (at != closed.end()) {
      throw StoreError(at->second, StoreError::Transient::no, "unable to open " + store);
    }
    return std::make_unique<FakeStore>(stores[store]);
  }
  std::unique_ptr<Source> open_source(const SnapshotJob& job, const Repository&) override {
    events.push_back("source " + job.series);
    return sources.at(job.series)();
  }
  SnapshotRequest new_request() override {
    SnapshotRequest request;
    request.spool = directory.path();
    return request;
  }
  fs::path spool() override { return directory.path(); }
  const SequenceMemory& sequences() override { return memory; }
  Reporter& reporter() override { return heard; }

  void captured(const SnapshotResult& result) override {
    events.push_back("captured " + result.series);
    // It is told before it is noted.
    numbers_at_capture = memory.numbers;
  }
  void snapshot_ended(const JobOutcome& outcome) override {
    events.push_back((outcome.result ? "took " : "failed ") + outcome.series);
  }
  void push_ended(const JobOutcome& outcome, const PushOutcome& push) override {
    events.push_back((push.complete() ? "pushed " : "did not push ") + outcome.series + " to " + push.store);
  }
  std::map<std::string, std::uint64_t> numbers_at_capture;

  // A job of a source with one file of that text.
  SnapshotJob job(const std::string& series, const std::string& store = "main") {
    if (!sources.contains(series)) {
      sources[series] = [series] {
        return std::make_unique<test::ScriptedSource>(
            std::vector{test::scripted_directory("."), test::scripted_file("file", "text of " + series)});
      };
    }
    SnapshotJob out;
    out.name = "source-" + series;
    out.series = series;
    out.store = store;
    return out;
  }
  std::vector<JobOutcome> execute(const std::vector<SnapshotJob>& jobs, RunOptions options = {}) {
    return JobRunner{*this, *this, options}.execute(jobs);
  }
  std::size_t snapshots(const std::string& store, const std::string& series) {
    test::EngineFixture engine{stores[store]};
    return engine.repository.manifests().list_snapshots(series).size();
  }
};

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("job runner: all stores are opened first, each once; then each job is taken, told and noted") {
  FakeHost host;
  const auto outcomes = host.execute({host.job("a"), host.job("b", "second"), host.job("c")});
  CHECK(host.events == Events{"open main", "open second", "source a", "captured a", "took a", "source b", "captured b",
                              "took b", "source c", "captured c", "took c"});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[1].source == "source-b");
  CHECK(outcomes[1].result->sequence == 1);
  CHECK(host.snapshots("second", "b") == 1);
  CHECK(host.memory.numbers == std::map<std::string, std::uint64_t>{{"a", 1}, {"b", 1}, {"c", 1}});
  CHECK_FALSE(host.numbers_at_capture.contains("c"));
  CHECK(host.numbers_at_capture.contains("b"));
  // A single one needs no name.
  CHECK(host.execute({host.job("a")}).at(0).source.empty());
}

TEST_CASE("job runner: a source that fails does not keep the others from being saved") {
  FakeHost host;
  host.sources["b"] = [] {
    return std::make_unique<test::ScriptedSource>(std::vector<std::shared_ptr<test::ScriptedItem>>{});
  };
  const auto outcomes = host.execute({host.job("a"), host.job("b"), host.job("c")});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].result);
  REQUIRE(outcomes[1].failure);
  CHECK_FALSE(outcomes[1].result);
  CHECK(outcomes[1].failure->message().find("nothing there") != std::string::npos);
  CHECK(outcomes[2].result);
  CHECK(host.snapshots("main", "c") == 1);
  CHECK(verdict_of(outcomes).kind == ErrorKind::failed);
}

TEST_CASE("job runner: a store that failed is not tried again, another is") {
  FakeHost host;
  host.closed["away"] = ErrorKind::failed;
  auto outcomes = host.execute({host.job("a", "away"), host.job("b"), host.job("c", "away")});
  CHECK(host.events == Events{"open away", "open main", "failed a", "source b", "captured b", "took b", "failed c"});
  CHECK(outcomes[2].failure->message() == "unable to open away");

  FakeHost later;
  later.stores["main"].on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "put" && key.starts_with("packs/")) {
      throw StoreError(ErrorKind::failed, StoreError::Transient::no, "the disk is full");
    }
  };
  outcomes = later.execute({later.job("a"), later.job("b"), later.job("c", "second")});
  CHECK(later.events ==
        Events{"open main", "open second", "source a", "failed a", "failed b", "source c", "captured c", "took c"});
  CHECK(outcomes[1].failure->message() == "the disk is full");
  CHECK(later.memory.numbers.size() == 1);
}

TEST_CASE("job runner: without isolation what fails is thrown as it is, before the next job is begun") {
  FakeHost host;
  host.sources["a"] = [] {
    auto item = test::scripted_file("file", "text");
    item->failures = {ErrorKind::busy};
    auto source = std::make_unique<test::ScriptedSource>(std::vector{item});
    source->formed = SourceShape::file;
    return source;
  };
  RunOptions options;
  options.isolation = RunOptions::Isolation::none;
  CHECK_THROWS_AS(host.execute({host.job("a"), host.job("b")}, options), SourceError);
  CHECK(host.events == Events{"open main", "source a"});
  host.closed["away"] = ErrorKind::not_found;
  CHECK_THROWS_AS(host.execute({host.job("b", "away")}, options), StoreError);
}

TEST_CASE("job runner: a signal ends the run whatever is isolated") {
  FakeHost host;
  host.sources["a"] = []() -> std::unique_ptr<test::ScriptedSource> {
    throw Error(ErrorKind::interrupted, "interrupted");
  };
  CHECK(test::failure_of([&] { host.execute({host.job("a"), host.job("b")}); }) == ErrorKind::interrupted);
  CHECK(host.snapshots("main", "b") == 0);
}

TEST_CASE("job runner: a snapshot is pushed as soon as it is taken; a push that fails leaves it and the others") {
  FakeHost host;
  host.closed["away"] = ErrorKind::failed;
  RunOptions options;
  options.push = true;
  auto a = host.job("a");
  a.push_to = {"away", "second"};
  auto b = host.job("b");
  b.push_to = {"second"};
  const auto outcomes = host.execute({a, b, host.job("c")}, options);
  CHECK(host.events == Events{"open main", "source a", "captured a", "took a", "open away", "did not push a to away",
                              "open second", "pushed a to second", "source b", "captured b", "took b", "open second",
                              "pushed b to second", "source c", "captured c", "took c"});
  REQUIRE(outcomes[0].pushes.size() == 2);
  CHECK(outcomes[0].pushes[0].failure->message() == "unable to open away");
  CHECK(outcomes[0].result);
  CHECK(host.snapshots("second", "a") == 1);
  CHECK(host.snapshots("second", "b") == 1);
  CHECK(verdict_of(outcomes).grade == RunVerdict::Grade::not_pushed);
  // A snapshot that was not taken is not pushed.
  host.events.clear();
  host.sources["a"] = [] {
    return std::make_unique<test::ScriptedSource>(std::vector<std::shared_ptr<test::ScriptedItem>>{});
  };
  host.execute({a}, options);
  CHECK(host.events == Events{"open main", "source a", "failed a"});
}

TEST_CASE("job runner: a dry run stores and notes nothing") {
  FakeHost host;
  RunOptions options;
  options.snapshot.dry_run = DryRun::yes;
  const auto outcomes = host.execute({host.job("a")}, options);
  CHECK(outcomes[0].result->stats.files == 1);
  CHECK(host.events == Events{"open main", "source a", "captured a", "took a"});
  CHECK(host.memory.numbers.empty());
  CHECK(host.snapshots("main", "a") == 0);
}

TEST_CASE("job runner: guard, tags and claim are those of the job") {
  FakeHost host;
  auto job = host.job("a");
  job.tags = {{"k", "v"}};
  host.execute({job});
  {
    test::EngineFixture engine{host.stores["main"]};
    CHECK(engine.repository.manifests().list_snapshots("a").at(0).facts.tags == job.tags);
  }
  job.guard.min_size = 1 << 20;
  CHECK(host.execute({job}).at(0).failure->message().find("cannot be trusted") != std::string::npos);
  job.guard = {};
  job.series_defaulted = true;
  CHECK(host.execute({job}).at(0).result);
  host.sources["a"] = [] {
    auto source = std::make_unique<test::ScriptedSource>(std::vector{test::scripted_file("file", "text")});
    source->formed = SourceShape::file;
    source->is = SourceKind::command;
    return source;
  };
  CHECK(host.execute({job}).at(0).failure->kind() == ErrorKind::usage);
}

TEST_CASE("job runner: what the source could not read, and a command that wrote nothing, are told") {
  FakeHost host;
  host.sources["a"] = [] {
    auto source = std::make_unique<test::ScriptedSource>(std::vector{test::scripted_file("out", "")});
    source->formed = SourceShape::file;
    source->read = SourceAccess::sequential;
    source->is = SourceKind::command;
    source->troubles = {{"out", "something was not right"}};
    return source;
  };
  CHECK(host.execute({host.job("a")}).at(0).result->incomplete);
  CHECK(host.heard.warnings == Events{"something was not right", "the command of series 'a' wrote nothing"});
  host.heard.warnings.clear();
  auto allowed = host.job("a");
  allowed.guard.allow_empty = true;
  host.execute({allowed});
  CHECK(host.heard.warnings == Events{"something was not right"});
}

TEST_CASE("job runner: snapshots that were taken away are missed") {
  FakeHost host;
  host.execute({host.job("a")});
  host.memory.numbers["a"] = 7;
  host.execute({host.job("a")});
  REQUIRE(host.heard.warnings.size() == 1);
  CHECK(host.heard.warnings[0].find("snapshot number 7 of series 'a'") == 0);
  CHECK(host.memory.numbers.at("a") == 2);
}
