// HTTP/1.1 requests over libcurl, blocking, from any number of threads. Knows nothing of S3; retries nothing, follows
// no redirect. The settings follow what libcurl 7.88 gets right (see http.cpp).
#pragma once

#include "store/s3/sigv4.hpp"
#include "util/bytes.hpp"
#include "util/rate_limiter.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn::s3 {

// The body that is sent: memory, or the first `size` bytes of an open file (read by position, so it can be sent again).
struct HttpBody {
  ByteView memory;
  int fd = -1;
  std::uint64_t size = 0;
};

struct HttpRequest {
  std::string method;
  std::string url;  // percent-encoded, sent as it is
  Pairs headers;    // without host, content-length
  std::optional<HttpBody> body;
  std::uint64_t max_response = 0;  // of a 2xx body; other bodies may have 1 MiB
  // A connection that the server has meanwhile closed makes libcurl send the request again without telling. Where that
  // matters (a create-only PUT would meet its own success), do not reuse one.
  bool fresh_connection = false;
  std::chrono::milliseconds timeout{0};  // of the whole request, beside the client's pace; 0: none
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case; of repeated ones the last
  Bytes body;

  std::optional<std::string> header(std::string_view name) const;
};

// No complete answer came.
struct HttpFailure {
  enum class Kind {
    unreachable,  // no connection, or none through the proxy
    broken,       // timeout, reset, an answer cut short
    refused,      // TLS verification, by the proxy, or something else that trying again does not cure
    too_long,     // more bytes than max_response
  };
  Kind kind = Kind::broken;
  std::string cause;
  std::string hint;
  // broken: what came of an answer whose header was complete, without its end.
  HttpResponse broken_off = {};
};

// How slow a whole request may be: after `patience` it must have moved `rate` bytes for each second beyond. That is its
// deadline, as its size is bounded in both directions; a server that sends a byte now and then ends there, too.
struct HttpPace {
  std::chrono::milliseconds patience = std::chrono::minutes{2};
  std::uint64_t rate = 2048;  // bytes a second: sixteen of them at a time go through 256 kbit/s
};
// Whether so many bytes, sent and received, are too few after that time. Pure.
bool is_too_slow(const HttpPace& pace, std::chrono::milliseconds elapsed, std::uint64_t moved) noexcept;

class HttpClient {
 public:
  // ca_file: PEM certificates to trust instead of the system's. downloads: how fast bodies may come; null: as they can.
  // A connection that has to wait for it is not read meanwhile, so that the sender slows down.
  explicit HttpClient(std::optional<std::string> ca_file, HttpPace pace = {},
                      std::shared_ptr<RateLimiter> downloads = nullptr);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // Takes no longer than InterruptPause leaves it. Throws Error(interrupted) when a signal arrives meanwhile,
  // Error(failed) when the body's file cannot be read.
  std::variant<HttpResponse, HttpFailure> send(const HttpRequest& request);

 private:
  class Handle;
  std::unique_ptr<Handle> take();
  void give_back(std::unique_ptr<Handle> handle);

  std::optional<std::string> m_ca_file;
  HttpPace m_pace;
  std::shared_ptr<RateLimiter> m_downloads;
  std::mutex m_mutex;
  std::vector<std::unique_ptr<Handle>> m_idle;
};

}  // namespace cairn::s3
