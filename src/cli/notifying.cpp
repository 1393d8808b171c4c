#include "cli/notifying.hpp"

#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/process_info.hpp"
#include "util/secret.hpp"

#include <optional>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_largest_url_file = 1U << 16;

// where: the text came from there, for messages.
SecretUrl parse_url(std::string_view text, const std::string& where) {
  try {
    return SecretUrl::parse(text);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("{} has an {}", where, e.message()), e.hint());
  }
}

// The first line of a file.
SecretUrl read_url_file(const fs::path& file) {
  Bytes bytes = read_file(file, k_largest_url_file);
  std::string_view line = as_text(bytes);
  line = line.substr(0, line.find_first_of("\r\n"));
  std::optional<SecretUrl> url;
  const auto failure = every_failure_of([&] { url = parse_url(line, quote(file.native())); });
  wipe(bytes);
  if (failure) throw Error(*failure);
  return *url;
}

// The environment takes precedence. A backup is worth more than that somebody hears of it: what cannot be
// read is a warning, and as the success ping stays out, it is noticed.
void read_url(std::optional<SecretUrl>& url, const std::optional<fs::path>& file, const char* variable,
              Session& session) {
  const auto failure = every_failure_of([&] {
    if (const auto text = nonempty(session.io().environment, variable)) {
      url.reset();
      url = parse_url(*text, variable);
    } else if (file) {
      url = read_url_file(*file);
    }
  });
  if (failure) session.reporter().warning(fmt::format("nobody is told that way: {}", failure->message()));
}

NotifySettings settings_of(Session& session) {
  NotifySettings settings = session.config().notify;
  read_url(settings.ping, settings.ping_file, "CAIRN_PING_URL", session);
  read_url(settings.webhook, settings.webhook_file, "CAIRN_WEBHOOK_URL", session);
  return settings;
}

fs::path memory_of(Session& session) {
  const fs::path state = session.state().directory();
  return state.empty() ? state : state / "notify";
}

// After a signal there is little time for all of it together.
class WayOut {
 public:
  WayOut() {
    if (interrupted_by() != 0) m_pause.emplace();
  }

 private:
  std::optional<InterruptPause> m_pause;
};

}  // namespace

Notifying::Notifying(Session& session)
    : m_session(session),
      m_settings(settings_of(session)),
      m_messenger(m_settings, session.reporter()),
      m_memory(memory_of(session)) {}

void Notifying::begin() {
  m_messenger.ping(Ping::start, fmt::format("run {}\n", m_session.run_id()));
}

void Notifying::require_way() const {
  // One whose file cannot be read was warned of.
  if (m_settings.has_ways() || m_settings.webhook_file) return;
  throw Error(ErrorKind::usage,
              "nobody to tell: [notify] of the configuration has neither webhook nor command nor mail",
              "cairn.toml(5) says how");
}

void Notifying::end(const RunOutcome& run, RunScope scope) {
  const auto seen =
      observations_of(run, scope, [this](const std::string& series) { return m_session.config().max_age_of(series); });
  {
    const WayOut way_out;
    tell(seen);
  }
  const WayOut way_out;  // a signal may have come meanwhile
  const ExitStatus status = status_of(run);
  m_messenger.ping(status == ExitStatus::done ? Ping::success : Ping::fail,
                   ping_text(status, seen, m_session.run_id()));
}

void Notifying::end(const Error& failure) {
  Observation seen;
  seen.about = "the run";
  seen.condition = Condition::failed;
  seen.status = ExitStatus{exit_status_of(failure.kind(), interrupted_by())};
  seen.message = failure.message();
  const WayOut way_out;
  m_messenger.ping(Ping::fail, ping_text(seen.status, {seen}, m_session.run_id()));
}

void Notifying::tell(const std::vector<Observation>& seen) {
  if (!m_settings.has_ways()) return;
  const NotifyRules rules{m_settings.on, m_settings.remind};
  const Time now = m_session.io().clock();
  std::vector<Decision> decisions;
  for (const auto& each : seen) {
    KnownState known;
    if (const auto failure = every_failure_of([&] { known = m_memory.known(each.about); })) {
      m_session.reporter().warning(fmt::format("what was told of {} is not known: {}", each.about, failure->message()));
    }
    decisions.push_back(decide(known, each, rules, now));
    if (!decisions.back().event && decisions.back().if_not_told != known) {
      remember(each.about, decisions.back().if_not_told);
    }
  }
  for (const NotifyEvent event : {NotifyEvent::failure, NotifyEvent::stale, NotifyEvent::recovery}) {
    tell_of(event, seen, decisions);
  }
}

void Notifying::tell_of(NotifyEvent event, const std::vector<Observation>& seen,
                        const std::vector<Decision>& decisions) {
  Notice notice{event, {}, host_name(), m_session.run_id(), m_session.io().clock()};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (decisions[i].event == event) notice.items.push_back({seen[i], decisions[i].since});
  }
  if (notice.items.empty()) return;
  const bool told = m_messenger.send(notice);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (decisions[i].event != event) continue;
    remember(seen[i].about, told ? decisions[i].if_told : decisions[i].if_not_told);
  }
}

void Notifying::remember(const std::string& about, const KnownState& state) {
  if (const auto failure = every_failure_of([&] { m_memory.set(about, state); })) {
    m_session.reporter().warning(
        fmt::format("that somebody was told of {} is not remembered: {}", about, failure->message()));
  }
}

}  // namespace cairn
