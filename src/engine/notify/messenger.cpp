#include "engine/notify/messenger.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/process.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <variant>

#include <fmt/format.h>
#include <sys/mman.h>

namespace cairn {

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned k_tries = 3;
constexpr std::chrono::milliseconds k_first_pause{500};  // twice as long before the third
// One try leaves time for the others.
constexpr std::chrono::milliseconds k_longest_try{6000};
constexpr std::uint64_t k_largest_answer = 64 * k_kib;

// Why it was not taken; nothing: it was. Whether trying again may help.
struct Refusal {
  std::string cause;
  bool again = false;
};

std::optional<Refusal> refusal_of(const std::variant<s3::HttpResponse, s3::HttpFailure>& answer) {
  if (const auto* failure = std::get_if<s3::HttpFailure>(&answer)) {
    // Whatever it says at such length, it has taken the message.
    if (failure->kind == s3::HttpFailure::Kind::too_long) return std::nullopt;
    return Refusal{failure->cause, failure->kind != s3::HttpFailure::Kind::refused};
  }
  const int status = std::get<s3::HttpResponse>(answer).status;
  if (status >= 200 && status < 300) return std::nullopt;
  if (status >= 300 && status < 400) return Refusal{fmt::format("it answered {}, and no redirect is followed", status)};
  return Refusal{fmt::format("it answered {}", status), status == 408 || status == 429 || status >= 500};
}

std::chrono::milliseconds until(Clock::time_point deadline) {
  return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
}

// Error(interrupted).
void pause(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
    check_interrupted();
    std::this_thread::sleep_for(std::min(until(end), std::chrono::milliseconds{50}));
  }
}

// A file in memory that holds that, to be read from its beginning.
UniqueFd memory_file(std::string_view text) {
  UniqueFd fd{::memfd_create("cairn-message", MFD_CLOEXEC)};
  if (!fd) throw_errno("create", "a file in memory", errno);
  write_at(fd.get(), as_bytes(text), 0, "a file in memory");
  return fd;
}

// The time for one message, less where the process is on its way out.
Clock::time_point deadline_of(const NotifySettings& settings) {
  return Clock::now() + std::min(settings.timeout, InterruptPause::left().value_or(settings.timeout));
}

}  // namespace

Messenger::Messenger(const NotifySettings& settings, Reporter& reporter) : m_settings(settings), m_reporter(reporter) {}

// Whether it arrived. A signal is no fault of the message's, and whoever called sees it.
template <class F>
bool Messenger::attempt(F&& way) {
  try {
    way();
    return true;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) return false;
    if (!e.hint().empty()) {
      m_reporter.warning(fmt::format("{} ({})", e.message(), e.hint()));
    } else {
      m_reporter.warning(e.message());
    }
  } catch (const std::exception& e) {
    m_reporter.warning(fmt::format("unable to tell anybody: {}", e.what()));
  }
  return false;
}

void Messenger::post(std::string_view what, const SecretUrl& url, const std::string& address,
                     std::string_view content_type, const std::string& body) {
  const auto deadline = deadline_of(m_settings);
  if (!m_http) m_http.emplace(m_settings.ca_file);
  s3::HttpRequest request;
  request.method = "POST";
  request.url = address;
  request.headers = {{"Content-Type", std::string{content_type}}};
  request.body = s3::HttpBody{as_bytes(body), -1, body.size()};
  request.max_response = k_largest_answer;
  std::string cause = "there was no time for it";
  auto wait = k_first_pause;
  for (unsigned tried = 0; tried < k_tries && until(deadline).count() > 0; ++tried) {
    if (tried > 0) {
      if (wait >= until(deadline)) break;
      pause(wait);
      wait *= 2;
    }
    request.timeout = std::min(k_longest_try, until(deadline));
    const auto refusal = refusal_of(m_http->send(request));
    if (!refusal) return;
    cause = url.without(refusal->cause);
    if (!refusal->again) break;
  }
  throw Error(ErrorKind::failed, fmt::format("unable to send {} to {}: {}", what, url.shown(), cause));
}

void Messenger::run(std::string_view what, const std::vector<std::string>& argv, const std::string& input,
                    const std::vector<std::pair<std::string, std::string>>& environment) {
  const auto time = std::max<Nanoseconds>(deadline_of(m_settings) - Clock::now(), std::chrono::milliseconds{1});
  const UniqueFd message = memory_file(input);
  ProcessOptions options;
  options.environment = environment;
  options.input = message.get();
  std::string said;
  const auto exit = run_program(
      argv, options, [&](std::string_view line) { said = line; }, time);
  if (exit.ok()) return;
  check_interrupted();
  throw Error(ErrorKind::failed,
              fmt::format("unable to send {}: {} {}{}", what, quote(argv.front()),
                          exit.timed_out ? fmt::format("took longer than {} and was ended", format_duration(time))
                                         : exit.text(),
                          said.empty() ? "" : ": " + said));
}

void Messenger::run_command(const Notice& notice) {
  auto environment = environment_of(notice);
  environment.emplace_back("CAIRN_RUN_ID", notice.run_id);
  run("a message by the command", m_settings.command, json_of(notice) + "\n", environment);
}

void Messenger::send_mail(const Notice& notice) {
  const std::string mail =
      mail_of(m_settings.mail, m_settings.mail_from.value_or(""), subject_of(notice), text_of(notice), notice.at);
  // -i: a line with a single dot does not end it.
  run("a mail", {m_settings.sendmail.native(), "-t", "-i"}, mail, {});
}

void Messenger::ping(Ping ping, const std::string& body) {
  if (!m_settings.ping) return;
  const SecretUrl& url = *m_settings.ping;
  attempt([&] {
    switch (ping) {
      case Ping::start:
        return post("the start ping", url, url.below("start"), "text/plain; charset=utf-8", body);
      case Ping::success:
        return post("the success ping", url, url.text(), "text/plain; charset=utf-8", body);
      case Ping::fail:
        return post("the fail ping", url, url.below("fail"), "text/plain; charset=utf-8", body);
    }
  });
}

bool Messenger::send(const Notice& notice) {
  bool arrived = false;
  const auto by = [&](bool is_set, auto&& way) {
    if (is_set) arrived = attempt(way) || arrived;
  };
  by(m_settings.webhook.has_value(),
     [&] { post("a message", *m_settings.webhook, m_settings.webhook->text(), "application/json", json_of(notice)); });
  by(!m_settings.command.empty(), [&] { run_command(notice); });
  by(!m_settings.mail.empty(), [&] { send_mail(notice); });
  return arrived;
}

}  // namespace cairn
