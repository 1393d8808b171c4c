// The S3 store against servers that misbehave.
#include "store/s3/s3_store.hpp"

#include "servers/scripted_http.hpp"
#include "store/retrying_store.hpp"
#include "store/s3/listing_progress.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;
using cairn::testing::error_answer;
using cairn::testing::http_answer;
using cairn::testing::ScriptedHttp;
using cairn::testing::SeenRequest;

namespace {

const std::string k_date = "Date: Sat, 21 Nov 2026 03:24:10 GMT";
const Time k_now = parse_time("2026-11-21T03:24:10Z").value();

class Recorder : public SilentReporter {
 public:
  void warning(const std::string& message) override { warnings.push_back(message); }
  std::vector<std::string> warnings;
};

struct Bench {
  ScriptedHttp server;
  Recorder reporter;
  Time clock = k_now;

  std::unique_ptr<S3Store> store(const std::string& prefix = "p") {
    Location location;
    location.bucket = "bucket";
    location.prefix = prefix;
    location.endpoint = parse_endpoint(server.endpoint());
    location.region = "us-east-1";
    return std::make_unique<S3Store>(
        location,
        [] {
          return Credentials{"AKID", "HUSHHUSH", "", "the test"};
        },
        reporter, [this] { return clock; });
  }
  // Sleeps are noted, not slept, and the steady clock goes on by them.
  std::unique_ptr<RetryingStore> retrying(std::unique_ptr<ObjectStore> inner) {
    return std::make_unique<RetryingStore>(std::move(inner), RetryPolicy{}, reporter,
                                           RetryTools{[this] { return steady; },
                                                      [this](std::chrono::nanoseconds d) {
                                                        slept.push_back(d);
                                                        steady += d;
                                                      },
                                                      [] { return 0.5; }});
  }
  std::chrono::steady_clock::time_point steady{};
  std::vector<std::chrono::nanoseconds> slept;
};

struct Failure {
  ErrorKind kind = ErrorKind::usage;
  bool transient = false;
  std::string message = "(no failure)";
  std::string hint;
};

template <class F>
Failure failure_of(F&& work) {
  try {
    work();
  } catch (const StoreError& error) {
    for (const std::string& text : {error.message(), error.hint()}) CHECK(text.find("HUSH") == std::string::npos);
    return {error.kind(), error.transient(), error.message(), error.hint()};
  }
  return {};
}

std::string page(const std::vector<std::string>& keys, const std::string& next = {}) {
  std::string out = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  out += next.empty() ? "<IsTruncated>false</IsTruncated>"
                      : "<IsTruncated>true</IsTruncated><NextContinuationToken>" + next + "</NextContinuationToken>";
  for (const auto& key : keys) {
    out += "<Contents><Key>" + key +
           "</Key><LastModified>2026-11-21T03:00:00.123Z</LastModified><Size>3</Size></Contents>";
  }
  return http_answer(200, {k_date}, out + "</ListBucketResult>");
}

std::vector<std::string> keys_of(ObjectStore& store, const std::string& prefix = "") {
  std::vector<std::string> keys;
  store.list(prefix, [&](const ObjectInfo& info) { keys.push_back(info.key); });
  return keys;
}

}  // namespace

TEST_CASE("s3 store: a PUT is signed, measured and checksummed, and says nothing that servers trip over") {
  Bench bench;
  bench.server.then(http_answer(200, {}, ""));
  CHECK(bench.store()->put("a/b", ObjectBody::from_text("hello")) == PutOutcome::stored);
  const auto seen = bench.server.seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].method == "PUT");
  CHECK(seen[0].target == "/bucket/p/a/b");
  CHECK(seen[0].body == "hello");
  CHECK(seen[0].header("content-length") == "5");
  CHECK(seen[0].header("content-md5") == "XUFAKrxLKna5cZ2REBfFkg==");
  CHECK(seen[0].header("x-amz-content-sha256") == sha256(std::string_view{"hello"}).hex());
  CHECK(seen[0].header("x-amz-date") == "20261121T032410Z");
  CHECK(seen[0]
            .header("authorization")
            .find("SignedHeaders=content-md5;content-type;host;x-amz-content-sha256;x-amz-date,") != std::string::npos);
  for (const char* name : {"expect", "transfer-encoding", "accept-encoding", "if-none-match"}) {
    CHECK_MESSAGE(seen[0].headers.count(name) == 0, name);
  }
}

TEST_CASE("s3 store: the bucket's region is learnt from the first refusal, once") {
  const auto scope_of = [](const SeenRequest& request) {
    const std::string text = request.header("authorization");
    return text.substr(text.find('/') + 1, text.find("/s3/") - text.find('/') - 1);
  };
  const std::vector<std::string> refusals{
      http_answer(301, {"x-amz-bucket-region: eu-7"}, ""),
      http_answer(307, {"x-amz-bucket-region: eu-7", "Location: http://127.0.0.1:1/"}, ""),
      http_answer(400, {},
                  "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-7</Region></Error>"),
      http_answer(301, {}, "<Error><Code>PermanentRedirect</Code><Region>eu-7</Region></Error>")};
  for (const auto& refusal : refusals) {
    Bench bench;
    bench.server.then(refusal).then(http_answer(200, {}, "")).then(http_answer(200, {}, ""));
    const auto store = bench.store();
    store->put("a", ObjectBody::from_text("x"));
    store->put("b", ObjectBody::from_text("x"));
    const auto seen = bench.server.seen();
    REQUIRE(seen.size() == 3);
    CHECK(scope_of(seen[0]) == "20261121/us-east-1");
    CHECK(scope_of(seen[1]) == "20261121/eu-7");
    CHECK(scope_of(seen[2]) == "20261121/eu-7");
    CHECK(seen[1].body == "x");
  }
  Bench bench;  // a HEAD has nothing but its headers
  bench.server.then(http_answer(400, {"x-amz-bucket-region: eu-7"}, ""))
      .then(http_answer(200, {"Last-Modified: Sat, 21 Nov 2026 03:00:00 GMT"}, ""));
  CHECK(bench.store()->head("a"));
}

TEST_CASE("s3 store: servers that send each other's regions end in an error, not in a loop") {
  Bench bench;
  bench.server.then(http_answer(301, {"x-amz-bucket-region: eu-1"}, ""))
      .then(http_answer(301, {"x-amz-bucket-region: eu-2"}, ""));
  const auto failure = failure_of([&] { bench.store()->get("a"); });
  CHECK(failure.message == "unable to read 'a' in s3://bucket/p: 301 redirect");
  CHECK_FALSE(failure.transient);
  CHECK(bench.server.seen().size() == 2);
}

TEST_CASE("s3 store: a clock that is wrong is corrected once, with a warning") {
  for (const bool head : {false, true}) {
    Bench bench;
    bench.clock = parse_time("1970-01-02T00:00:00Z").value();
    bench.server.then(head ? http_answer(403, {k_date}, "") : error_answer(403, "RequestTimeTooSkewed", {k_date}))
        .then(http_answer(200, {"Last-Modified: Sat, 21 Nov 2026 03:00:00 GMT"}, ""))
        .then(http_answer(200, {"Last-Modified: Sat, 21 Nov 2026 03:00:00 GMT"}, ""));
    const auto store = bench.store();
    if (head) {
      CHECK(store->head("a"));
    } else {
      CHECK(store->get("a"));
    }
    CHECK(store->head("a"));
    const auto seen = bench.server.seen();
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].header("x-amz-date") == "19700102T000000Z");
    CHECK(seen[1].header("x-amz-date") == "20261121T032410Z");
    CHECK(seen[2].header("x-amz-date") == "20261121T032410Z");
    REQUIRE(bench.reporter.warnings.size() == 1);
    CHECK(bench.reporter.warnings[0].find("clock is") != std::string::npos);
    CHECK(bench.reporter.warnings[0].find("behind") != std::string::npos);
  }
}

TEST_CASE("s3 store: a denied HEAD at the right time is a denial and not a clock") {
  Bench bench;
  bench.server.then(http_answer(403, {k_date}, ""));
  const auto failure = failure_of([&] { bench.store()->head("a"); });
  CHECK(failure.message == "unable to look up 'a' in s3://bucket/p: 403 access denied");
  CHECK(failure.hint == "credentials come from the test");
  CHECK(bench.reporter.warnings.empty());
  CHECK(bench.server.seen().size() == 1);
}

TEST_CASE("s3 store: a success that is an error is a transient error") {
  Bench bench;
  const std::string body = "<Error><Code>InternalError</Code><Message>late</Message></Error>";
  bench.server.then(http_answer(200, {}, body)).then(http_answer(200, {}, body));
  const auto put = failure_of([&] { bench.store()->put("a", ObjectBody::from_text("x")); });
  CHECK(put.message == "unable to store 'a' in s3://bucket/p: 200 InternalError: late");
  CHECK(put.transient);
  CHECK(failure_of([&] { keys_of(*bench.store()); }).transient);
}

TEST_CASE("s3 store: an object that looks like an error is an object") {
  Bench bench;
  const std::string body = "<Error><Code>InternalError</Code></Error>";
  bench.server.then(http_answer(200, {}, body));
  CHECK(as_text(*bench.store()->get("a")) == body);
}

TEST_CASE("s3 store: a body cut short, too long or without a length is never handed out") {
  Bench bench;
  bench.server.then(http_answer(200, {"Content-Length: 100"}, "only ten..", false))
      .then(http_answer(200, {}, "without a length", false))
      .then(http_answer(206, {"Content-Range: bytes 0-3/100"}, "more than four"))
      .then(http_answer(200, {}, "the whole object instead of four bytes of it"))
      .then("")
      .then("garbage\r\n\r\n");
  const auto store = bench.store();
  CHECK(failure_of([&] { store->get("a"); }).transient);
  CHECK(failure_of([&] { store->get("a"); }).message.find("does not tell its length") != std::string::npos);
  CHECK(failure_of([&] { store->get("a", ByteRange{0, 4}); }).message.find("more than 4 bytes") != std::string::npos);
  CHECK(failure_of([&] { store->get("a", ByteRange{8, 4}); }).message.find("more than 4 bytes") != std::string::npos);
  CHECK(failure_of([&] { store->get("a"); }).transient);
  CHECK(failure_of([&] { store->get("a"); }).kind == ErrorKind::failed);
}

TEST_CASE("s3 store: the range that comes is the range that was asked for") {
  struct Case {
    int status;
    std::string content_range;
    std::string body;
    bool good;
  };
  const std::vector<Case> cases{
      {206, "bytes 4-7/100", "abcd", true}, {206, "bytes 4-5/6", "ab", true},
      {206, "bytes 4-6/100", "abc", false}, {206, "bytes 0-3/100", "abcd", false},
      {206, "bytes 4-7/100", "abc", false}, {206, "", "abcd", false},
      {206, "bytes 4-7/*", "abcd", false},  {206, "bytes 7-4/9", "abcd", false},
      {206, "lines 4-7/9", "abcd", false},  {200, "", "abcd", false},
      {206, "bytes 4-7/7", "abcd", false},
  };
  for (const auto& one : cases) {
    INFO(one.status << " " << one.content_range << " " << one.body);
    Bench bench;
    std::vector<std::string> headers;
    if (!one.content_range.empty()) headers.push_back("Content-Range: " + one.content_range);
    bench.server.then(http_answer(one.status, headers, one.body));
    const auto store = bench.store();
    if (one.good) {
      CHECK(as_text(*store->get("a", ByteRange{4, 4})) == one.body);
      CHECK(bench.server.seen()[0].header("range") == "bytes=4-7");
    } else {
      CHECK(failure_of([&] { store->get("a", ByteRange{4, 4}); }).kind == ErrorKind::failed);
    }
  }
  Bench bench;
  bench.server.then(error_answer(416, "InvalidRange"));
  CHECK(bench.store()->get("a", ByteRange{100, UINT64_MAX})->empty());
  CHECK(bench.server.seen()[0].header("range") == "bytes=100-9223372036854775807");
}

TEST_CASE("s3 store: content that was compressed on its way is refused") {
  Bench bench;
  bench.server.then(http_answer(200, {"Content-Encoding: gzip"}, "abc"));
  CHECK(failure_of([&] { bench.store()->get("a"); }).message.find("content-encoding 'gzip'") != std::string::npos);
}

TEST_CASE("s3 store: a missing bucket is never a missing object") {
  Bench bench;
  bench.server.then(error_answer(404, "NoSuchBucket"))
      .then(http_answer(404, {}, ""))
      .then(error_answer(404, "NoSuchBucket"))
      .then(error_answer(404, "NoSuchBucket"))
      .then(error_answer(404, "NoSuchKey"))
      .then(http_answer(404, {"x-amz-request-id: tx1"}, ""));
  const auto store = bench.store();
  CHECK(failure_of([&] { store->get("a"); }).kind == ErrorKind::not_found);
  const auto head = failure_of([&] { store->head("a"); });  // asks a second question
  CHECK(head.kind == ErrorKind::not_found);
  CHECK(head.message == "unable to reach s3://bucket/p: 404 NoSuchBucket: said so");
  CHECK(failure_of([&] { keys_of(*store); }).kind == ErrorKind::not_found);
  CHECK_FALSE(store->get("a"));
  CHECK_FALSE(store->head("a"));
  CHECK(bench.server.seen().size() == 6);
}

TEST_CASE("s3 store: a 404 that S3 did not send is no missing object") {
  const std::string proxy = http_answer(404, {}, "404 page not found");
  const std::string s3 = http_answer(404, {"x-amz-request-id: tx1"}, "");
  struct Use {
    const char* name;
    std::function<bool(ObjectStore&)> is_there;
  };
  const std::vector<Use> uses{{"get", [](ObjectStore& store) { return store.get("a").has_value(); }},
                              {"head", [](ObjectStore& store) { return store.head("a").has_value(); }},
                              {"ranged get", [](ObjectStore& store) {
                                 return store.get("a", ByteRange{0, 10}).has_value();
                               }}};
  for (const Use& use : uses) {
    INFO(use.name);
    Bench bench;
    bench.server.then(page({})).then(proxy).then(page({"p/a"}));
    const auto store = bench.store();
    keys_of(*store);
    const auto listed = failure_of([&] { use.is_there(*store); });
    CHECK(listed.transient);
    CHECK(listed.message.find("'a' in s3://bucket/p: 404 not found, though it is listed") != std::string::npos);
    CHECK(bench.server.seen().back().target == "/bucket?encoding-type=url&list-type=2&max-keys=1&prefix=p%2Fa");
    bench.server.then(proxy).then(proxy);
    CHECK(failure_of([&] { use.is_there(*store); }).transient);
    bench.server.then(proxy).then(http_answer(200, {}, "<html>welcome</html>"));
    CHECK(failure_of([&] { use.is_there(*store); }).transient);
    bench.server.then(proxy).then(page({"p/ab"}));
    CHECK_FALSE(use.is_there(*store));
    CHECK(bench.server.seen().size() == 9);
  }
  // An answer of S3 itself costs no second request.
  Bench bench;
  bench.server.then(page({})).then(error_answer(404, "NoSuchKey")).then(s3);
  const auto store = bench.store();
  keys_of(*store);
  CHECK_FALSE(store->get("a"));
  CHECK_FALSE(store->head("a"));
  CHECK(bench.server.seen().size() == 3);
  // A balancer that comes up before what is behind it.
  bench.server.then(proxy).then(page({"p/a"})).then(http_answer(200, {}, "abc"));
  CHECK(bench.retrying(bench.store())->get("a").has_value());
}

TEST_CASE("s3 store: something else that answers is given up as soon as nobody") {
  for (const std::string& answer : {http_answer(200, {"Content-Type: text/html"}, "<html>console</html>"),
                                    http_answer(404, {}, "404 page not found")}) {
    Bench bench;
    for (int i = 0; i < 200; ++i) bench.server.then(answer);
    const auto store = bench.retrying(bench.store());
    const auto failed = failure_of([&] { keys_of(*store); });
    CHECK(failed.kind == ErrorKind::failed);
    CHECK(failed.message.starts_with("unable to reach s3://bucket/p: "));
    CHECK(failed.hint.starts_with("the endpoint is http://127.0.0.1:"));
    CHECK(bench.steady.time_since_epoch() <= std::chrono::minutes{1});
    CHECK(bench.server.seen().size() < 30);
  }
  // It was S3 once: an outage.
  Bench bench;
  bench.server.then(page({"p/a"}));
  for (int i = 0; i < 30; ++i) bench.server.then(http_answer(200, {}, "<html>out of order</html>"));
  bench.server.then(page({"p/b"}));
  const auto store = bench.retrying(bench.store());
  CHECK(keys_of(*store) == std::vector<std::string>{"a"});
  CHECK(keys_of(*store) == std::vector<std::string>{"b"});
  CHECK(bench.steady.time_since_epoch() > std::chrono::minutes{1});
}

TEST_CASE("s3 store: nobody listens") {
  Bench bench;
  const auto store = bench.store();
  Location location;
  location.bucket = "bucket";
  {
    const ScriptedHttp gone;
    location.endpoint = parse_endpoint(gone.endpoint());
  }
  S3Store unreachable{location, [] { return Credentials{"AKID", "HUSHHUSH", "", "the test"}; }, bench.reporter};
  try {
    unreachable.get("a");
    FAIL("got something");
  } catch (const StoreError& error) {
    CHECK(error.kind() == ErrorKind::failed);
    CHECK(error.unreachable());
    CHECK(error.hint().find("the endpoint is http://127.0.0.1:") == 0);
  }
}

TEST_CASE("s3 store: a listing of several pages, encoded, with an empty one and names that are not ours") {
  Bench bench;
  bench.server.then(page({"p/a", "p/a b", "p/b"}, "t+/=1")).then(page({}, "t2")).then([](const SeenRequest&) {
    std::string text = page({"p/c%2Fd", "p/e+f%25"});
    const std::string mark = "<IsTruncated>";
    return http_answer(200, {},
                       text.substr(text.find("<?xml"))
                           .insert(text.find(mark) - text.find("<?xml"), "<EncodingType>url</EncodingType>"));
  });
  CHECK(keys_of(*bench.store()) == std::vector<std::string>{"a", "b", "c/d"});
  const auto seen = bench.server.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].target == "/bucket?encoding-type=url&list-type=2&prefix=p%2F");
  CHECK(seen[1].target == "/bucket?continuation-token=t%2B%2F%3D1&encoding-type=url&list-type=2&prefix=p%2F");
}

TEST_CASE("s3 store: a listing that goes back, astray or nowhere is refused") {
  const std::vector<std::vector<std::string>> scripts{
      {page({"p/b", "p/a"})},
      {page({"p/a", "p/a"})},
      {page({"q/a"})},
      {page({"p/b"}, "t"), page({"p/a"})},
      {page({"p/a"}, "t"), page({"p/b"}, "t")},
      {http_answer(200, {}, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")},
      {http_answer(200, {}, "<ListBucketResult></ListBucketResult>")},
      {http_answer(200, {}, "<html>welcome</html>")},
      {http_answer(200, {}, "")},
  };
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    INFO("script " << i);
    Bench bench;
    for (const auto& answer : scripts[i]) bench.server.then(answer);
    CHECK(failure_of([&] { keys_of(*bench.store()); }).kind == ErrorKind::failed);
  }
}

TEST_CASE("s3 store: a listing that never ends is ended") {
  // In a circle of pages without objects; in one of two tokens; with a new token each time.
  Bench circle;
  for (int i = 0; i < 20; ++i) circle.server.then(page({}, i % 3 == 0 ? "x" : i % 3 == 1 ? "y" : "z"));
  const auto error = failure_of([&] { keys_of(*circle.store()); });
  CHECK(error.message == "unable to list s3://bucket/p: the server lists in a circle");
  CHECK_FALSE(error.transient);
  CHECK(circle.server.seen().size() == 4);

  ListingProgress empty;
  for (std::size_t i = 0; i < ListingProgress::k_most_empty_pages; ++i) {
    REQUIRE_FALSE(empty.add_page(0, std::to_string(i)));
  }
  CHECK(empty.add_page(0, "more"));

  ListingProgress thin;
  std::size_t pages = 0;
  while (pages < 100 * ListingProgress::k_free_pages && !thin.add_page(1, std::to_string(pages))) ++pages;
  CHECK(pages < 2 * ListingProgress::k_free_pages);

  ListingProgress long_one;
  std::uint64_t objects = 0;
  while (objects <= 2 * ListingProgress::k_most_objects && !long_one.add_page(1000, std::to_string(objects))) {
    objects += 1000;
  }
  CHECK(objects == ListingProgress::k_most_objects);

  // One of a large bucket, with what it has removed in between.
  ListingProgress good;
  for (int i = 0; i < 10'000; ++i) REQUIRE_FALSE(good.add_page(i % 2 == 0 ? 1000 : 0, std::to_string(i)));
}

TEST_CASE("s3 store: an object whose size is not asked for does not fill the memory") {
  Bench bench;
  bench.server.then(http_answer(200, {"Content-Length: 1152921504606846976"}, "x", false));
  const auto store = bench.store();
  // Refused for what it announces, not taken for as long as it comes.
  CHECK(failure_of([&] { store->get("config/x"); }).message ==
        "unable to read 'config/x' in s3://bucket/p: an answer of more than 1073741824 bytes");
}

TEST_CASE("s3 store: a listing that breaks off goes on behind the last key") {
  Bench bench;
  bench.server.then(page({"p/a", "p/b"}, "t")).then("").then(page({"p/c"}));
  const auto store = bench.retrying(bench.store());
  CHECK(keys_of(*store) == std::vector<std::string>{"a", "b", "c"});
  CHECK(bench.server.seen().at(2).target == "/bucket?encoding-type=url&list-type=2&prefix=p%2F&start-after=p%2Fb");
}

TEST_CASE("s3 store: 503 and then success, and the pause that the server asked for is kept") {
  Bench bench;
  bench.server.then(error_answer(503, "SlowDown", {"Retry-After: 7"}))
      .then(error_answer(500, "InternalError", {"x-amz-retry-after: 1500"}))
      .then(http_answer(200, {}, ""));
  const auto store = bench.retrying(bench.store());
  CHECK(store->put("a", ObjectBody::from_text("x")) == PutOutcome::stored);
  REQUIRE(bench.slept.size() == 2);
  CHECK(bench.slept[0] == std::chrono::seconds{7});
  CHECK(bench.slept[1] == std::chrono::milliseconds{1500});
  CHECK(store->requests() == 3);
}

TEST_CASE("s3 store: create-only needs a probe, and only a server that keeps the first object passes it") {
  {
    Bench bench;
    CHECK_THROWS_AS(bench.store()->put("a", ObjectBody::from_text("x"), PutMode::create_only), StoreError);
    CHECK(bench.server.seen().empty());
  }
  {
    Bench honest;
    std::string first;
    honest.server
        .then([&](const SeenRequest& request) {
          first = request.body;
          return http_answer(200, {}, "");
        })
        .then(error_answer(412, "PreconditionFailed"))
        .then([&](const SeenRequest&) { return http_answer(200, {}, first); })
        .then(error_answer(403, "AccessDenied"));  // the writer may not delete: that is all right
    const auto store = honest.store();
    CHECK(store->probe_create_only());
    CHECK(store->capabilities().create_only);
    const auto seen = honest.server.seen();
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].header("if-none-match") == "*");
    CHECK(seen[0].header("authorization").find("if-none-match;") != std::string::npos);
    CHECK(seen[0].target.find("/bucket/p/probe/") == 0);
    CHECK(seen[3].method == "DELETE");
  }
  {
    Bench ignoring;
    ignoring.server.then(http_answer(200, {}, "")).then(http_answer(200, {}, "")).then(http_answer(204, {}, ""));
    CHECK_FALSE(ignoring.store()->probe_create_only());
  }
  {
    Bench unable;
    unable.server.then(error_answer(501, "NotImplemented"));
    CHECK_FALSE(unable.store()->probe_create_only());
  }
}

TEST_CASE("s3 store: a create-only PUT whose answer was lost recognises its own object") {
  for (const std::string there : {"mine", "yours"}) {
    Bench bench;
    bench.server.then("")
        .then(error_answer(412, "PreconditionFailed"))
        .then(http_answer(
            200, {"Last-Modified: Sat, 21 Nov 2026 03:00:00 GMT", "Content-Length: " + std::to_string(there.size())},
            "", false))
        .then(http_answer(200, {}, there));
    auto inner = bench.store();
    inner->set_create_only(true);
    const auto store = bench.retrying(std::move(inner));
    const auto outcome = store->put("a", ObjectBody::from_text("mine"), PutMode::create_only);
    CHECK(outcome == (there == "mine" ? PutOutcome::stored : PutOutcome::exists));
  }
}

TEST_CASE("s3 store: removing in bulk, one by one where that is not known, and what could not be removed") {
  const std::vector<std::string> keys{"a", "b"};
  {
    Bench bench;
    bench.server.then(http_answer(200, {},
                                  "<DeleteResult><Error><Key>p/b</Key><Code>AccessDenied</Code><Message>held</Message>"
                                  "</Error></DeleteResult>"));
    const auto failures = bench.store()->remove(keys);
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].key == "b");
    CHECK(failures[0].message == "AccessDenied: held");
    const auto seen = bench.server.seen();
    CHECK(seen[0].target == "/bucket?delete=");
    CHECK(seen[0].body.find("<Object><Key>p/a</Key></Object><Object><Key>p/b</Key></Object>") != std::string::npos);
    CHECK(seen[0].header("content-md5") == to_base64(md5(as_bytes(seen[0].body))));
  }
  {
    Bench bench;
    bench.server.then(error_answer(501, "NotImplemented"))
        .then(http_answer(204, {}, ""))
        .then(error_answer(403, "AccessDenied"))
        .then(http_answer(204, {}, ""));
    const auto store = bench.store();
    const auto failures = store->remove(keys);
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].key == "b");
    CHECK(store->remove(std::vector<std::string>{"c"}).empty());
    const auto seen = bench.server.seen();
    REQUIRE(seen.size() == 4);
    CHECK(seen[3].method == "DELETE");
    CHECK(seen[3].target == "/bucket/p/c");
  }
  {
    Bench bench;
    bench.server
        .then(http_answer(200, {}, "<DeleteResult><Error><Key>p/b</Key><Code>SlowDown</Code></Error></DeleteResult>"))
        .then(http_answer(200, {}, "<DeleteResult/>"));
    const auto store = bench.retrying(bench.store());
    CHECK(store->remove(keys).empty());
    CHECK(bench.slept.size() == 1);
  }
}

TEST_CASE("s3 store: a body that the server finds damaged is damaged") {
  Bench bench;
  bench.server.then(error_answer(400, "BadDigest"));
  CHECK(failure_of([&] { bench.store()->put("a", ObjectBody::from_text("x")); }).kind == ErrorKind::damaged);
}

TEST_CASE("s3 store: a hostile server's text cannot drive the terminal") {
  Bench bench;
  bench.server.then(error_answer(400, "Bad&#x1b;[2J" + std::string(500, 'x')));
  const auto failure = failure_of([&] { bench.store()->get("a"); });
  CHECK(failure.message.find('\x1b') == std::string::npos);
  CHECK(failure.message.size() < 300);
}

TEST_CASE("s3 store: a signal ends the attempts") {
  Bench bench;
  bench.server.then([](const SeenRequest&) {
    set_interrupted(SIGINT);
    return error_answer(503, "SlowDown");
  });
  const auto store = bench.retrying(bench.store());
  try {
    store->get("a");
    FAIL("went on");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::interrupted);
  }
  set_interrupted(0);
  CHECK(bench.slept.empty());
}

TEST_CASE("s3 store: a GET that dies in the middle of the body goes on from the byte that was reached") {
  Bench bench;
  std::string whole(400'000, '\0');
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<char>('a' + i % 23);
  const auto range_from = [&](std::size_t from) {
    return "Content-Range: bytes " + std::to_string(from) + "-399999/400000";
  };
  // So much of the answer that it should be.
  const auto cut = [](const std::string& answer, std::size_t missing) {
    return answer.substr(0, answer.size() - missing);
  };
  SUBCASE("at once, as long as that gets somewhere: no attempt failed") {
    bench.server.then(cut(http_answer(200, {"ETag: \"tag\""}, whole), 300'000))
        .then(cut(http_answer(206, {"ETag: \"tag\"", range_from(100'000)}, whole.substr(100'000)), 200'000))
        .then(http_answer(206, {"ETag: \"tag\"", range_from(200'000)}, whole.substr(200'000)));
    const auto got = bench.store()->get("k");
    REQUIRE(got);
    CHECK(as_text(*got) == whole);
    const auto seen = bench.server.seen();
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].header("range").empty());
    CHECK(seen[1].header("range") == "bytes=100000-");
    CHECK(seen[1].header("if-match") == "\"tag\"");
    CHECK(seen[2].header("range") == "bytes=200000-");
  }
  SUBCASE("after an attempt that got nowhere, too") {
    bench.server.then(cut(http_answer(206, {range_from(1000)}, whole.substr(1000)), 300'000))
        .then("")
        .then(error_answer(503, "SlowDown"))
        .then(cut(http_answer(206, {range_from(100'000)}, whole.substr(100'000)), 299'990))
        .then(http_answer(206, {range_from(100'010)}, whole.substr(100'010)));
    const auto store = bench.retrying(bench.store());
    const auto got = store->get("k", ByteRange{1000, 500'000});
    REQUIRE(got);
    CHECK(as_text(*got) == whole.substr(1000));
    const auto seen = bench.server.seen();
    REQUIRE(seen.size() == 5);
    CHECK(seen[1].header("range") == "bytes=100000-500999");
    CHECK(seen[2].header("range") == "bytes=100000-500999");
    CHECK(seen[4].header("range") == "bytes=100010-500999");
    // The dropped connection, the refusal, and the ten bytes.
    CHECK(bench.slept.size() == 3);
  }
  SUBCASE("from the beginning where it is another object by now") {
    bench.server.then(cut(http_answer(200, {"ETag: \"tag\""}, whole), 300'000))
        .then(error_answer(412, "PreconditionFailed"))
        .then(http_answer(200, {"ETag: \"other\""}, "short"));
    const auto got = bench.store()->get("k");
    REQUIRE(got);
    CHECK(as_text(*got) == "short");
    CHECK(bench.server.seen().at(2).header("range").empty());
  }
  SUBCASE("from a server that knows no ranges") {
    bench.server.then(cut(http_answer(200, {}, whole), 300'000)).then(http_answer(200, {}, whole));
    const auto got = bench.store()->get("k");
    REQUIRE(got);
    CHECK(as_text(*got) == whole);
  }
  SUBCASE("and where it has gone meanwhile, it has gone") {
    bench.server.then(cut(http_answer(200, {}, whole), 300'000)).then(error_answer(404, "NoSuchKey")).then(page({}));
    CHECK_FALSE(bench.store()->get("k"));
  }
}

TEST_CASE("s3 store: bodies come no faster than they may") {
  Bench bench;
  Location location;
  location.bucket = "bucket";
  location.prefix = "p";
  location.endpoint = parse_endpoint(bench.server.endpoint());
  location.region = "us-east-1";
  std::vector<std::chrono::nanoseconds> slept;
  RateLimiter::Clock::time_point now{};
  location.downloads = std::make_shared<RateLimiter>(100'000, RateLimiter::Tools{[&] { return now; },
                                                                                 [&](std::chrono::nanoseconds d) {
                                                                                   slept.push_back(d);
                                                                                   now += d;
                                                                                 }});
  S3Store store{location,
                [] {
                  return Credentials{"AKID", "HUSHHUSH", "", "the test"};
                },
                bench.reporter, [&] { return bench.clock; }};
  const std::string body(300'000, 'x');
  bench.server.then(http_answer(200, {}, body));
  const auto got = store.get("k");
  REQUIRE(got);
  CHECK(as_text(*got) == body);
  CHECK(now.time_since_epoch() >= std::chrono::milliseconds{2900});
  // Piece by piece, and not all of it at the end.
  CHECK(slept.size() >= 10);
}
