#include "store/tracing_store.hpp"

#include "servers/scripted_http.hpp"
#include "store/open.hpp"
#include "store/retrying_store.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"
#include "util/json.hpp"

#include <fcntl.h>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using cairn::testing::error_answer;
using cairn::testing::http_answer;

namespace {

class Recorder : public SilentReporter {
 public:
  void warning(const std::string& message) override { warnings.push_back(message); }
  std::vector<std::string> warnings;
};

struct Bench {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path file = directory.path() / "trace";
  Recorder reporter;

  std::vector<Json> lines() const {
    const Bytes text = read_file(file);
    std::vector<Json> out;
    for (std::string_view rest = as_text(text); !rest.empty();) {
      const auto end = rest.find('\n');
      REQUIRE(end != std::string_view::npos);
      out.push_back(Json::parse(rest.substr(0, end)));
      rest.remove_prefix(end + 1);
    }
    return out;
  }
  std::shared_ptr<Trace> trace() { return std::make_shared<Trace>(file, reporter); }
  std::pair<test::MemoryStore*, std::unique_ptr<TracingStore>> memory() {
    auto store = std::make_unique<test::MemoryStore>();
    auto* raw = store.get();
    return {raw, std::make_unique<TracingStore>(std::move(store), trace())};
  }
};

std::string said(const Json& line, std::string_view member) {
  return line.at(member).string();
}

StoreError failure(StoreError::Transient transient) {
  return {ErrorKind::failed, transient, "unable to read: it said no"};
}

RetryTools without_sleep() {
  return {[] { return std::chrono::steady_clock::time_point{}; }, [](std::chrono::nanoseconds) {}, [] { return 0.5; }};
}

}  // namespace

TEST_CASE("trace: each operation is a line that says what it was and how it ended") {
  Bench bench;
  auto [memory, store] = bench.memory();
  store->put("a/b", ObjectBody::from_text("hello"));
  store->put("a/b", ObjectBody::from_text("other"), PutMode::create_only);
  CHECK(store->get("a/b")->size() == 5);
  CHECK(store->get("a/b", ByteRange{1, 3})->size() == 3);
  CHECK_FALSE(store->get("a/c", ByteRange{1, UINT64_MAX}));
  CHECK(store->head("a/b"));
  store->list("a/", [](const ObjectInfo&) {});
  store->list_after("a/", "a/b", [](const ObjectInfo&) {});
  store->now();
  CHECK(store->remove(std::vector<std::string>{"a/b", "a/c"}).empty());
  const auto lines = bench.lines();
  REQUIRE(lines.size() == 10);
  for (const auto& line : lines) {
    CHECK(parse_time(said(line, "time")));
    CHECK(said(line, "store") == "memory");
    CHECK(line.at("try").u64() == 1);
    CHECK(line.at("pid").u64() == static_cast<std::uint64_t>(::getpid()));
    CHECK(line.find("ms") != nullptr);
    CHECK(line.find("error") == nullptr);
  }
  const auto is = [&](std::size_t at, std::string_view operation, std::string_view key, std::string_view outcome) {
    CHECK(said(lines.at(at), "operation") == operation);
    CHECK(said(lines.at(at), "key") == key);
    CHECK(said(lines.at(at), "outcome") == outcome);
  };
  is(0, "put", "a/b", "stored");
  CHECK(lines[0].at("bytes").u64() == 5);
  CHECK(lines[0].find("create_only") == nullptr);
  is(1, "put", "a/b", "exists");
  CHECK(lines[1].find("create_only") != nullptr);
  is(2, "get", "a/b", "found");
  CHECK(lines[2].find("offset") == nullptr);
  is(3, "get", "a/b", "found");
  CHECK(lines[3].at("offset").u64() == 1);
  CHECK(lines[3].at("length").u64() == 3);
  CHECK(lines[3].at("bytes").u64() == 3);
  is(4, "get", "a/c", "absent");
  CHECK(lines[4].at("length").u64() == k_max_integer);
  is(5, "head", "a/b", "found");
  is(6, "list", "a/", "done");
  CHECK(lines[6].at("objects").u64() == 1);
  is(7, "list", "a/", "done");
  CHECK(said(lines[7], "after") == "a/b");
  CHECK(lines[7].at("objects").u64() == 0);
  CHECK(said(lines[8], "operation") == "now");
  CHECK(said(lines[9], "outcome") == "removed");
  CHECK(lines[9].at("keys").array().size() == 2);
}

TEST_CASE("trace: each attempt is a line of its own, with its number") {
  Bench bench;
  auto [memory, traced] = bench.memory();
  memory->put("k", ObjectBody::from_text("v"));
  int left = 2;
  memory->on_call = [&left](const std::string& operation, const std::string&) {
    if (operation == "get" && left-- > 0) throw failure(StoreError::Transient::yes);
  };
  RetryingStore store{std::move(traced), RetryPolicy{}, bench.reporter, without_sleep()};
  CHECK(store.get("k"));
  CHECK(store.head("k"));
  const auto lines = bench.lines();
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(lines[i].at("try").u64() == i + 1);
  CHECK(said(lines[0], "outcome") == "failed");
  CHECK(lines[0].at("transient").boolean());
  CHECK(said(lines[0], "error") == "unable to read: it said no");
  CHECK(said(lines[2], "outcome") == "found");
  CHECK(lines[3].at("try").u64() == 1);
}

TEST_CASE("trace: a visitor that uses the store and then fails leaves the listing's own line right") {
  Bench bench;
  auto [memory, traced] = bench.memory();
  memory->put("k", ObjectBody::from_text("v"));
  bool failed = false;
  memory->on_call = [&failed](const std::string& operation, const std::string&) {
    if (operation == "get" && !std::exchange(failed, true)) throw failure(StoreError::Transient::yes);
  };
  RetryingStore store{std::move(traced), RetryPolicy{}, bench.reporter, without_sleep()};
  const auto visit = [&](const ObjectInfo& info) {
    store.get(info.key);
    throw Error(ErrorKind::busy, "enough");
  };
  CHECK(test::failure_of([&] { store.list("", visit); }) == ErrorKind::busy);
  const auto lines = bench.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].at("try").u64() == 2);
  CHECK(said(lines[2], "operation") == "list");
  CHECK(said(lines[2], "outcome") == "stopped");
  CHECK(lines[2].at("try").u64() == 1);
  CHECK(lines[2].find("error") == nullptr);
}

TEST_CASE("trace: what the server answered is told, and no key of it") {
  Bench bench;
  cairn::testing::ScriptedHttp server;
  server.then(error_answer(503, "SlowDown")).then(http_answer(206, {"Content-Range: bytes 2-3/9"}, "ab"));
  server.then(error_answer(404, "NoSuchKey"));
  const auto environment = [&](std::string_view name) -> std::optional<std::string> {
    if (name == "AWS_ACCESS_KEY_ID") return "AKIDHUSH";
    if (name == "AWS_SECRET_ACCESS_KEY") return "HUSHHUSH";
    if (name == "CAIRN_TRACE") return bench.file.native();
    return std::nullopt;
  };
  const StoreAddress address{.url = "s3://bucket/p?endpoint=" + server.endpoint() + "&region=us-east-1"};
  const auto store = open_store(address, environment, bench.reporter);
  CHECK(store->get("k", ByteRange{2, 2})->size() == 2);
  CHECK_FALSE(store->get("none"));
  const auto lines = bench.lines();
  REQUIRE(lines.size() == 3);
  const std::vector<std::uint64_t> statuses{503, 206, 404};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(lines[i].at("status").u64() == statuses[i]);
    CHECK(lines[i].at("requests").u64() == 1);
    CHECK(said(lines[i], "store") == "s3://bucket/p");
  }
  CHECK(lines[1].at("try").u64() == 2);
  CHECK(said(lines[2], "outcome") == "absent");
  CHECK(as_text(read_file(bench.file)).find("HUSH") == std::string_view::npos);
}

TEST_CASE("trace: the file is its owner's, and is added to by every thread and process in whole lines") {
  Bench bench;
  {
    auto [memory, store] = bench.memory();
    auto& shared = *store;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&shared] {
        for (int n = 0; n < 100; ++n) shared.head("some/key");
      });
    }
  }
  struct stat status {};
  REQUIRE(::stat(bench.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  bench.memory().second->head("again");
  const auto lines = bench.lines();
  CHECK(lines.size() == 401);
  CHECK(said(lines.back(), "key") == "again");
}

TEST_CASE("trace: a file that cannot be opened is a mistake, before a store is made") {
  Bench bench;
  const fs::path root = bench.directory.path() / "store";
  const auto environment = [&](std::string_view name) -> std::optional<std::string> {
    if (name == "CAIRN_TRACE") return (bench.directory.path() / "none/trace").native();
    return std::nullopt;
  };
  const auto open = [&] { open_store({.url = root.native()}, environment, bench.reporter, CreateRoot::yes); };
  CHECK(test::failure_of(open) == ErrorKind::usage);
  CHECK_FALSE(fs::exists(root));
}

TEST_CASE("trace: what cannot be written is said once, and the work goes on") {
  Bench bench;
  bench.file = "/dev/full";
  auto [memory, store] = bench.memory();
  CHECK_FALSE(store->head("a"));
  CHECK(store->put("a", ObjectBody::from_text("1")) == PutOutcome::stored);
  REQUIRE(bench.reporter.warnings.size() == 1);
  CHECK(bench.reporter.warnings[0] ==
        "unable to write the trace '/dev/full': No space left on device; it is not complete");
}
