#include "store/s3/http.hpp"

#include "servers/scripted_http.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;
using cairn::testing::http_answer;
using cairn::testing::ScriptedHttp;
using cairn::testing::SeenRequest;

namespace {

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  request.max_response = 1000;
  return request;
}

}  // namespace

TEST_CASE("s3 http: the path goes out as it was given") {
  ScriptedHttp server;
  server.then(http_answer(200, {"X-Odd:  a value ", "X-Twice: 1", "x-twice: 2"}, "body"));
  HttpClient client{std::nullopt};
  const auto result = client.send(get(server.endpoint() + "/a/../b/./c//%2e%2E?x=%20"));
  const auto* response = std::get_if<HttpResponse>(&result);
  REQUIRE(response != nullptr);
  CHECK(server.seen().at(0).target == "/a/../b/./c//%2e%2E?x=%20");
  CHECK(response->status == 200);
  CHECK(response->header("x-odd") == "a value");
  CHECK(response->header("x-twice") == "2");
  CHECK_FALSE(response->header("x-none"));
  CHECK(as_text(response->body) == "body");
}

TEST_CASE("s3 http: an interim answer is not the answer") {
  ScriptedHttp server;
  server.then("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n" + http_answer(200, {}, "body"));
  HttpClient client{std::nullopt};
  const auto result = client.send(get(server.endpoint() + "/"));
  const auto* response = std::get_if<HttpResponse>(&result);
  REQUIRE(response != nullptr);
  CHECK(response->status == 200);
  CHECK_FALSE(response->header("x-interim"));
}

TEST_CASE("s3 http: an answer that promises more than memory holds takes none before it comes") {
  ScriptedHttp server;
  server.then(http_answer(200, {"Content-Length: 18446744073709551615"}, "x", false))
      .then(http_answer(200, {"Content-Length: 1152921504606846976"}, "x", false));
  HttpClient client{std::nullopt};
  for (int i = 0; i < 2; ++i) {
    auto request = get(server.endpoint() + "/");
    request.max_response = UINT64_MAX;
    const auto result = client.send(request);
    if (const auto* response = std::get_if<HttpResponse>(&result)) CHECK(response->body.size() <= 1);
  }
}

TEST_CASE("s3 http: a proxy that gives no way") {
  using Kind = HttpFailure::Kind;
  for (const int status : {401, 403, 407, 404, 502}) {
    CAPTURE(status);
    const Kind kind = status == 404 || status == 502 ? Kind::unreachable : Kind::refused;
    ScriptedHttp proxy;
    proxy.then(http_answer(status, {"Proxy-Authenticate: Basic realm=\"x\""}, ""));
    ::setenv("https_proxy", proxy.endpoint().c_str(), 1);
    HttpClient client{std::nullopt};
    const auto result = client.send(get("https://store.invalid/bucket"));
    ::unsetenv("https_proxy");
    const auto* failure = std::get_if<HttpFailure>(&result);
    REQUIRE(failure != nullptr);
    CHECK(proxy.seen().at(0).method == "CONNECT");
    CHECK(failure->kind == kind);
    CHECK(failure->cause.find(std::to_string(status)) != std::string::npos);
    CHECK(failure->hint.find("proxy") != std::string::npos);
  }
}

TEST_CASE("s3 http: on the way out nobody waits for an answer that does not come") {
  std::promise<void> end;
  ScriptedHttp server;
  server.then([&](const SeenRequest&) {
    end.get_future().wait();
    return std::string{};
  });
  HttpClient client{std::nullopt};
  const auto began = std::chrono::steady_clock::now();
  {
    const InterruptPause pause{std::chrono::milliseconds{200}};
    const auto result = client.send(get(server.endpoint() + "/"));
    const auto* failure = std::get_if<HttpFailure>(&result);
    REQUIRE(failure != nullptr);
    CHECK(failure->kind == HttpFailure::Kind::broken);
  }
  end.set_value();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{5});
}

TEST_CASE("s3 http: an answer that comes a byte at a time ends") {
  // Two thousand bytes that all are welcome, and would all come.
  constexpr int k_bytes = 2000;
  ScriptedHttp server;
  server.then_slowly(http_answer(200, {"Content-Length: " + std::to_string(k_bytes)}, std::string(k_bytes, 'x'), false),
                     std::chrono::milliseconds{5});
  HttpClient client{std::nullopt, {.patience = std::chrono::milliseconds{100}, .rate = 1'000'000}};
  auto request = get(server.endpoint() + "/");
  request.max_response = k_bytes;
  const auto result = client.send(request);
  const auto* failure = std::get_if<HttpFailure>(&result);
  REQUIRE(failure != nullptr);
  CHECK(failure->kind == HttpFailure::Kind::broken);
  CHECK(failure->cause == "less than 1000000 bytes a second went over the connection");
}

TEST_CASE("s3 http: a request's deadline goes by its size") {
  using namespace std::chrono_literals;
  const HttpPace pace;
  CHECK_FALSE(is_too_slow(pace, 0ms, 0));
  CHECK_FALSE(is_too_slow(pace, 2min, 0));
  CHECK(is_too_slow(pace, 2min + 1ms, 0));
  CHECK_FALSE(is_too_slow(pace, 2min + 1s, 2048));
  CHECK(is_too_slow(pace, 2min + 1s, 2047));
  // A pack of 512 MiB has less than four days, and what comes at a modem's pace is waited for.
  CHECK(is_too_slow(pace, 96h, 512ULL << 20));
  CHECK_FALSE(is_too_slow(pace, 24h, 7000ULL * 60 * 60 * 24));
}

TEST_CASE("s3 http: many threads, one client") {
  ScriptedHttp server;
  constexpr int k_requests = 64;
  for (int i = 0; i < k_requests; ++i) {
    server.then([](const SeenRequest& request) { return http_answer(200, {}, request.target); });
  }
  HttpClient client{std::nullopt};
  std::vector<int> wrong(8, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < k_requests / 8; ++i) {
          const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
          const auto result = client.send(get(server.endpoint() + path));
          const auto* response = std::get_if<HttpResponse>(&result);
          if (response == nullptr || as_text(response->body) != path) ++wrong[t];
        }
      });
    }
  }
  CHECK(wrong == std::vector<int>(8, 0));
}

TEST_CASE("s3 http: a certificate is trusted by its file, and not otherwise") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const std::string command = "/usr/bin/python3 '" + std::string{CAIRN_SOURCE_DIR} +
                              "/tests/servers/https_answers.py' '" + directory.path().native() + "' 2";
  std::FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): a test's own script
  REQUIRE(pipe != nullptr);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> close{pipe, ::pclose};
  unsigned port = 0;
  if (std::fscanf(pipe, "%u", &port) != 1) {
    MESSAGE("SKIPPED: no python3 or no openssl program to make a certificate with");
    return;
  }
  const std::string url = "https://127.0.0.1:" + std::to_string(port) + "/";
  HttpClient stranger{std::nullopt};
  const auto refused = stranger.send(get(url));
  const auto* failure = std::get_if<HttpFailure>(&refused);
  REQUIRE(failure != nullptr);
  CHECK(failure->kind == HttpFailure::Kind::refused);
  CHECK(failure->hint.find("AWS_CA_BUNDLE") != std::string::npos);
  HttpClient friendly{(directory.path() / "ca.pem").native()};
  const auto accepted = friendly.send(get(url));
  const auto* response = std::get_if<HttpResponse>(&accepted);
  REQUIRE(response != nullptr);
  CHECK(as_text(response->body) == "secure");
}
