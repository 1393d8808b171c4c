// Signed requests to one bucket. Cures, once per request, what only the first answer can tell: the bucket's region and
// a wrong clock on this machine; what it learns is kept for the requests after. Retries nothing else.
#pragma once

#include "store/s3/answer.hpp"
#include "store/s3/credentials.hpp"
#include "store/s3/endpoint.hpp"
#include "store/s3/http.hpp"
#include "util/log.hpp"
#include "util/time.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace cairn::s3 {

struct Call {
  std::string method;
  std::string key;  // in the bucket, prefix included; empty: the bucket itself
  Pairs query;
  Pairs headers;  // signed too
  std::optional<HttpBody> body;
  Digest body_sha256;  // where there is a body
  std::uint64_t max_response = 0;
  // A 2xx body is an object's bytes, not an answer in XML.
  bool returns_object = false;
  bool fresh_connection = false;
  // Where there is one, it gets what came of an answer that broke off.
  HttpResponse* broken_off = nullptr;
  // For messages: "read", "'packs/aa' in s3://bucket/prefix".
  std::string verb;
  std::string what;
};

class Client {
 public:
  // clock: this machine's, for tests to falsify.
  Client(Location location, CredentialSource credentials, Reporter& reporter, std::function<Time()> clock);

  // The final answer, whatever its status. Throws StoreError where there is none, Error(interrupted).
  Answer perform(const Call& call);
  // The answer as the failure that it is.
  [[noreturn]] void fail(const Call& call, const Answer& answer) const;

  const Location& location() const noexcept { return m_location; }
  // For failures that a wrong address may be the cause of.
  std::string endpoint_hint();
  std::uint64_t requests() const noexcept { return m_requests.load(std::memory_order_relaxed); }

 private:
  struct Attempt {
    Answer answer;
    std::string region;
    Time signed_at;
  };
  Attempt attempt(const Call& call);
  bool learn_from(const Call& call, const Attempt& attempt, bool& region_learnt, bool& clock_learnt);
  std::string region();

  Location m_location;
  CredentialSource m_credentials;
  Reporter& m_reporter;
  std::function<Time()> m_clock;
  HttpClient m_http;
  std::atomic<std::uint64_t> m_requests{0};
  std::atomic<std::int64_t> m_clock_offset{0};  // nanoseconds that the server is ahead
  std::mutex m_mutex;
  std::string m_region;  // guarded by m_mutex
};

}  // namespace cairn::s3
