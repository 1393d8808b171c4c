#include "conformance/factories.hpp"

#include "store/local_store.hpp"
#include "store/open.hpp"
#include "store/s3/client.hpp"

#include <cstdlib>
#include <stdexcept>

#include <doctest/doctest.h>

namespace cairn::conformance {

namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

class LocalFixture : public Fixture {
 public:
  std::unique_ptr<ObjectStore> open() override { return std::make_unique<LocalStore>(m_directory.path()); }

 private:
  TemporaryDirectory m_directory{fs::temp_directory_path()};
};

class TracedFixture : public Fixture {
 public:
  std::unique_ptr<ObjectStore> open() override {
    const auto environment = [this](std::string_view name) -> std::optional<std::string> {
      if (name != "CAIRN_TRACE") return std::nullopt;
      return (m_directory.path() / "trace").native();
    };
    return open_store({.url = (m_directory.path() / "store").native()}, environment, m_reporter, CreateRoot::yes);
  }

 private:
  TemporaryDirectory m_directory{fs::temp_directory_path()};
  SilentReporter m_reporter;
};

// A bucket of its own on the server that CAIRN_TEST_S3_* name. The store proper never creates one; here it is done with
// its own signed requests.
class S3Fixture : public Fixture {
 public:
  explicit S3Fixture(std::string prefix) : m_prefix(std::move(prefix)) {
    m_location.bucket = "cairn-test-" + random_name();
    m_location.endpoint = s3::parse_endpoint(variable("CAIRN_TEST_S3_ENDPOINT").value());
    m_location.region = variable("CAIRN_TEST_S3_REGION").value_or("us-east-1");
    m_location.style = s3::Style::path;
    bucket_request("PUT");
  }
  ~S3Fixture() override {
    try {
      const auto store = open();
      std::vector<std::string> keys;
      store->list("", [&](const ObjectInfo& info) { keys.push_back(info.key); });
      store->remove(keys);
      bucket_request("DELETE");
    } catch (const std::exception& error) {
      MESSAGE("unable to clean up bucket " << m_location.bucket << ": " << error.what());
    }
  }

  std::unique_ptr<ObjectStore> open() override {
    StoreAddress address;
    address.url = "s3://" + m_location.bucket + m_prefix;
    address.endpoint = variable("CAIRN_TEST_S3_ENDPOINT");
    address.region = m_location.region;
    auto store = open_store(address, environment, m_reporter);
    if (!m_create_only) m_create_only = store->probe_create_only();
    store->set_create_only(*m_create_only);
    return store;
  }

 private:
  static std::optional<std::string> environment(std::string_view name) {
    if (name == "AWS_ACCESS_KEY_ID") return variable("CAIRN_TEST_S3_ACCESS_KEY");
    if (name == "AWS_SECRET_ACCESS_KEY") return variable("CAIRN_TEST_S3_SECRET_KEY");
    if (name == "CAIRN_RETRY_BUDGET") return "20";
    return std::nullopt;
  }

  void bucket_request(const std::string& method) {
    const s3::Credentials credentials{variable("CAIRN_TEST_S3_ACCESS_KEY").value(),
                                      variable("CAIRN_TEST_S3_SECRET_KEY").value(), "", "the test's environment"};
    s3::Client client{m_location, [=] { return credentials; }, m_reporter,
                      [] { return Time{std::chrono::system_clock::now()}; }};
    s3::Call call;
    call.method = method;
    call.verb = method == "PUT" ? "create" : "delete";
    call.what = "bucket " + m_location.bucket;
    call.max_response = 1 << 20;
    if (method == "PUT") {
      call.body = s3::HttpBody{};
      call.body_sha256 = sha256(std::string_view{});
    }
    const auto answer = client.perform(call);
    if (!answer.ok()) client.fail(call, answer);
  }

  std::string m_prefix;
  s3::Location m_location;
  SilentReporter m_reporter;
  std::optional<bool> m_create_only;
};

}  // namespace

std::vector<Factory> factories() {
  std::vector<Factory> all{{"local", [] { return std::make_unique<LocalFixture>(); }},
                           {"local, traced", [] { return std::make_unique<TracedFixture>(); }}};
  if (variable("CAIRN_TEST_S3_ENDPOINT")) {
    all.push_back({"s3, whole bucket", [] { return std::make_unique<S3Fixture>(""); }});
    all.push_back({"s3, prefix", [] { return std::make_unique<S3Fixture>("/some/prefix"); }});
    return all;
  }
  static const bool told = [] {
    MESSAGE(
        "SKIPPED: conformance of S3; set CAIRN_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY, or run the tests by "
        "tests/servers/with-ceph");
    return true;
  }();
  static_cast<void>(told);
  return all;
}

}  // namespace cairn::conformance
