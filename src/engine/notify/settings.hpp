// Who is told, of what, and by which ways: the table [notify] of the configuration.
#pragma once

#include "engine/notify/secret_url.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

enum class NotifyEvent {
  failure,   // something that went well, or was never looked at, does not go well
  recovery,  // it does again
  stale,     // a series has no snapshot that is recent enough, although nobody's run may have failed
};
// "failure", "recovery", "stale".
const char* notify_event_name(NotifyEvent event) noexcept;

struct NotifySettings {
  std::set<NotifyEvent> on{NotifyEvent::failure, NotifyEvent::recovery, NotifyEvent::stale};
  // Is asked for at the start and the end of each run, whatever `on` says.
  std::optional<SecretUrl> ping;
  std::optional<fs::path> ping_file;  // whose first line is the URL
  std::optional<SecretUrl> webhook;
  std::optional<fs::path> webhook_file;
  std::optional<std::string> ca_file;  // PEM certificates that are trusted instead of the system's, by both
  std::vector<std::string> command;    // an argument list; empty: none
  std::vector<std::string> mail;       // addresses
  std::optional<std::string> mail_from;
  fs::path sendmail = "/usr/sbin/sendmail";
  std::optional<Nanoseconds> remind;  // after which a failure that goes on is told again
  // Whether there is a way for messages; pings are none.
  bool has_ways() const noexcept { return webhook || !command.empty() || !mail.empty(); }
  Nanoseconds timeout = std::chrono::seconds{15};  // of one message on one way, all tries together
};

// Whether that can be a mail's recipient or sender: user or user@host, in ASCII, without quoting or comments. Anything
// else could end its header, or name somebody else, too.
bool is_mail_address(const std::string& text) noexcept;

}  // namespace cairn
