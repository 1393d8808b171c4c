// A message as each way of telling has it: text for people, JSON, a mail. Pure.
#pragma once

#include "engine/notify/notice.hpp"
#include "engine/notify/settings.hpp"

#include <string>
#include <utility>
#include <vector>

namespace cairn {

struct NoticeItem {
  Observation seen;
  Time since{};  // it is, or was, not well
};

// One message: everything of one event that one run found.
struct Notice {
  NotifyEvent event = NotifyEvent::failure;
  std::vector<NoticeItem> items;  // not empty
  std::string host;
  std::string run_id;
  Time at{};
};

// "cairn on HOST: failure: source 'app' and 2 more", one line.
std::string subject_of(const Notice& notice);
// A line or two for each item, safe for terminals.
std::string text_of(const Notice& notice);
// The document "cairn.notify/1" (cairn.toml(5)). Its member "text" is what chat servers show of a webhook.
std::string json_of(const Notice& notice);
// CAIRN_EVENT and the others, for the command.
std::vector<std::pair<std::string, std::string>> environment_of(const Notice& notice);

// The text of a ping for a run that has ended: the exit status in a word, and what did not go well.
std::string ping_text(ExitStatus status, const std::vector<Observation>& seen, const std::string& run_id);

// Headers and body for "sendmail -t", lines ending with "\n" (RFC 5322, 2045, 2047). from: empty for the system's own.
// Nothing in subject or text can add a header.
std::string mail_of(const std::vector<std::string>& to, const std::string& from, std::string_view subject,
                    std::string_view text, Time at);

}  // namespace cairn
