#include "cli/config_notify.hpp"

#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <chrono>

#include <fmt/format.h>

namespace cairn {

namespace {

std::set<NotifyEvent> read_events(const TomlTable& table, const std::set<NotifyEvent>& otherwise) {
  const auto names = table.texts("on");
  if (!names) return otherwise;
  std::set<NotifyEvent> events;
  for (const auto& name : *names) {
    bool known = false;
    for (const NotifyEvent event : {NotifyEvent::failure, NotifyEvent::recovery, NotifyEvent::stale}) {
      if (name != notify_event_name(event)) continue;
      known = true;
      if (!events.insert(event).second) table.fail("on", fmt::format("'on' names {} twice", quote(name)));
    }
    if (!known) {
      table.fail("on", fmt::format("'on' has {}, which is no event", quote_given(name)),
                 "events are \"failure\", \"recovery\" and \"stale\"");
    }
  }
  return events;
}

std::optional<SecretUrl> read_url(const TomlTable& table, const char* key) {
  return table.converted(key, "a URL", [](const std::string& text) { return std::optional{SecretUrl::parse(text)}; });
}

void refuse_both(const TomlTable& table, const char* key, const char* other, bool both) {
  if (both) table.fail(other, fmt::format("'{}' and '{}' exclude each other", key, other));
}

void check_address(const TomlTable& table, const char* key, const std::string& address) {
  if (is_mail_address(address)) return;
  table.fail(key, fmt::format("'{}' has {}, which is no address of a mail", key, quote_given(address)),
             "it is as ops@example.org, without a name and brackets");
}

std::optional<Nanoseconds> read_time(const TomlTable& table, const char* key, Nanoseconds shortest, Nanoseconds longest,
                                     const char* expected) {
  return table.converted(key, expected, [&](const std::string& text) -> std::optional<Nanoseconds> {
    const auto time = parse_duration(text);
    if (!time || *time < shortest || *time > longest) return std::nullopt;
    return time;
  });
}

}  // namespace

NotifySettings read_notify(const TomlTable& table) {
  using namespace std::chrono_literals;
  table.allow_keys("[notify]", {"on", "ping", "ping_file", "webhook", "webhook_file", "ca_file", "command", "mail",
                                "mail_from", "sendmail", "remind", "timeout"});
  NotifySettings settings;
  settings.on = read_events(table, settings.on);
  settings.ping = read_url(table, "ping");
  settings.ping_file = table.absolute_path("ping_file");
  refuse_both(table, "ping", "ping_file", settings.ping && settings.ping_file);
  settings.webhook = read_url(table, "webhook");
  settings.webhook_file = table.absolute_path("webhook_file");
  refuse_both(table, "webhook", "webhook_file", settings.webhook && settings.webhook_file);
  if (const auto file = table.absolute_path("ca_file")) settings.ca_file = file->native();
  settings.command = table.texts("command").value_or(std::vector<std::string>{});
  settings.mail = table.texts("mail").value_or(std::vector<std::string>{});
  for (const auto& address : settings.mail) check_address(table, "mail", address);
  settings.mail_from = table.text("mail_from");
  if (settings.mail_from) check_address(table, "mail_from", *settings.mail_from);
  settings.sendmail = table.absolute_path("sendmail").value_or(settings.sendmail);
  settings.remind =
      read_time(table, "remind", 1min, std::chrono::days{365}, "a time from 1m to a year, for example \"1d\"");
  settings.timeout =
      read_time(table, "timeout", 1s, 10min, "a time from 1s to 10m, for example \"15s\"").value_or(settings.timeout);
  return settings;
}

}  // namespace cairn
