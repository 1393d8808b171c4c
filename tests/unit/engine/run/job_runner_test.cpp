#include "engine/run/job_runner.hpp"

#include "engine/run/rehearsal.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/scripted_source.hpp"
#include "unit/support.hpp"
#include "util/interrupt.hpp"
#include "util/lock_file.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
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
  DrillOutcome drill_outcome = DrillOutcome::passed;

  std::unique_ptr<RunStore> open_store(const std::string& store, RunAccess access) override {
    events.push_back((access == RunAccess::read ? "look into " : "open ") + store);
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
  DrillRecord drill(const SnapshotJob& job, const Digest& id) override {
    events.push_back("drill of " + job.series);
    DrillRecord record;
    record.series = job.series;
    record.id = id;
    record.outcome = drill_outcome;
    return record;
  }
  PruneRequest new_prune() override {
    PruneRequest request;
    request.policy = [this](const std::string&) { return retention; };
    return request;
  }
  fs::path locks() override { return lock_directory; }
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
  void verify_ended(const JobOutcome& outcome, const VerifyOutcome& verification) override {
    events.push_back((status_of(verification) == ExitStatus::done ? "verified " : "found damage of ") + outcome.series +
                     " in " + verification.store);
  }
  void drill_ended(const JobOutcome& outcome) override { events.push_back("drilled " + outcome.series); }
  void left_alone(const JobOutcome& outcome) override { events.push_back("left " + outcome.series); }
  void waiting(const JobOutcome& outcome, std::optional<pid_t> holder) override {
    events.push_back("waiting for " + outcome.series + " held by " + (holder ? std::to_string(*holder) : "nobody"));
    if (on_waiting) on_waiting();
  }
  void hook_said(const HookCall& call, std::string_view line) override {
    events.push_back(std::string{hook_moment_name(call.moment)} + " says " + std::string{line});
  }
  void hook_ended(const HookCall&, const std::optional<Error>&) override {}
  void failed(const Error& failure) override { events.push_back("failure: " + failure.message()); }
  void prune_ended(const PruneOutcome& prune) override {
    events.push_back((prune.result ? "pruned " : "did not prune ") + prune.store);
  }
  std::map<std::string, std::uint64_t> numbers_at_capture;
  RetentionPolicy retention;
  fs::path lock_directory;
  std::function<void()> on_waiting;

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
    return run(plan_of(jobs), options).jobs;
  }
  RunOutcome run(const RunPlan& plan, RunOptions options = {}) {
    JobRunner runner{*this, *this, options};
    RunOutcome outcome = runner.execute(plan);
    if (runner.ended_by()) std::rethrow_exception(runner.ended_by());
    return outcome;
  }
  std::size_t snapshots(const std::string& store, const std::string& series) {
    test::EngineFixture engine{stores[store]};
    return engine.repository.manifests().list_snapshots(series).size();
  }
};

using Events = std::vector<std::string>;
using Names = std::vector<std::string>;

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

namespace {

std::vector<std::string> sh(const std::string& script) {
  return {"sh", "-c", script};
}

// Programs that say when they are run.
Hooks telling(const std::string& whose) {
  Hooks hooks;
  hooks.before = {sh("echo " + whose)};
  hooks.after = {sh("echo " + whose + " $CAIRN_OUTCOME")};
  hooks.failed = hooks.after;
  hooks.finally = hooks.after;
  return hooks;
}

// A source of which nothing can be read.
std::unique_ptr<test::ScriptedSource> broken_source() {
  return std::make_unique<test::ScriptedSource>(std::vector<std::shared_ptr<test::ScriptedItem>>{});
}

RunOptions whole_run() {
  RunOptions options;
  options.push = true;
  options.verify = true;
  return options;
}

}  // namespace

TEST_CASE("job runner: programs are run around the run, its groups and its sources") {
  FakeHost host;
  auto a = host.job("a");
  a.hooks = telling("a");
  auto b = host.job("b");
  b.hooks = telling("b");
  host.sources["b"] = broken_source;
  RunPlan plan = plan_of({});
  plan.hooks = telling("run");
  plan.groups = {{"g", telling("group"), {a, b}}, {"", {}, {host.job("c")}}};
  const auto outcome = host.run(plan);
  // A store is opened when it is needed, and let go before a program may take its disk away.
  CHECK(host.events == Events{"before says run",
                              "before says group",
                              "before says a",
                              "open main",
                              "source a",
                              "captured a",
                              "took a",
                              "after says a done",
                              "finally says a done",
                              "before says b",
                              "open main",
                              "source b",
                              "failed b",
                              "failed says b failed",
                              "finally says b failed",
                              "failed says group failed",
                              "finally says group failed",
                              "open main",
                              "source c",
                              "captured c",
                              "took c",
                              "failed says run failed",
                              "finally says run failed"});
  CHECK(outcome.hook_failures.empty());
}

TEST_CASE("job runner: stores are opened first where only a program before the run can matter") {
  FakeHost host;
  RunPlan plan = plan_of({host.job("a"), host.job("b", "second")});
  plan.hooks.before = {sh("echo run")};
  plan.groups[0].jobs[0].hooks.after = {sh("echo a")};
  host.run(plan);
  CHECK(host.events == Events{"before says run", "open main", "open second", "source a", "captured a", "took a",
                              "after says a", "open second", "source b", "captured b", "took b"});
}

TEST_CASE("job runner: without the program before it nothing is begun: a source, a group, a run") {
  FakeHost host;
  auto a = host.job("a");
  a.hooks = telling("a");
  a.hooks.before = {sh("exit 1")};
  RunPlan plan = plan_of({a, host.job("b")});
  auto outcome = host.run(plan, whole_run());
  CHECK(host.events == Events{"failed a", "failed says a failed", "finally says a failed", "open main", "source b",
                              "captured b", "took b", "verified b in main"});
  CHECK(outcome.jobs[0].failure->message() == "before hook 'sh' of source 'source-a' exited with status 1");
  CHECK_FALSE(outcome.jobs[0].begun);
  CHECK(status_of(outcome) == ExitStatus::failed);

  host.events.clear();
  plan = plan_of({});
  plan.groups = {{"g", telling("group"), {host.job("a"), host.job("b")}}, {"", {}, {host.job("c")}}};
  plan.groups[0].hooks.before = {sh("exit 1")};
  outcome = host.run(plan);
  CHECK(host.events == Events{"failure: before hook 'sh' of group 'g' exited with status 1", "failed says group failed",
                              "finally says group failed", "open main", "source c", "captured c", "took c"});
  CHECK_FALSE(outcome.jobs[1].begun);
  CHECK(outcome.jobs[1].failure);
  CHECK(outcome.hook_failures.size() == 1);

  host.events.clear();
  plan = plan_of({});
  plan.prune = {"main"};
  plan.hooks = telling("run");
  plan.hooks.before = {sh("exit 1")};
  outcome = host.run(plan);
  CHECK(host.events == Events{"failure: the run's before hook 'sh' exited with status 1", "failed says run failed",
                              "finally says run failed"});
  CHECK(status_of(outcome) == ExitStatus::failed);
}

TEST_CASE("job runner: a program that fails afterwards leaves the snapshot, and is told") {
  FakeHost host;
  auto a = host.job("a");
  a.hooks.after = {sh("exit 1")};
  const auto outcome = host.run(plan_of({a}));
  CHECK(outcome.jobs[0].result);
  CHECK(host.snapshots("main", "a") == 1);
  CHECK(outcome.jobs[0].hook_failures.size() == 1);
  CHECK(status_of(outcome) == ExitStatus::failed);
  CHECK(host.events.back() == "failure: after hook 'sh' of source 'source-a' exited with status 1");
}

TEST_CASE("job runner: without isolation, too, what cleans up is run before the failure is thrown") {
  FakeHost host;
  host.sources["a"] = broken_source;
  auto a = host.job("a");
  a.hooks = telling("a");
  RunOptions options;
  options.isolation = RunOptions::Isolation::none;
  CHECK(test::message_of([&] { host.run(plan_of({a}), options); }).find("nothing there") != std::string::npos);
  CHECK(host.events ==
        Events{"before says a", "open main", "source a", "failed says a failed", "finally says a failed"});
  host.events.clear();
  a.hooks.before = {sh("exit 1")};
  CHECK(test::message_of([&] { host.run(plan_of({a}), options); }) ==
        "before hook 'sh' of source 'source-a' exited with status 1");
  CHECK(host.events == Events{"failed says a failed", "finally says a failed"});
}

TEST_CASE("job runner: a signal ends the run, but not what cleans up; what there is by then is told") {
  const test::SignalForgotten forgotten;
  FakeHost host;
  host.sources["b"] = []() -> std::unique_ptr<test::ScriptedSource> {
    set_interrupted(SIGTERM);
    check_interrupted();
    return nullptr;
  };
  auto b = host.job("b");
  b.hooks = telling("b");
  RunPlan plan = plan_of({});
  plan.hooks = telling("run");
  plan.prune = {"main"};
  plan.groups = {{"g", telling("group"), {host.job("a"), b, host.job("c")}}};
  JobRunner runner{host, host, whole_run()};
  const auto outcome = runner.execute(plan);
  set_interrupted(0);
  CHECK(runner.stopped()->kind() == ErrorKind::interrupted);
  CHECK(host.events == Events{"before says run", "before says group", "open main", "source a", "captured a", "took a",
                              "verified a in main", "before says b", "source b", "failed says b interrupted",
                              "finally says b interrupted", "failed says group interrupted",
                              "finally says group interrupted", "failed says run interrupted",
                              "finally says run interrupted"});
  CHECK(outcome.jobs[0].result);
  CHECK(status_of(outcome.jobs[1]) == ExitStatus::terminated);
  CHECK_FALSE(outcome.jobs[2].begun);
  CHECK(outcome.prunes.empty());
  CHECK(status_of(outcome) == ExitStatus::terminated);
}

TEST_CASE("job runner: what was taken is verified where it is now, and nowhere else") {
  FakeHost host;
  host.closed["away"] = ErrorKind::failed;
  auto a = host.job("a");
  a.push_to = {"second", "away"};
  auto b = host.job("b");
  b.verify.reset();
  auto outcome = host.run(plan_of({a, b}), whole_run());
  CHECK(host.events == Events{"open main", "source a", "captured a", "took a", "open second", "pushed a to second",
                              "open away", "did not push a to away", "verified a in main", "look into second",
                              "verified a in second", "source b", "captured b", "took b"});
  CHECK(status_of(outcome) == ExitStatus::not_pushed);

  // A pack that is lost at once is found.
  auto& second = host.stores["second"];
  second.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation != "put" || !key.starts_with("snapshots/")) return;
    second.on_call = {};
    Names packs;
    second.list("packs/", [&](const ObjectInfo& info) { packs.push_back(info.key); });
    second.remove(packs);
  };
  a.push_to = {"second"};
  outcome = host.run(plan_of({a}), whole_run());
  CHECK(host.events.back() == "found damage of a in second");
  CHECK(status_of(outcome) == ExitStatus::damaged);
}

TEST_CASE("job runner: a restore is rehearsed where that is due, and a failed drill is damage") {
  FakeHost host;
  RunOptions options;
  options.drill = true;
  auto a = host.job("a");
  a.drill_every = std::chrono::hours{24};
  auto outcome = host.run(plan_of({a, host.job("b")}), options);
  CHECK(host.events == Events{"open main", "source a", "captured a", "took a", "drill of a", "drilled a", "source b",
                              "captured b", "took b"});
  REQUIRE(outcome.jobs[0].drill);
  CHECK_FALSE(outcome.jobs[1].drill);
  CHECK(status_of(outcome) == ExitStatus::done);

  host.drill_outcome = DrillOutcome::failed;
  outcome = host.run(plan_of({a}), options);
  CHECK(status_of(outcome) == ExitStatus::damaged);

  // One that is recent enough is not repeated, whatever came of it, but one of another series is not looked at.
  test::EngineFixture engine{host.stores["main"]};
  const auto drilled = [&](const std::string& series, std::chrono::hours ago) {
    DrillRecord record;
    record.series = series;
    record.time = shifted(engine.context.clock(), -ago);
    record.outcome = DrillOutcome::failed;
    record.store = engine.repository.descriptor().store_id;
    engine.repository.drills().store(record);
  };
  drilled("b", std::chrono::hours{1});
  drilled("a", std::chrono::hours{25});
  CHECK(rehearse(host, plan_of({a}), std::nullopt).jobs[0].drill);
  drilled("a", std::chrono::hours{23});
  host.events.clear();
  outcome = host.run(plan_of({a}), options);
  CHECK(host.events == Events{"open main", "source a", "captured a", "took a"});
  CHECK_FALSE(rehearse(host, plan_of({a}), std::nullopt).jobs[0].drill);
}

TEST_CASE("job runner: stores are pruned in the end, but for a damaged one, and whatever fails before") {
  FakeHost host;
  host.retention.keep_last = 1;
  host.sources["b"] = broken_source;
  RunPlan plan = plan_of({host.job("a"), host.job("b")});
  plan.prune = {"gone", "main"};
  host.closed["gone"] = ErrorKind::not_found;
  host.run(plan, whole_run());
  CHECK(host.snapshots("main", "a") == 1);
  const auto outcome = host.run(plan, whole_run());
  CHECK(host.snapshots("main", "a") == 1);
  REQUIRE(outcome.prunes.size() == 2);
  CHECK(outcome.prunes[0].failures.size() == 1);
  CHECK(outcome.prunes[1].result->manifests_removed == 1);
  CHECK(status_of(outcome) == ExitStatus::not_found);
  CHECK(host.events.back() == "pruned main");

  plan = plan_of({host.job("a")});
  plan.prune = {"main"};
  auto& main = host.stores["main"];
  main.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation != "put" || !key.starts_with("snapshots/")) return;
    main.on_call = {};
    Names packs;
    main.list("packs/", [&](const ObjectInfo& info) { packs.push_back(info.key); });
    main.remove(packs);
  };
  const auto damaged = host.run(plan, whole_run());
  REQUIRE(damaged.prunes.size() == 1);
  CHECK_FALSE(damaged.prunes[0].left.empty());
  CHECK_FALSE(damaged.prunes[0].plan);
  CHECK(host.snapshots("main", "a") == 2);
}

TEST_CASE("job runner: a source with a recent snapshot is left alone, with its programs") {
  FakeHost host;
  auto a = host.job("a");
  a.hooks = telling("a");
  RunOptions options = whole_run();
  options.if_older_than = std::chrono::hours{1};
  options.lock = LockWait::yes;
  host.lock_directory = host.directory.path() / "locks";
  host.run(plan_of({a}), options);
  CHECK(host.events == Events{"look into main", "before says a", "open main", "source a", "captured a", "took a",
                              "verified a in main", "after says a done", "finally says a done"});
  host.events.clear();
  const auto outcome = host.run(plan_of({a, host.job("b")}), options);
  CHECK(host.events == Events{"look into main", "left a", "look into main", "open main", "source b", "captured b",
                              "took b", "verified b in main"});
  CHECK(outcome.jobs[0].left_alone->id != Digest{});
  CHECK(status_of(outcome) == ExitStatus::done);
  // Where nobody can look, the source is run, and says what is wrong.
  host.events.clear();
  host.closed["main"] = ErrorKind::untrusted;
  CHECK(status_of(host.run(plan_of({a}), options)) == ExitStatus::untrusted);
  CHECK(host.events == Events{"look into main", "before says a", "open main", "failed a", "failed says a untrusted",
                              "finally says a untrusted"});
}

TEST_CASE("job runner: a source that another run has is waited for, or left as busy; others are not held up") {
  const test::SignalForgotten forgotten;
  FakeHost host;
  host.lock_directory = host.directory.path() / "locks";
  std::optional<LockFile> other{std::in_place, host.lock_directory / "a.lock"};
  REQUIRE(other->try_lock());
  auto a = host.job("a");
  a.hooks = telling("a");
  RunOptions options;
  options.lock = LockWait::no;
  const auto busy = host.run(plan_of({a, host.job("b")}), options);
  CHECK(host.events == Events{"failed a", "open main", "source b", "captured b", "took b"});
  CHECK(busy.jobs[0].failure->kind() == ErrorKind::busy);
  CHECK(status_of(busy) == ExitStatus::busy);

  host.events.clear();
  options.lock = LockWait::yes;
  host.on_waiting = [&] { other.reset(); };
  a.hooks.before = {sh("flock --nonblock " + (host.lock_directory / "a.lock").native() + " echo free || echo held")};
  CHECK(status_of(host.run(plan_of({a}), options)) == ExitStatus::done);
  CHECK(host.events.at(0) == "waiting for a held by " + std::to_string(::getpid()));
  CHECK(host.events.at(1) == "before says held");
  // A signal ends the wait.
  other.emplace(host.lock_directory / "a.lock");
  REQUIRE(other->try_lock());
  host.on_waiting = [] { set_interrupted(SIGTERM); };
  CHECK(test::failure_of([&] { host.run(plan_of({a}), options); }) == ErrorKind::interrupted);
  set_interrupted(0);
}

TEST_CASE("job runner: the lock is held as long as the source's own programs run, and not for the next one's") {
  FakeHost host;
  host.lock_directory = host.directory.path() / "locks";
  const std::string file = (host.lock_directory / "a.lock").native();
  const auto probe = sh("flock --nonblock " + file + " echo free || echo held");
  auto a = host.job("a");
  a.hooks.before = {probe};
  a.hooks.finally = {probe};
  auto b = host.job("b");
  b.hooks.before = {probe};
  RunOptions options;
  options.lock = LockWait::yes;
  host.run(plan_of({a, b}), options);
  Events said;
  for (const auto& event : host.events) {
    if (event.find(" says ") != std::string::npos) said.push_back(event);
  }
  CHECK(said == Events{"before says held", "finally says held", "before says free"});
}

TEST_CASE("job runner: where there is no place for locks a run goes on with a warning") {
  FakeHost host;
  RunOptions options;
  options.lock = LockWait::yes;
  CHECK(host.run(plan_of({host.job("a")}), options).jobs[0].result);
  CHECK(host.heard.warnings ==
        Events{"another run of source 'source-a' at the same time would not be noticed: this host has no place for its "
               "state"});
  host.heard.warnings.clear();
  host.lock_directory = "/proc/self/none";
  CHECK(host.run(plan_of({host.job("a")}), options).jobs[0].result);
  CHECK(host.heard.warnings.size() == 1);
}

TEST_CASE("job runner: a rehearsal looks into every store once, and changes nothing") {
  FakeHost host;
  host.run(plan_of({host.job("a")}));
  host.events.clear();
  host.closed["away"] = ErrorKind::not_found;
  auto b = host.job("b");
  b.push_to = {"away", "second"};
  auto c = host.job("c");
  c.push_to = {"away"};
  RunPlan plan = plan_of({host.job("a"), b, c, host.job("d", "away")});
  plan.prune = {"main"};
  auto found = rehearse(host, plan, std::chrono::hours{1});
  CHECK(host.events == Events{"look into main", "look into away", "look into second", "look into main"});
  CHECK(found.jobs[0].left_alone);
  CHECK_FALSE(found.jobs[1].left_alone);
  CHECK(found.jobs[1].pushes.at(0).failure->message() == "unable to open away");
  CHECK(found.jobs[2].pushes.size() == 1);
  CHECK(found.jobs[3].failure);
  REQUIRE(found.prunes.size() == 1);
  CHECK(found.prunes[0].plan->kept.packs != 0);
  CHECK_FALSE(found.prunes[0].result);
  CHECK(status_of(found) == ExitStatus::not_found);
  CHECK_FALSE(rehearse(host, plan, std::nullopt).jobs[0].left_alone);
  CHECK(host.snapshots("main", "b") == 0);
}
