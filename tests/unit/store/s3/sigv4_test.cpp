#include "store/s3/sigv4.hpp"

#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::s3;

namespace {

// Where the published vectors lie; they are not part of the project.
std::optional<fs::path> vectors() {
  const char* given = std::getenv("CAIRN_SIGV4_VECTORS");
  const fs::path place =
      given != nullptr ? fs::path{given} : fs::path{CAIRN_SOURCE_DIR}.parent_path() / "shared" / "sigv4";
  if (fs::is_directory(place)) return place;
  // A work tree below another folder.
  const fs::path further = fs::path{CAIRN_SOURCE_DIR}.parent_path().parent_path() / "shared" / "sigv4";
  if (given == nullptr && fs::is_directory(further)) return further;
  MESSAGE("SKIPPED: no SigV4 vectors in " << place.native() << "; set CAIRN_SIGV4_VECTORS to their directory");
  return std::nullopt;
}

std::string file_text(const fs::path& path) {
  return std::string{as_text(read_file(path))};
}

// A request as the test suite writes it: "GET /path?query HTTP/1.1", headers (folded ones too), blank line, body.
SignableRequest parse_request(std::string_view text) {
  SignableRequest request;
  const std::size_t line_end = text.find('\n');
  const std::string_view first = text.substr(0, line_end);
  request.method = first.substr(0, first.find(' '));
  std::string_view target = first.substr(request.method.size() + 1);
  target = target.substr(0, target.rfind(' '));
  const std::size_t question = target.find('?');
  request.path = percent_decode(target.substr(0, question)).value();
  std::string_view query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    request.query.emplace_back(percent_decode(pair.substr(0, equals)).value(),
                               percent_decode(pair.substr(std::min(equals + 1, pair.size()))).value());
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  std::string_view rest = text.substr(std::min(line_end, text.size() - 1) + 1);
  while (!rest.empty() && rest.front() != '\n') {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (line.front() == ' ') {
      request.headers.back().second += "\n" + std::string{line};
    } else {
      request.headers.emplace_back(line.substr(0, line.find(':')), line.substr(line.find(':') + 1));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const std::string_view body = rest.empty() ? rest : rest.substr(1);
  request.payload_hash = sha256(body).hex();
  return request;
}

}  // namespace

TEST_CASE("sigv4: the AWS signing test suite, stage by stage") {
  const auto directory = vectors();
  if (!directory) return;
  int run = 0;
  std::vector<std::string> skipped;
  for (const auto& entry : fs::directory_iterator(*directory)) {
    if (!entry.is_directory()) continue;
    const fs::path& path = entry.path();
    const std::string name = path.filename().native();
    INFO("vector: " << name);
    const Json context = Json::parse(file_text(path / "context.json"));
    // S3 does not normalise paths; where the suite has both forms only the other one is S3's.
    if (name.ends_with("-normalized")) {
      skipped.push_back(name);
      continue;
    }
    const Json& keys = context.at("credentials");
    const Json* token = keys.find("token");
    const Json* omit = context.find("omit_session_token");
    const bool sign_token = token != nullptr && (omit == nullptr || !omit->boolean());
    const SigningKey key{keys.at("access_key_id").string(), keys.at("secret_access_key").string(),
                         sign_token ? token->string() : "", context.at("region").string(),
                         context.at("service").string()};
    const Time time = parse_time(context.at("timestamp").string()).value();
    const std::string date = amz_date(time);

    SignableRequest request = parse_request(file_text(path / "request.txt"));
    const SignableRequest plain = request;
    request.headers.emplace_back("X-Amz-Date", date);
    if (sign_token) request.headers.emplace_back("X-Amz-Security-Token", key.session_token);
    if (context.at("sign_body").boolean()) request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
    const std::string canonical = canonical_request(request);
    CHECK(canonical == file_text(path / "header-canonical-request.txt"));
    const std::string to_sign = string_to_sign(canonical, date, credential_scope(key, date));
    CHECK(to_sign == file_text(path / "header-string-to-sign.txt"));
    const std::string signed_by = signature(key, date, to_sign);
    CHECK(signed_by == file_text(path / "header-signature.txt"));
    const std::string full = authorization(request, key, time);
    CHECK(file_text(path / "header-signed-request.txt").find("Authorization:" + full + "\n") != std::string::npos);

    SignableRequest in_query = plain;
    const auto expires = static_cast<unsigned>(context.at("expiration_in_seconds").u64());
    Pairs query = presigned_query(in_query, key, time, expires);
    REQUIRE(query.back().first == "X-Amz-Signature");
    CHECK(query.back().second == file_text(path / "query-signature.txt"));
    query.pop_back();
    in_query.query = query;
    CHECK(canonical_request(in_query) == file_text(path / "query-canonical-request.txt"));
    ++run;
  }
  CHECK(run >= 30);
  MESSAGE(run << " vectors run, " << skipped.size() << " left out (normalised paths, which S3 does not have)");
}

TEST_CASE("sigv4: the examples of the S3 documentation") {
  const auto directory = vectors();
  if (!directory) return;
  const Json document = Json::parse(file_text(*directory / "s3-docs-examples.json"));
  const std::string date = document.at("amz_date").string();
  const std::string scope = document.at("scope").string();
  const SigningKey key{document.at("access_key").string(), document.at("secret_key").string(), "", "us-east-1"};
  CHECK(credential_scope(key, date) == scope);
  int run = 0;
  for (const auto& example : document.at("cases").array()) {
    INFO("example: " << example.at("name").string());
    if (example.find("canonical_request") != nullptr) {
      SignableRequest request;
      request.method = example.at("method").string();
      request.path = percent_decode(example.at("canonical_uri").string()).value();
      std::string_view query = example.at("canonical_query").string();
      while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        request.query.emplace_back(percent_decode(pair.substr(0, pair.find('='))).value(),
                                   percent_decode(pair.substr(pair.find('=') + 1)).value());
        query.remove_prefix(std::min(end + 1, query.size()));
      }
      std::reverse(request.query.begin(), request.query.end());  // the order must not matter
      for (const auto& [name, value] : example.at("headers").object()) {
        request.headers.emplace_back(name, value.string());
      }
      request.payload_hash = example.at("payload_hash").string();
      CHECK(canonical_request(request) == example.at("canonical_request").string());
      CHECK(string_to_sign(canonical_request(request), date, scope) == example.at("string_to_sign").string());
    }
    CHECK(signature(key, date, example.at("string_to_sign").string()) == example.at("signature").string());
    ++run;
  }
  CHECK(run == 9);
}

TEST_CASE("sigv4: encoding knows every byte") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::string encoded = uri_encode(all, Slash::keep);
  CHECK(encoded.find("%00%01") == 0);
  CHECK(encoded.find("%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-./0123456789%3A") != std::string::npos);
  CHECK(encoded.find("XYZ%5B%5C%5D%5E_%60abc") != std::string::npos);
  CHECK(encoded.find("xyz%7B%7C%7D~%7F%80") != std::string::npos);
  CHECK(encoded.ends_with("%FE%FF"));
  CHECK(uri_encode("a/b", Slash::encode) == "a%2Fb");
  CHECK(percent_decode(encoded) == all);
  CHECK(canonical_query({{"b", ""}, {"a", "x y"}, {"a", "x"}, {"a-", "z"}, {"A", "1"}}) == "A=1&a=x&a=x%20y&a-=z&b=");
}

TEST_CASE("sigv4: botocore signs the same requests alike") {
  const std::string script = std::string{CAIRN_SOURCE_DIR} + "/tests/servers/botocore_sign.py";
  std::mt19937 random{20260701};
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random); };
  const auto text = [&](std::size_t most) {
    static const std::vector<std::string> k_letters{"a", "Z",    "0",  "-", "_",  ".", "~",   " ",  "+", "%", "=",
                                                    "&", "?",    "#",  "/", "*",  "'", "(",   "!",  "@", ":", "\"",
                                                    "<", "\x7f", "\t", "ä", "日", "😀", "%41", "..", "//"};
    std::string out;
    for (std::size_t n = below(most + 1); n > 0; --n) out += k_letters[below(k_letters.size())];
    return out;
  };
  const TemporaryDirectory directory{fs::temp_directory_path()};
  std::vector<std::string> ours;
  std::string input;
  for (int i = 0; i < 200; ++i) {
    static const std::vector<std::string> k_methods{"GET", "PUT", "HEAD", "POST", "DELETE"};
    SignableRequest request;
    request.method = k_methods[below(k_methods.size())];
    request.path = "/bucket/";
    for (std::size_t n = below(20); n > 0; --n) request.path += static_cast<char>(below(256));
    request.path += text(10);
    for (std::size_t n = below(4); n > 0; --n) request.query.emplace_back("k" + text(4), text(8));
    const std::string host = below(2) == 0 ? "127.0.0.1:7480" : "bucket.s3.eu-1.example.net";
    const Bytes body = random_bytes(below(50));
    const SigningKey key{"AKIDEXAMPLE", "secret+/" + text(5), below(2) == 0 ? "" : "token//+==", "eu-1"};
    const Time time = parse_time("2026-02-03T04:05:06Z").value() + std::chrono::seconds{below(100'000'000)};
    Pairs extra;
    if (below(2) == 0) extra.emplace_back("range", fmt::format("bytes={}-{}", below(1000), 1000 + below(1000)));
    if (below(2) == 0) extra.emplace_back("content-md5", to_base64(md5(body)));
    if (below(2) == 0) extra.emplace_back("content-type", "application/octet-stream");
    if (below(3) == 0) extra.emplace_back("if-none-match", "*");
    if (below(3) == 0) extra.emplace_back("x-amz-meta-odd", "  a   b c ");
    request.payload_hash = sha256(body).hex();
    request.headers = extra;
    request.headers.emplace_back("host", host);
    request.headers.emplace_back("x-amz-date", amz_date(time));
    request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
    if (!key.session_token.empty()) request.headers.emplace_back("x-amz-security-token", key.session_token);
    ours.push_back(authorization(request, key, time));

    JsonWriter json;
    const auto pairs = [&](const char* name, const Pairs& list) {
      json.key(name).begin_array();
      for (const auto& [first, second] : list) json.begin_array().value(first).value(second).end_array();
      json.end_array();
    };
    json.begin_object().member("method", request.method).member("scheme", "http").member("host", host);
    json.member("path", to_base64(as_bytes(request.path))).member("body", to_base64(body));
    pairs("query", request.query);
    pairs("headers", extra);
    json.member("access_key", key.access_key).member("secret_key", key.secret_key);
    json.member("session_token", key.session_token).member("region", key.region).member("date", amz_date(time));
    json.end_object();
    input += json.text() + "\n";
  }
  write_file_atomic(directory.path() / "in", as_bytes(input));
  const std::string command =
      fmt::format("/usr/bin/python3 '{0}' <'{1}/in' >'{1}/out' 2>'{1}/err'", script, directory.path().native());
  const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127) {
    MESSAGE("SKIPPED: /usr/bin/python3 has no botocore");
    return;
  }
  INFO(file_text(directory.path() / "err"));
  REQUIRE(status == 0);
  std::string theirs = file_text(directory.path() / "out");
  for (std::size_t i = 0; i < ours.size(); ++i) {
    INFO("request " << i);
    const std::size_t end = theirs.find('\n');
    REQUIRE(end != std::string::npos);
    CHECK(ours[i] == theirs.substr(0, end));
    theirs.erase(0, end + 1);
  }
}
