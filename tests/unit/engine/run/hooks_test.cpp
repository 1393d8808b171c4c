#include "engine/run/hooks.hpp"

#include "engine/run/run_host.hpp"
#include "engine/run/snapshot_job.hpp"
#include "unit/support.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <csignal>
#include <map>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

// Hears the programs.
struct Listener : RunListener {
  Lines said;
  Lines ended;
  std::function<void()> on_line;
  void captured(const SnapshotResult&) override {}
  void snapshot_ended(const JobOutcome&) override {}
  void push_ended(const JobOutcome&, const PushOutcome&) override {}
  void verify_ended(const JobOutcome&, const VerifyOutcome&) override {}
  void drill_ended(const JobOutcome&) override {}
  void left_alone(const JobOutcome&) override {}
  void waiting(const JobOutcome&, std::optional<pid_t>) override {}
  void hook_said(const HookCall& call, std::string_view line) override {
    said.push_back(std::string{hook_moment_name(call.moment)} + ": " + std::string{line});
    if (on_line) on_line();
  }
  void hook_ended(const HookCall& call, const std::optional<Error>& failure) override {
    ended.push_back(hook_name(call) + (failure ? " failed" : ""));
  }
  void failed(const Error&) override {}
  void prune_ended(const PruneOutcome&) override {}
};

std::vector<std::string> sh(const std::string& script) {
  return {"sh", "-c", script};
}

Lines messages(const std::vector<Error>& failures) {
  Lines out;
  for (const auto& failure : failures) out.push_back(failure.message());
  return out;
}

struct Fixture {
  Listener listener;
  Hooks hooks;
  HookScope scope{listener, {HookOwner::Level::source, "state"}, hooks};
};

std::map<std::string, std::string> map_of(const HookFacts& facts) {
  const auto pairs = hook_environment(facts);
  return {pairs.begin(), pairs.end()};
}

}  // namespace

TEST_CASE("hooks: after is for what went well, failed for all else, finally for both") {
  using enum HookMoment;
  using Moments = std::vector<HookMoment>;
  CHECK(moments_of(ExitStatus::done) == Moments{after, finally});
  for (const auto status : {ExitStatus::incomplete, ExitStatus::not_pushed, ExitStatus::failed, ExitStatus::damaged,
                            ExitStatus::busy, ExitStatus::interrupted, ExitStatus::terminated}) {
    CHECK(moments_of(status) == Moments{failed, finally});
  }
}

TEST_CASE("hooks: a program is told what is known, and nothing that an outer run said") {
  SnapshotJob job;
  job.name = "state";
  job.series = "series";
  job.store = "s3://key:secret@bucket/prefix";
  auto seen = map_of(facts_before(job));
  CHECK(seen.at("CAIRN_SOURCE") == "state");
  CHECK(seen.at("CAIRN_SERIES") == "series");
  CHECK(seen.at("CAIRN_STORE").find("secret") == std::string::npos);
  for (const char* name : {"CAIRN_SNAPSHOT", "CAIRN_CUT_POINT", "CAIRN_OUTCOME", "CAIRN_EXIT_STATUS", "CAIRN_TARGET",
                           "CAIRN_LAG_SECONDS"}) {
    CHECK(seen.at(name).empty());
  }
  JobOutcome outcome;
  outcome.result.emplace();
  outcome.result->id = Digest::parse(std::string(64, 'a')).value();
  outcome.result->cut_point = parse_time("2026-11-21T03:24:10.000000000Z").value();
  outcome.result->incomplete = true;
  seen = map_of(facts_after(job, outcome));
  CHECK(seen.at("CAIRN_SNAPSHOT") == std::string(64, 'a'));
  CHECK(seen.at("CAIRN_CUT_POINT") == "2026-11-21T03:24:10.000000000Z");
  CHECK(seen.at("CAIRN_OUTCOME") == "incomplete");
  CHECK(seen.at("CAIRN_EXIT_STATUS") == "3");
  HookFacts restored;
  restored.target = "/srv/app";
  restored.lag = 89'999ms;
  CHECK(map_of(restored).at("CAIRN_TARGET") == "/srv/app");
  CHECK(map_of(restored).at("CAIRN_LAG_SECONDS") == "89");
  // Of a whole run there is no store: the user's own variable stays.
  CHECK_FALSE(map_of({}).contains("CAIRN_STORE"));
}

TEST_CASE("hooks: programs get the variables and no secret, and their arguments as they are") {
  Fixture f;
  ::setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
  ::setenv("CAIRN_SNAPSHOT", "of an outer run", 1);
  f.hooks.before = {sh("echo \"$CAIRN_SOURCE|$CAIRN_SNAPSHOT|$AWS_SECRET_ACCESS_KEY\" >&2"),
                    {"printf", "%s\\n", "a b", "$HOME;*"}};
  HookFacts facts;
  facts.source = "state";
  CHECK_FALSE(f.scope.begin(facts));
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  ::unsetenv("CAIRN_SNAPSHOT");
  CHECK(f.listener.said == Lines{"before: state||", "before: a b", "before: $HOME;*"});
}

TEST_CASE("hooks: of before the first that fails is the failure, and those that follow are not run") {
  Fixture f;
  f.hooks.before = {sh("echo one"), sh("exit 4"), sh("echo three")};
  const auto failure = f.scope.begin({});
  REQUIRE(failure);
  CHECK(failure->kind() == ErrorKind::failed);
  CHECK(failure->message() == "before hook 'sh' of source 'state' exited with status 4");
  CHECK(f.listener.said == Lines{"before: one"});
  CHECK(f.listener.ended == Lines{"before hook 'sh' of source 'state'", "before hook 'sh' of source 'state' failed"});
}

TEST_CASE("hooks: messages say which program, whose it is and how it failed") {
  Listener listener;
  Hooks hooks;
  hooks.before = {{"/nonexistent/program"}};
  hooks.timeout = 100ms;
  HookScope group{listener, {HookOwner::Level::group, "node"}, hooks};
  CHECK(group.begin({})->message() ==
        "before hook '/nonexistent/program' of group 'node': unable to start '/nonexistent/program': No such file or "
        "directory");
  CHECK(hook_name({{HookOwner::Level::restore, "state"}, HookMoment::after, "p"}) ==
        "after hook 'p' of the restore of source 'state'");
  CHECK(hook_name({{HookOwner::Level::restore, ""}, HookMoment::after, "p"}) == "after hook 'p' of the restore");
  hooks.before = {{"sleep", "1000"}};
  HookScope run{listener, {}, hooks};
  const auto late = run.begin({});
  CHECK(late->message() == "the run's before hook 'sleep' took longer than 100 ms and was ended");
  CHECK(late->hint().find("hook_timeout") == 0);
}

TEST_CASE("hooks: what cleans up is run in any case, each of it") {
  Fixture f;
  f.hooks.after = {sh("echo fine")};
  f.hooks.failed = {sh("exit 1"), sh("echo $CAIRN_OUTCOME")};
  f.hooks.finally = {sh("exit 2"), sh("echo $CAIRN_EXIT_STATUS")};
  const auto end = f.scope.end({}, ExitStatus::not_pushed);
  CHECK(f.listener.said == Lines{"failed: not_pushed", "finally: 6"});
  CHECK(messages(end.failures) == Lines{"failed hook 'sh' of source 'state' exited with status 1",
                                        "finally hook 'sh' of source 'state' exited with status 2"});
  CHECK_FALSE(end.interrupted);
}

TEST_CASE("hooks: after all went well, a program that fails is a failure for those that follow") {
  Fixture f;
  f.hooks.after = {sh("echo fine"), sh("exit 1"), sh("echo not reached")};
  f.hooks.failed = {sh("echo $CAIRN_OUTCOME")};
  f.hooks.finally = {sh("echo $CAIRN_EXIT_STATUS")};
  CHECK(f.scope.end({}, ExitStatus::done).failures.size() == 1);
  CHECK(f.listener.said == Lines{"after: fine", "failed: failed", "finally: 1"});
  f.listener.said.clear();
  f.hooks.after = {sh("echo $CAIRN_OUTCOME $CAIRN_EXIT_STATUS")};
  CHECK(f.scope.end({}, ExitStatus::done).failures.empty());
  CHECK(f.listener.said == Lines{"after: done 0", "finally: 0"});
}

TEST_CASE("hooks: a signal ends before and after, and what cleans up is run all the same") {
  const test::SignalForgotten forgotten;
  Fixture f;
  f.listener.on_line = [] { set_interrupted(SIGTERM); };
  f.hooks.before = {sh("echo begun; exec sleep 1000"), sh("echo not reached")};
  const auto failure = f.scope.begin({});
  set_interrupted(0);
  REQUIRE(failure);
  CHECK(failure->kind() == ErrorKind::interrupted);
  CHECK(f.listener.said == Lines{"before: begun"});

  f.listener.said.clear();
  f.hooks.after = {sh("echo begun; exec sleep 1000")};
  f.hooks.failed = {sh("sleep 0.2; echo $CAIRN_OUTCOME")};
  f.hooks.finally = {sh("sleep 0.2; echo $CAIRN_EXIT_STATUS")};
  const auto end = f.scope.end({}, ExitStatus::done);
  set_interrupted(0);
  CHECK(end.interrupted);
  CHECK(f.listener.said == Lines{"after: begun", "failed: interrupted", "finally: 143"});
}
