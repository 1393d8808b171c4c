#include "engine/notify/settings.hpp"

#include <algorithm>
#include <string_view>

namespace cairn {

const char* notify_event_name(NotifyEvent event) noexcept {
  switch (event) {
    case NotifyEvent::failure:
      return "failure";
    case NotifyEvent::recovery:
      return "recovery";
    case NotifyEvent::stale:
      break;
  }
  return "stale";
}

bool is_mail_address(const std::string& text) noexcept {
  constexpr std::size_t k_longest = 254;  // RFC 5321, 4.5.3.1.3, without the brackets
  constexpr std::string_view k_marks = "!#$%&'*+-/=?^_`{|}~.";
  const auto plain = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           k_marks.find(c) != std::string_view::npos;
  };
  const auto at = text.find('@');
  const std::string_view user = std::string_view{text}.substr(0, at);
  const std::string_view host = at == std::string::npos ? "localhost" : std::string_view{text}.substr(at + 1);
  return text.size() <= k_longest && !user.empty() && !host.empty() && user.front() != '-' &&
         std::all_of(user.begin(), user.end(), plain) && std::all_of(host.begin(), host.end(), plain);
}

}  // namespace cairn
