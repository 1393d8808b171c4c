#include "util/process.hpp"

#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::string read_all(Pipeline& pipeline) {
  std::string text;
  Bytes buffer(1000);
  while (const std::size_t n = pipeline.read(buffer)) text += as_text(ByteView{buffer}.first(n));
  return text;
}

}  // namespace

TEST_CASE("process: the output of one program, and its arguments untouched by any shell") {
  Pipeline pipeline{{{"printf", "%s|%s", "a b", "$HOME;*"}}};
  CHECK(read_all(pipeline) == "a b|$HOME;*");
  const auto ends = pipeline.wait();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].ok());
  CHECK(ends[0].program == "printf");
}

TEST_CASE("process: read fills the buffer whatever pieces the program writes") {
  Pipeline pipeline{
      {{"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do echo $i; done; exec dd if=/dev/zero bs=100000 count=7 2>/dev/null"}}};
  Bytes buffer(400000);
  CHECK(pipeline.read(buffer) == 400000);
  CHECK(pipeline.read(buffer) == 300016);
  CHECK(pipeline.read(buffer) == 0);
  CHECK(pipeline.wait()[0].ok());
}

TEST_CASE("process: every stage's end is reported, in order") {
  Pipeline pipeline{{{"sh", "-c", "echo one; exit 3"}, {"cat"}, {"sh", "-c", "cat; kill -9 $$"}}};
  CHECK(read_all(pipeline) == "one\n");
  const auto ends = pipeline.wait();
  REQUIRE(ends.size() == 3);
  CHECK(ends[0].text() == "exited with status 3");
  CHECK(ends[1].ok());
  CHECK(ends[2].text() == "was killed by signal 9 (Killed)");
  CHECK_FALSE(ends[2].ok());
}

TEST_CASE("process: a program whose reader went away dies of SIGPIPE") {
  ::signal(SIGPIPE, SIG_IGN);
  Pipeline pipeline{{{"yes"}}};
  Bytes buffer(10);
  CHECK(pipeline.read(buffer) == 10);
  CHECK(pipeline.wait()[0].signal == SIGPIPE);
}

TEST_CASE("process: an end that the system forgot is no success") {
  // As perl and python parents leave it: what a child ends with is not kept.
  ::signal(SIGCHLD, SIG_IGN);
  Pipeline pipeline{{{"sh", "-c", "echo half; kill -9 $$"}}};
  CHECK(read_all(pipeline) == "half\n");
  const auto ends = pipeline.wait();
  ::signal(SIGCHLD, SIG_DFL);
  REQUIRE(ends.size() == 1);
  CHECK_FALSE(ends[0].ok());
  CHECK(ends[0].text() == "ended, but the system did not say with which status");
}

TEST_CASE("process: a program that cannot be started ends those before it") {
  CHECK_THROWS_WITH_AS(Pipeline({{"sleep", "1000"}, {"/nonexistent/program"}}),
                       "unable to start '/nonexistent/program': No such file or directory", Error);
  const std::vector<std::vector<std::string>> empty(1);
  CHECK_THROWS_AS(Pipeline{empty}, Error);
  const std::vector<std::vector<std::string>> nothing;
  CHECK_THROWS_AS(Pipeline{nothing}, Error);
}

TEST_CASE("process: the destructor ends the whole group") {
  pid_t child = 0;
  {
    // The shell's own child is not ours to wait for, but it is of the group.
    Pipeline pipeline{{{"sh", "-c", "sleep 1000 & echo $!; wait"}}};
    std::string text;
    while (text.empty() || text.back() != '\n') {
      Bytes one(1);
      REQUIRE(pipeline.read(one) == 1);
      text += as_text(one);
    }
    child = static_cast<pid_t>(std::stol(text));
    REQUIRE(::kill(child, 0) == 0);
  }
  // It is init's to reap now; a zombie is as dead as can be.
  const std::string stat = "/proc/" + std::to_string(child) + "/stat";
  bool dead = false;
  for (int i = 0; i < 2000 && !dead; ++i) {
    const auto bytes = read_file_if_exists(stat);
    dead = !bytes || std::string{as_text(*bytes)}.find(") Z ") != std::string::npos;
    if (!dead) ::usleep(1000);
  }
  CHECK(dead);
}

TEST_CASE("process: an interrupt ends a read that would wait for ever") {
  Pipeline pipeline{{{"sleep", "1000"}}};
  Bytes buffer(10);
  set_interrupted(SIGTERM);
  CHECK_THROWS_AS(pipeline.read(buffer), Error);
  CHECK_THROWS_AS(pipeline.wait(), Error);
  set_interrupted(0);
}

TEST_CASE("process: the environment gets what is asked for") {
  ::setenv("CAIRN_TEST_VARIABLE", "old", 1);
  Pipeline pipeline{{{"sh", "-c", "echo $CAIRN_TEST_VARIABLE $CAIRN_TEST_OTHER"}},
                    {.environment = {{"CAIRN_TEST_VARIABLE", "new"}, {"CAIRN_TEST_OTHER", "2"}},
                     .secrets = {},
                     .standard_error = ProcessOptions::StandardError::inherit}};
  CHECK(read_all(pipeline) == "new 2\n");
  ::unsetenv("CAIRN_TEST_VARIABLE");
}

TEST_CASE("process: children do not inherit this program's secrets unless they are to") {
  const char* const names[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CAIRN_IDENTITY", "CAIRN_IDENTITY_COMMAND",
                               "CAIRN_SIGNING_KEY"};
  for (const char* name : names) ::setenv(name, "hush", 1);
  ::setenv("AWS_REGION", "eu-1", 1);
  const std::vector<std::string> show{"sh", "-c", "env | grep -E '^(AWS_(R|S)|CAIRN_(I|SI))' | sort"};
  Pipeline without{{show, {"cat"}}};
  CHECK(read_all(without) == "AWS_REGION=eu-1\n");
  Pipeline with{{show, {"cat"}}, {.environment = {}, .secrets = {"AWS_SESSION_TOKEN", "HOME", "CAIRN_IDENTITY"}}};
  CHECK(read_all(with) == "AWS_REGION=eu-1\nAWS_SESSION_TOKEN=hush\nCAIRN_IDENTITY=hush\n");
  for (const char* name : names) ::unsetenv(name);
  ::unsetenv("AWS_REGION");
}

TEST_CASE("process: the end of standard error is kept") {
  Pipeline pipeline{{{"sh", "-c", "exec 3>&2 2>/dev/null; echo out; echo problem >&3"}},
                    {.environment = {}, .secrets = {}, .standard_error = ProcessOptions::StandardError::tail}};
  CHECK(read_all(pipeline) == "out\n");
  CHECK(pipeline.wait()[0].ok());
  CHECK(pipeline.error_tail() == "problem\n");
}

namespace {

// Everything that a program run by run_program() said, and how it ended.
struct Said {
  std::vector<std::string> lines;
  ProcessExit exit;
};
Said run_and_hear(const std::vector<std::string>& argv, std::optional<std::chrono::nanoseconds> timeout = {},
                  ProcessOptions options = {}) {
  Said said;
  const LineSink sink = [&](std::string_view line) { said.lines.emplace_back(line); };
  said.exit = run_program(argv, std::move(options), sink, timeout);
  return said;
}

bool is_dead(pid_t pid) {
  const auto bytes = read_file_if_exists("/proc/" + std::to_string(pid) + "/stat");
  return !bytes || std::string{as_text(*bytes)}.find(") Z ") != std::string::npos;
}

bool dies(pid_t pid) {
  for (int i = 0; i < 5000 && !is_dead(pid); ++i) ::usleep(1000);
  return is_dead(pid);
}

}  // namespace

TEST_CASE("process: run_program reports how it ended") {
  CHECK(run_and_hear({"true"}).exit.ok());
  CHECK(run_and_hear({"sh", "-c", "exit 7"}).exit.code == 7);
  CHECK(run_and_hear({"sh", "-c", "kill -9 $$"}).exit.signal == 9);
  CHECK_THROWS_WITH_AS(run_and_hear({"/nonexistent/program"}),
                       "unable to start '/nonexistent/program': No such file or directory", Error);
}

TEST_CASE("process: run_program passes on both streams line by line, in their order") {
  const auto said =
      run_and_hear({"sh", "-c", "echo one; echo two >&2; printf 'three\\r\\n\\nend'; read x || echo ' of input'"});
  CHECK(said.lines == std::vector<std::string>{"one", "two", "three", "", "end of input"});
  // What has no line's end comes in pieces, and nothing of it is lost.
  const auto wide = run_and_hear({"sh", "-c", "head -c 10000 /dev/zero | tr '\\0' x"});
  REQUIRE(wide.lines.size() == 3);
  CHECK(wide.lines[0].size() + wide.lines[1].size() + wide.lines[2].size() == 10000);
  const auto much = run_and_hear({"seq", "100000"});
  CHECK(much.lines.size() == 100000);
  CHECK(much.lines.back() == "100000");
}

TEST_CASE("process: a child that a program leaves behind holds nobody up, silent or not") {
  // Both are children with the program's output open.
  const auto silent = run_and_hear({"sh", "-c", "sleep 1000 & echo $!; exit 3"});
  CHECK(silent.exit.code == 3);
  REQUIRE(silent.lines.size() == 1);
  // It was meant to go on.
  const auto child = static_cast<pid_t>(std::stol(silent.lines[0]));
  CHECK_FALSE(is_dead(child));
  ::kill(child, SIGKILL);

  const auto loud = run_and_hear({"sh", "-c", "yes & echo $!"});
  CHECK(loud.exit.ok());
  REQUIRE_FALSE(loud.lines.empty());
  // Nobody reads it any more: it ends as others do whose reader goes away.
  const std::string first =
      *std::find_if(loud.lines.begin(), loud.lines.end(), [](const auto& line) { return line != "y"; });
  CHECK(dies(static_cast<pid_t>(std::stol(first))));
}

TEST_CASE("process: a program that takes too long is ended, with its children") {
  const auto said = run_and_hear({"sh", "-c", "sleep 1000 & echo $!; wait"}, std::chrono::milliseconds{300});
  CHECK(said.exit.timed_out);
  CHECK_FALSE(said.exit.ok());
  CHECK(said.exit.text() == "took too long and was ended");
  REQUIRE(said.lines.size() == 1);
  CHECK(dies(static_cast<pid_t>(std::stol(said.lines[0]))));
  // Neither output without end nor one that is closed keeps it alive; nor does being deaf.
  CHECK(run_and_hear({"yes"}, std::chrono::milliseconds{100}).exit.timed_out);
  CHECK(run_and_hear({"sh", "-c", "exec >&- 2>&-; exec sleep 1000"}, std::chrono::milliseconds{100}).exit.timed_out);
  CHECK(run_and_hear({"sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"}, std::chrono::milliseconds{100})
            .exit.timed_out);
  CHECK(run_and_hear({"true"}, std::chrono::hours{1}).exit.ok());
}

TEST_CASE("process: a signal ends a program, but not one that is to be waited for") {
  const test::SignalForgotten forgotten;
  set_interrupted(SIGTERM);
  CHECK(test::failure_of([] { run_and_hear({"sleep", "1000"}); }) == ErrorKind::interrupted);
  ProcessOptions keep;
  keep.on_signal = ProcessOptions::OnSignal::keep;
  const auto said = run_and_hear({"sh", "-c", "sleep 0.1; echo cleaned up"}, {}, keep);
  set_interrupted(0);
  CHECK(said.exit.ok());
  CHECK(said.lines == std::vector<std::string>{"cleaned up"});
}
