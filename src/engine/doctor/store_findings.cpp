#include "engine/doctor/store_findings.hpp"

#include "repo/layout.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/shell_word.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>

namespace cairn {

namespace {

using namespace std::chrono_literals;

constexpr auto k_skew = 5min;
constexpr auto k_rare = std::chrono::hours{24 * 30};
constexpr auto k_lease_lives = 1h;

// What an attempt says; nothing where it succeeds.
std::optional<Error> refused(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    return e;
  }
  return std::nullopt;
}

class Examination {
 public:
  Examination(ObjectStore& store, const std::string& subject) : m_store(store), m_subject(subject) {}

  void clock(Time now) {
    Time there;
    if (const auto failure = refused([&] { there = m_store.now(); })) {
      return add(Severity::problem, "its clock cannot be asked: " + failure->message(), failure->hint());
    }
    const auto skew = elapsed(there, now);
    const auto size = skew < Nanoseconds{0} ? -skew : skew;
    if (size <= k_skew) return add(Severity::good, "its clock agrees with this host's");
    add(Severity::warning,
        fmt::format("this host's clock is {} {} the store's", format_duration(size),
                    skew > Nanoseconds{0} ? "ahead of" : "behind"),
        "set the clock, and have NTP keep it: cut points are this host's time");
  }

  void reading(const Descriptor& descriptor) {
    const auto failure = refused([&] { m_store.list("config/", [](const ObjectInfo&) {}); });
    if (failure) return add(Severity::problem, "it cannot be listed: " + failure->message(), failure->hint());
    add(Severity::good, fmt::format("it can be read; {}", descriptor.encrypted() ? "encrypted" : "not encrypted"));
  }

  void writing(StoreRole role) {
    const Bytes random = random_bytes(16);
    const std::string key = "probe/doctor-" + to_hex(random);
    const auto denied = refused([&] { m_store.put(key, ObjectBody::from_memory(random)); });
    if (denied) {
      return add(role.writes ? Severity::problem : Severity::note,
                 "this host may not write to it: " + denied->message(), role.writes ? denied->hint() : "");
    }
    const auto unread = refused([&] {
      const auto back = m_store.get(key);
      if (!back || *back != random) throw Error(ErrorKind::failed, "it gives back something else than what was put");
    });
    if (unread) add(Severity::problem, "what was written cannot be read: " + unread->message(), unread->hint());
    const std::array keys{key};
    std::string message;
    const auto stays = refused([&] {
      for (const auto& failure : m_store.remove(keys)) message = failure.message;
    });
    if (stays) message = stays->message();
    if (message.empty()) return add(Severity::good, "this host may write to it, and delete");
    if (role.prunes) {
      return add(Severity::problem, fmt::format("this host is to prune it, and may not delete: {}", message),
                 "give it the right to delete, or have another host prune");
    }
    add(Severity::note, fmt::format("this host may write to it, and not delete: {} stays there", quote(key)));
  }

  void features(const Descriptor& descriptor) {
    if (descriptor.create_only) return;
    add(Severity::note, "it has no create-only PUT: two prunes at a time are not kept apart",
        "have one host prune it, at one time");
  }

  void leases() {
    std::optional<ObjectInfo> lease;
    Time there;
    if (refused([&] {
          lease = m_store.head(layout::k_lease);
          there = m_store.now();
        }) ||
        !lease) {
      return;
    }
    const auto age = elapsed(lease->modified, there);
    if (age < k_lease_lives) return add(Severity::note, "a prune is running, or was ended a short while ago");
    add(Severity::note,
        fmt::format("a prune that was ended {} ago left its lease; the next one takes it over", format_duration(age)));
  }

  Findings take() { return std::move(m_findings); }

 private:
  void add(Severity severity, std::string message, std::string fix = {}) {
    m_findings.push_back({severity, m_subject, std::move(message), std::move(fix)});
  }

  ObjectStore& m_store;
  std::string m_subject;
  Findings m_findings;
};

}  // namespace

Findings examine_store(ObjectStore& store, const std::string& subject, const Descriptor& descriptor, StoreRole role,
                       Trial trial, Time now) {
  Examination examination{store, subject};
  examination.reading(descriptor);
  examination.clock(now);
  if (trial == Trial::yes) examination.writing(role);
  examination.features(descriptor);
  examination.leases();
  return examination.take();
}

Finding judge_push(const std::string& subject, const std::string& from, const std::string& to, std::uint64_t behind) {
  if (behind == 0)
    return {Severity::good, subject, fmt::format("store {} has its newest snapshot, too", quote(to)), ""};
  return {Severity::warning, subject,
          fmt::format("store {} lacks {} of {}", quote(to), counted(behind, "newer snapshot", "newer snapshots"),
                      quote(from)),
          fmt::format("cairn push --from {} --to {}", shell_word(from), shell_word(to))};
}

Finding judge_drill(const std::string& subject, const std::string& series, const std::optional<LastDrill>& last,
                    std::optional<Nanoseconds> every, Time now) {
  const std::string fix =
      fmt::format("cairn drill {}; drill_every in the configuration has run do it", shell_word(series));
  if (!last) {
    return {Severity::warning, subject, "no drill has ever restored it: nobody knows whether it comes back, and when",
            fix};
  }
  const auto age = std::max(elapsed(last->time, now), Nanoseconds{0});
  if (!last->passed) {
    return {Severity::problem, subject, fmt::format("its last drill, {} ago, failed", format_duration(age)),
            fmt::format("cairn drill {}", shell_word(series))};
  }
  const Nanoseconds limit = every ? 2 * *every : Nanoseconds{k_rare};
  const std::string text = fmt::format("a drill restored it {} ago", format_duration(age));
  if (age <= limit) return {Severity::good, subject, text, ""};
  return {Severity::warning, subject, text, fix};
}

}  // namespace cairn
