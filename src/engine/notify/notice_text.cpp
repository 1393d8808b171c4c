#include "engine/notify/notice_text.hpp"

#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

void text_or_null(JsonWriter& to, const char* key, const std::string& text) {
  to.key(key);
  text.empty() ? to.null() : to.value(terminal_safe(text));
}

std::string line_of(const NoticeItem& item, NotifyEvent event) {
  const Observation& seen = item.seen;
  if (event == NotifyEvent::recovery) {
    return fmt::format("{}: well again, after it was not since {}", seen.about, format_time_short(item.since));
  }
  std::string out = fmt::format("{}: {}", seen.about, outcome_name(seen.status));
  if (!seen.message.empty()) out += ": " + seen.message;
  return out;
}

bool is_plain(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
}

// Lines that need no encoding: RFC 5322 allows 998 characters.
bool has_short_lines(std::string_view text) noexcept {
  constexpr std::size_t k_longest = 900;
  std::size_t length = 0;
  for (const char c : text) {
    length = c == '\n' ? 0 : length + 1;
    if (length > k_longest) return false;
  }
  return true;
}

// As encoded words (RFC 2047) of at most 75 characters, none of which cuts a character of UTF-8.
std::string encoded_words(std::string_view text) {
  constexpr std::size_t k_most_bytes = 45;
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), k_most_bytes);
    while (size < text.size() && size > 1 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    if (!out.empty()) out += "\n ";
    out += fmt::format("=?UTF-8?B?{}?=", to_base64(as_bytes(text.substr(0, size))));
    text.remove_prefix(size);
  }
  return out;
}

std::string base64_lines(std::string_view text) {
  constexpr std::size_t k_line = 76;
  const std::string all = to_base64(as_bytes(text));
  std::string out;
  for (std::size_t at = 0; at < all.size(); at += k_line) out += all.substr(at, k_line) + "\n";
  return out;
}

// RFC 5322, 3.3; not by strftime, whose names are the locale's.
std::string mail_date(Time at) {
  static constexpr std::array<const char*, 7> k_days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> k_months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", k_days.at(static_cast<std::size_t>(utc.tm_wday)),
                     utc.tm_mday, k_months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string subject_of(const Notice& notice) {
  const std::size_t more = notice.items.size() - 1;
  return terminal_safe(fmt::format("cairn on {}: {}: {}{}", notice.host, notify_event_name(notice.event),
                                   notice.items.front().seen.about,
                                   more == 0 ? "" : fmt::format(" and {} more", more)));
}

std::string text_of(const Notice& notice) {
  std::string out;
  for (const auto& item : notice.items) {
    out += terminal_safe(line_of(item, notice.event)) + "\n";
    if (!item.seen.hint.empty()) out += "hint: " + terminal_safe(item.seen.hint) + "\n";
  }
  return out + "\n" +
         terminal_safe(fmt::format("host {}, run {}, {}", notice.host, notice.run_id, format_time_short(notice.at))) +
         "\n";
}

std::string json_of(const Notice& notice) {
  JsonWriter to;
  to.begin_object().member("schema", "cairn.notify/1").member("event", notify_event_name(notice.event));
  to.member("host", terminal_safe(notice.host)).member("run", notice.run_id);
  to.member("time", format_time(notice.at)).member("subject", subject_of(notice)).member("text", text_of(notice));
  to.key("items").begin_array();
  for (const auto& item : notice.items) {
    const Observation& seen = item.seen;
    to.begin_object().member("about", terminal_safe(seen.about));
    text_or_null(to, "source", seen.source);
    text_or_null(to, "series", seen.series);
    text_or_null(to, "store", seen.store);
    text_or_null(to, "snapshot", seen.snapshot);
    to.member("outcome", outcome_name(seen.status)).member("exit_status", to_int(seen.status));
    text_or_null(to, "message", seen.message);
    text_or_null(to, "hint", seen.hint);
    to.member("since", format_time(item.since)).end_object();
  }
  to.end_array().end_object();
  return std::move(to).text();
}

std::vector<std::pair<std::string, std::string>> environment_of(const Notice& notice) {
  const Observation none;
  const Observation& only = notice.items.size() == 1 ? notice.items.front().seen : none;
  std::vector<std::pair<std::string, std::string>> out{
      {"CAIRN_EVENT", notify_event_name(notice.event)},
      {"CAIRN_SUBJECT", subject_of(notice)},
      {"CAIRN_SOURCE", only.source},
      {"CAIRN_SERIES", only.series},
      {"CAIRN_SNAPSHOT", only.snapshot},
      {"CAIRN_OUTCOME", notice.items.size() == 1 ? outcome_name(only.status) : ""},
      {"CAIRN_EXIT_STATUS", notice.items.size() == 1 ? std::to_string(to_int(only.status)) : ""},
  };
  if (!only.store.empty()) out.emplace_back("CAIRN_STORE", only.store);
  return out;
}

std::string ping_text(ExitStatus status, const std::vector<Observation>& seen, const std::string& run_id) {
  std::string out = fmt::format("{} (exit {}), run {}\n", outcome_name(status), to_int(status), run_id);
  for (const auto& each : seen) {
    if (each.condition != Condition::well) {
      out += terminal_safe(line_of({each, {}}, NotifyEvent::failure)) + "\n";
    }
  }
  return out;
}

std::string mail_of(const std::vector<std::string>& to, const std::string& from, std::string_view subject,
                    std::string_view text, Time at) {
  // One line, whatever it says.
  std::string line{subject};
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  std::string out;
  if (!from.empty()) out += fmt::format("From: {}\n", from);
  out += fmt::format("To: {}\n", fmt::join(to, ",\n "));
  const bool plain_subject = is_plain(line) && has_short_lines(line) && line.find("=?") == std::string::npos;
  out += fmt::format("Subject: {}\n", plain_subject ? line : encoded_words(line));
  out += fmt::format("Date: {}\n", mail_date(at));
  // So that no out-of-office answer comes back (RFC 3834).
  out += "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n";
  const bool plain = is_plain(text) && has_short_lines(text);
  out += fmt::format("Content-Transfer-Encoding: {}\n\n", plain ? "7bit" : "base64");
  return out + (plain ? std::string{text} : base64_lines(text));
}

}  // namespace cairn
