// Carries messages out: requests over HTTP, a command, sendmail. A message that does not arrive is a warning.
#pragma once

#include "engine/notify/notice_text.hpp"
#include "engine/notify/settings.hpp"
#include "store/s3/http.hpp"
#include "util/log.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

enum class Ping { start, success, fail };

// One thread. Throws nothing of what a message meets; a signal ends the one under way and those that would follow.
class Messenger {
 public:
  // Both must outlive it.
  Messenger(const NotifySettings& settings, Reporter& reporter);

  // healthchecks' form: URL/start, URL and URL/fail, with a body that people read there. Does nothing where no URL is
  // set.
  void ping(Ping ping, const std::string& body);
  // By every way that is set. Whether one of them took it.
  bool send(const Notice& notice);

 private:
  void post(std::string_view what, const SecretUrl& url, const std::string& address, std::string_view content_type,
            const std::string& body);
  void run_command(const Notice& notice);
  void send_mail(const Notice& notice);
  void run(std::string_view what, const std::vector<std::string>& argv, const std::string& input,
           const std::vector<std::pair<std::string, std::string>>& environment);
  template <class F>
  bool attempt(F&& way);

  const NotifySettings& m_settings;
  Reporter& m_reporter;
  std::optional<s3::HttpClient> m_http;  // made when it is needed
};

}  // namespace cairn
