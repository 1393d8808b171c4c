#include "store/s3/client.hpp"

#include "store/exchange.hpp"
#include "util/units.hpp"

#include <cstdlib>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

using Transient = StoreError::Transient;

Transient transience(HttpFailure::Kind kind) {
  switch (kind) {
    case HttpFailure::Kind::unreachable:
      return Transient::unreachable;
    case HttpFailure::Kind::broken:
      return Transient::yes;
    case HttpFailure::Kind::refused:
    case HttpFailure::Kind::too_long:
      return Transient::no;
  }
  return Transient::no;
}

}  // namespace

Client::Client(Location location, CredentialSource credentials, Reporter& reporter, std::function<Time()> clock)
    : m_location(std::move(location)),
      m_credentials(std::move(credentials)),
      m_reporter(reporter),
      m_clock(std::move(clock)),
      m_http(m_location.ca_file, {}, m_location.downloads),
      m_region(m_location.region) {}

std::string Client::region() {
  const std::lock_guard lock{m_mutex};
  return m_region;
}

std::string Client::endpoint_hint() {
  const RequestTarget target = target_of(m_location, region(), "");
  return fmt::format("the endpoint is {}://{}", target.scheme, target.host);
}

Client::Attempt Client::attempt(const Call& call) {
  const std::string region = this->region();
  const RequestTarget target = target_of(m_location, region, call.key);
  const Credentials credentials = m_credentials();
  const Time now = m_clock() + std::chrono::nanoseconds{m_clock_offset.load()};

  SignableRequest to_sign;
  to_sign.method = call.method;
  to_sign.path = target.path;
  to_sign.query = call.query;
  to_sign.headers = call.headers;
  to_sign.payload_hash = (call.body ? call.body_sha256 : sha256(std::string_view{})).hex();
  to_sign.headers.emplace_back("x-amz-content-sha256", to_sign.payload_hash);
  to_sign.headers.emplace_back("x-amz-date", amz_date(now));
  if (!credentials.session_token.empty()) {
    to_sign.headers.emplace_back("x-amz-security-token", credentials.session_token);
  }

  HttpRequest request;
  request.method = call.method;
  request.headers = to_sign.headers;
  to_sign.headers.emplace_back("host", target.host);
  const SigningKey key{credentials.access_key, credentials.secret_key, credentials.session_token, region};
  request.headers.emplace_back("authorization", authorization(to_sign, key, now));
  request.url = target.scheme + "://" + target.host + uri_encode(target.path, Slash::keep);
  if (!call.query.empty()) request.url += "?" + canonical_query(call.query);
  request.body = call.body;
  request.max_response = call.max_response;
  request.fresh_connection = call.fresh_connection;

  m_requests.fetch_add(1, std::memory_order_relaxed);
  Exchange& exchange = this_exchange();
  ++exchange.requests;
  exchange.status = 0;
  auto result = m_http.send(request);
  if (auto* failure = std::get_if<HttpFailure>(&result)) {
    if (call.broken_off != nullptr) *call.broken_off = std::move(failure->broken_off);
    throw StoreError(
        ErrorKind::failed, transience(failure->kind),
        fmt::format("unable to {} {}: {}", call.verb, call.what, failure->cause),
        !failure->hint.empty() || failure->kind != HttpFailure::Kind::unreachable ? failure->hint : endpoint_hint());
  }
  Attempt done{{std::move(std::get<HttpResponse>(result)), {}}, region, now};
  exchange.status = done.answer.response.status;
  const bool success = done.answer.response.status >= 200 && done.answer.response.status < 300;
  if (!done.answer.response.body.empty() && !(success && call.returns_object)) {
    if (auto error = parse_error(done.answer.response.body)) {
      if (error->code.empty()) error->code = "Error";
      done.answer.error = std::move(*error);
    }
  }
  return done;
}

bool Client::learn_from(const Call& call, const Attempt& attempt, bool& region_learnt, bool& clock_learnt) {
  if (const auto region = other_region(attempt.answer, attempt.region); region && !region_learnt) {
    region_learnt = true;
    const std::lock_guard lock{m_mutex};
    if (m_region != *region) {
      m_region = *region;
      m_reporter.info(fmt::format("bucket {} is in region {}, not {}", quote(m_location.bucket), quote(*region),
                                  quote(attempt.region)));
    }
    return true;
  }
  if (const auto correction = clock_correction(attempt.answer, attempt.signed_at, call.method == "HEAD");
      correction && !clock_learnt) {
    clock_learnt = true;
    const auto offset = (attempt.signed_at + *correction - m_clock()).count();
    const auto before = m_clock_offset.exchange(offset);
    // Threads that were refused together correct the clock alike: one warning is enough.
    if (std::llabs(offset - before) > std::chrono::nanoseconds{std::chrono::minutes{1}}.count()) {
      m_reporter.warning(fmt::format(
          "this machine's clock is {} {} the store's; requests are signed with the store's time",
          format_duration(std::chrono::nanoseconds{std::llabs(offset)}), offset < 0 ? "ahead of" : "behind"));
    }
    return true;
  }
  return false;
}

Answer Client::perform(const Call& call) {
  bool region_learnt = false;
  bool clock_learnt = false;
  for (;;) {
    Attempt done = attempt(call);
    if (done.answer.ok() || !learn_from(call, done, region_learnt, clock_learnt)) return std::move(done.answer);
  }
}

void Client::fail(const Call& call, const Answer& answer) const {
  throw failure(answer, call.verb, call.what, m_credentials().source);
}

}  // namespace cairn::s3
