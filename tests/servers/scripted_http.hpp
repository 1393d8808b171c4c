// An HTTP server for tests that answers each request with the next entry of a script, however wrong that answer is.
#pragma once

#include "util/file.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <sys/socket.h>

namespace cairn::testing {

struct SeenRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto at = headers.find(name);
    return at == headers.end() ? std::string{} : at->second;
  }
};

// "HTTP/1.1 200 OK" and so on; each header a full line without its end. Closes the connection after it.
inline std::string http_answer(int status, const std::vector<std::string>& headers, std::string_view body,
                               bool add_length = true) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Text\r\nConnection: close\r\n";
  if (add_length) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const auto& header : headers) out += header + "\r\n";
  return out + "\r\n" + std::string{body};
}

inline std::string error_answer(int status, const std::string& code, const std::vector<std::string>& headers = {}) {
  return http_answer(status, headers,
                     "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>said so</Message></Error>");
}

class ScriptedHttp {
 public:
  using Step = std::function<std::string(const SeenRequest&)>;

  ScriptedHttp() {
    m_listener = UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!m_listener || ::bind(m_listener.get(), reinterpret_cast<struct sockaddr*>(&address), size) != 0 ||
        ::listen(m_listener.get(), 16) != 0 ||
        ::getsockname(m_listener.get(), reinterpret_cast<struct sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error{"no listening socket"};
    }
    m_port = ntohs(address.sin_port);
    m_thread = std::thread{[this] { serve(); }};
  }
  ScriptedHttp(const ScriptedHttp&) = delete;
  ScriptedHttp& operator=(const ScriptedHttp&) = delete;
  ~ScriptedHttp() {
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_thread.join();
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(m_port); }

  // An empty answer drops the connection. Beyond the script's end every request gets status 418.
  ScriptedHttp& then(Step step) {
    const std::lock_guard lock{m_mutex};
    m_script.push_back(std::move(step));
    return *this;
  }
  ScriptedHttp& then(std::string answer) {
    return then([answer = std::move(answer)](const SeenRequest&) { return answer; });
  }

  // Byte by byte, with a pause before each.
  ScriptedHttp& then_slowly(std::string answer, std::chrono::milliseconds pause) {
    {
      const std::lock_guard lock{m_mutex};
      m_pause = pause;
    }
    return then(std::move(answer));
  }

  std::vector<SeenRequest> seen() {
    const std::lock_guard lock{m_mutex};
    return m_seen;
  }

 private:
  void serve() {
    for (;;) {
      const UniqueFd connection{::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!connection) return;
      const SeenRequest request = read_request(connection.get());
      if (request.method.empty()) continue;
      Step step = [](const SeenRequest&) { return http_answer(418, {}, ""); };
      {
        const std::lock_guard lock{m_mutex};
        m_seen.push_back(request);
        if (!m_script.empty()) {
          step = std::move(m_script.front());
          m_script.pop_front();
        }
      }
      std::string answer = step(request);
      const auto pause = [this] {
        const std::lock_guard lock{m_mutex};
        return m_pause;
      }();
      while (!answer.empty()) {
        if (pause.count() != 0) std::this_thread::sleep_for(pause);
        const std::size_t size = pause.count() != 0 ? 1 : answer.size();
        const ssize_t n = ::send(connection.get(), answer.data(), size, MSG_NOSIGNAL);
        if (n <= 0) break;
        answer.erase(0, static_cast<std::size_t>(n));
      }
    }
  }

  static SeenRequest read_request(int fd) {
    std::string text;
    std::size_t end = std::string::npos;
    const auto more = [&] {
      char buffer[65536];
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
      return n > 0;
    };
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    SeenRequest request;
    std::string_view head{text.data(), end};
    const std::string_view first = head.substr(0, head.find("\r\n"));
    request.method = first.substr(0, first.find(' '));
    request.target = first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
    while (head.find("\r\n") != std::string_view::npos) {
      head.remove_prefix(head.find("\r\n") + 2);
      const std::string_view line = head.substr(0, head.find("\r\n"));
      std::string name{line.substr(0, line.find(':'))};
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      std::string_view value = line.substr(line.find(':') + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      request.headers[name] = value;
    }
    const std::string length = request.header("content-length");
    const std::size_t want = end + 4 + (length.empty() ? 0 : std::stoul(length));
    while (text.size() < want && more()) {
    }
    request.body = text.substr(end + 4);
    return request;
  }

  UniqueFd m_listener;
  unsigned m_port = 0;
  std::mutex m_mutex;
  std::deque<Step> m_script;
  std::vector<SeenRequest> m_seen;
  std::chrono::milliseconds m_pause{0};
  std::thread m_thread;
};

}  // namespace cairn::testing
