#include "store/s3/http.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>

#include <curl/curl.h>
#include <fmt/format.h>

namespace cairn::s3 {

namespace {

constexpr std::uint64_t k_max_error_body = k_mib;
constexpr std::size_t k_max_headers = 256;
constexpr std::size_t k_max_idle = 64;
// Memory is set aside for an announced length up to here; beyond it grows as the bytes come.
constexpr std::uint64_t k_max_reserve = k_gib;

// Seconds without a byte after which a connection is dead.
constexpr long k_silence = 30;

// Seconds that a connection may have to wait for its turn while all others take a piece each.
long longest_wait(const RateLimiter& downloads) noexcept {
  constexpr std::uint64_t k_pieces = k_max_idle * CURL_MAX_WRITE_SIZE;
  return static_cast<long>(k_pieces / downloads.rate());
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > (UINT64_MAX - 9) / 10) return 0;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// One request on its way: what libcurl's callbacks read and write. No exception may pass through C code, so they are
// kept here and thrown again behind it.
struct Exchange {
  const HttpRequest& request;
  const HttpPace& pace;
  RateLimiter* downloads = nullptr;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::uint64_t sent = 0;
  HttpResponse response{};
  bool header_ended = false;
  bool too_long = false;
  bool too_slow = false;
  std::exception_ptr failure{};

  HttpResponse broken_off() { return header_ended ? std::move(response) : HttpResponse{}; }
  std::uint64_t limit() const {
    return response.status >= 200 && response.status < 300 ? request.max_response : k_max_error_body;
  }
};

template <class F>
std::size_t guarded(Exchange& exchange, std::size_t on_failure, F&& work) noexcept {
  try {
    return work();
  } catch (...) {
    exchange.failure = std::current_exception();
    return on_failure;
  }
}

std::size_t on_read(char* out, std::size_t size, std::size_t count, void* user) noexcept {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, CURL_READFUNC_ABORT, [&]() -> std::size_t {
    const HttpBody& body = *exchange.request.body;
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size * count, body.size - exchange.sent));
    if (want == 0) return 0;
    if (body.fd < 0) {
      std::memcpy(out, body.memory.data() + exchange.sent, want);
    } else {
      const ByteSpan buffer{reinterpret_cast<std::uint8_t*>(out), want};
      if (read_at(body.fd, buffer, exchange.sent, "body") != want) {
        throw Error(ErrorKind::failed, "the file to be sent got shorter meanwhile");
      }
    }
    exchange.sent += want;
    return want;
  });
}

int on_seek(void* user, curl_off_t offset, int origin) noexcept {
  auto& exchange = *static_cast<Exchange*>(user);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  exchange.sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, 0, [&] {
    const std::string_view line = trim({data, size * count});
    auto& response = exchange.response;
    if (line.empty()) exchange.header_ended = true;
    if (line.starts_with("HTTP/")) {
      // The final answer follows an interim one (100): begin anew.
      response = HttpResponse{};
      exchange.header_ended = false;
      const std::size_t gap = line.find(' ');
      response.status = gap == std::string_view::npos ? 0 : static_cast<int>(number(line.substr(gap + 1, 3)));
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      std::string name{line.substr(0, colon)};
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      if (response.headers.size() < k_max_headers) response.headers[name] = trim(line.substr(colon + 1));
    }
    return size * count;
  });
}

std::size_t on_write(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, 0, [&]() -> std::size_t {
    auto& body = exchange.response.body;
    const std::size_t n = size * count;
    const std::uint64_t announced = number(exchange.response.header("content-length").value_or(""));
    if (announced > exchange.limit() || n > exchange.limit() - std::min<std::uint64_t>(body.size(), exchange.limit())) {
      exchange.too_long = true;
      return 0;
    }
    if (body.empty()) {
      body.reserve(static_cast<std::size_t>(std::min({announced, exchange.limit(), k_max_reserve})));
    }
    append(body, {reinterpret_cast<const std::uint8_t*>(data), n});
    // That it waits here is not the server's fault.
    if (exchange.downloads != nullptr) exchange.started += exchange.downloads->take(n);
    return n;
  });
}

int on_progress(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) noexcept {
  auto& exchange = *static_cast<Exchange*>(user);
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - exchange.started);
  exchange.too_slow = is_too_slow(exchange.pace, elapsed, static_cast<std::uint64_t>(received + sent));
  return exchange.too_slow || interrupted_by() != 0 ? 1 : 0;
}

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

void add_header(HeaderList& list, const std::string& line) {
  curl_slist* extended = curl_slist_append(list.get(), line.c_str());
  if (extended == nullptr) throw std::bad_alloc{};
  static_cast<void>(list.release());  // the same list, longer
  list.reset(extended);
}

void initialise_once() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) {
    throw Error(ErrorKind::failed, fmt::format("unable to initialise libcurl: {}", curl_easy_strerror(result)));
  }
}

// Of the whole request: its own, and what is left to a process on its way out.
std::optional<std::chrono::milliseconds> time_limit(const HttpRequest& request) {
  std::optional<std::chrono::milliseconds> limit;
  if (request.timeout.count() > 0) limit = request.timeout;
  const auto left = InterruptPause::left();
  if (!left) return limit;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*left);
  return limit ? std::min(*limit, ms) : ms;
}

HttpFailure::Kind kind_of(CURLcode code, bool connected) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
      return HttpFailure::Kind::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? HttpFailure::Kind::broken : HttpFailure::Kind::unreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
      return HttpFailure::Kind::refused;
    default:
      return HttpFailure::Kind::broken;
  }
}

// It gave no way to the server.
HttpFailure::Kind kind_of_proxy(long status) {
  return status == 401 || status == 403 || status == 407 ? HttpFailure::Kind::refused : HttpFailure::Kind::unreachable;
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  const auto at = headers.find(name);
  if (at == headers.end()) return std::nullopt;
  return at->second;
}

// An easy handle with its own connections; used by one thread at a time.
class HttpClient::Handle {
 public:
  Handle() : m_curl(curl_easy_init()) {
    if (m_curl == nullptr) throw std::bad_alloc{};
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(m_curl); }

  std::variant<HttpResponse, HttpFailure> perform(const HttpRequest& request, const std::optional<std::string>& ca_file,
                                                  const HttpPace& pace, RateLimiter* downloads) {
    Exchange exchange{.request = request, .pace = pace, .downloads = downloads};
    char error_text[CURL_ERROR_SIZE] = "";
    // Keeps the connections; every option goes back to its default.
    curl_easy_reset(m_curl);
    const HeaderList headers = header_list(request);
    set(CURLOPT_ERRORBUFFER, error_text);
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    // Retried HTTP/2 uploads were corrupted before libcurl 8.7.
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "cairn/" CAIRN_VERSION);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_CONNECTTIMEOUT, 10L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, k_silence + (downloads == nullptr ? 0 : longest_wait(*downloads)));
    if (const auto limit = time_limit(request))
      set(CURLOPT_TIMEOUT_MS, std::max(static_cast<long>(limit->count()), 1L));
    set(CURLOPT_BUFFERSIZE, 512L * 1024);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 1024L * 1024);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_MAXCONNECTS, 2L);
    set(CURLOPT_MAXAGE_CONN, 20L);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, on_progress);
    set(CURLOPT_XFERINFODATA, &exchange);
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, on_write);
    set(CURLOPT_WRITEDATA, &exchange);
    if (ca_file) set(CURLOPT_CAINFO, ca_file->c_str());
    if (request.fresh_connection) set(CURLOPT_FRESH_CONNECT, 1L);
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.body) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->size));
      set(CURLOPT_READFUNCTION, on_read);
      set(CURLOPT_READDATA, &exchange);
      set(CURLOPT_SEEKFUNCTION, on_seek);
      set(CURLOPT_SEEKDATA, &exchange);
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }

    const CURLcode code = curl_easy_perform(m_curl);
    if (exchange.failure) std::rethrow_exception(exchange.failure);
    // libcurl takes the end of the connection for the end of the header.
    if (code == CURLE_OK && !exchange.header_ended) {
      return HttpFailure{HttpFailure::Kind::broken, "the answer ends within its header", {}};
    }
    if (code == CURLE_OK) return std::move(exchange.response);
    if (code == CURLE_ABORTED_BY_CALLBACK) check_interrupted();
    if (exchange.too_slow) {
      return HttpFailure{HttpFailure::Kind::broken,
                         fmt::format("less than {} bytes a second went over the connection", pace.rate),
                         {},
                         exchange.broken_off()};
    }
    if (exchange.too_long) {
      return HttpFailure{
          HttpFailure::Kind::too_long, fmt::format("an answer of more than {} bytes", exchange.limit()), {}};
    }
    curl_off_t connected = 0;
    curl_easy_getinfo(m_curl, CURLINFO_CONNECT_TIME_T, &connected);
    long from_proxy = 0;  // the status with which it answered CONNECT
    curl_easy_getinfo(m_curl, CURLINFO_HTTP_CONNECTCODE, &from_proxy);
    const auto kind = from_proxy >= 300 ? kind_of_proxy(from_proxy) : kind_of(code, connected > 0);
    std::string hint;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
      hint = "a private certificate authority is trusted by its file: AWS_CA_BUNDLE or ca_file in the configuration";
    } else if (from_proxy >= 300) {
      hint = "this is the answer of the proxy that https_proxy, HTTPS_PROXY or ALL_PROXY names";
    }
    return HttpFailure{kind, terminal_safe(error_text[0] != '\0' ? error_text : curl_easy_strerror(code)), hint,
                       kind == HttpFailure::Kind::broken ? exchange.broken_off() : HttpResponse{}};
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode code = curl_easy_setopt(m_curl, option, value);
    if (code != CURLE_OK) {
      throw Error(ErrorKind::failed, fmt::format("unable to prepare a request: {}", curl_easy_strerror(code)));
    }
  }

  static HeaderList header_list(const HttpRequest& request) {
    HeaderList list;
    for (const auto& [name, value] : request.headers) add_header(list, fmt::format("{}: {}", name, value));
    // Names without a value take away what libcurl would add by itself.
    add_header(list, "Expect:");
    add_header(list, "Transfer-Encoding:");
    return list;
  }

  CURL* m_curl;
};

bool is_too_slow(const HttpPace& pace, std::chrono::milliseconds elapsed, std::uint64_t moved) noexcept {
  if (elapsed <= pace.patience) return false;
  return moved * 1000 < pace.rate * static_cast<std::uint64_t>((elapsed - pace.patience).count());
}

HttpClient::HttpClient(std::optional<std::string> ca_file, HttpPace pace, std::shared_ptr<RateLimiter> downloads)
    : m_ca_file(std::move(ca_file)), m_pace(pace), m_downloads(std::move(downloads)) {
  initialise_once();
}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Handle> HttpClient::take() {
  const std::lock_guard lock{m_mutex};
  if (m_idle.empty()) return std::make_unique<Handle>();
  auto handle = std::move(m_idle.back());
  m_idle.pop_back();
  return handle;
}

void HttpClient::give_back(std::unique_ptr<Handle> handle) {
  const std::lock_guard lock{m_mutex};
  if (m_idle.size() < k_max_idle) m_idle.push_back(std::move(handle));
}

std::variant<HttpResponse, HttpFailure> HttpClient::send(const HttpRequest& request) {
  auto handle = take();
  auto result = handle->perform(request, m_ca_file, m_pace, m_downloads.get());
  // After a failure, and for servers that are overloaded behind one address, the next request begins with a new handle
  // and so on a new connection.
  const auto* response = std::get_if<HttpResponse>(&result);
  if (response != nullptr && response->status < 500) give_back(std::move(handle));
  return result;
}

}  // namespace cairn::s3
