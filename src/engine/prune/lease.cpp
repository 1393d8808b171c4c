#include "engine/prune/lease.hpp"

#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"
#include "util/units.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {
constexpr std::chrono::minutes k_renewal{15};
constexpr int k_attempts = 3;
constexpr std::uint64_t k_largest_lease = 64ULL << 10;
}  // namespace

PruneLease::PruneLease(Context& context) : m_context(context), m_note(context.repository.cache()) {
  ObjectStore& store = context.repository.store();
  if (!context.repository.descriptor().create_only || !store.capabilities().create_only) {
    m_note.forget();
    return;
  }
  m_renewed = store.now();
  const std::string key = layout::k_lease;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    const std::string lease = text(m_renewed);
    m_note.add(as_bytes(lease));
    if (store.put(key, ObjectBody::from_text(lease), PutMode::create_only) == PutOutcome::stored) {
      m_held = true;
      return;
    }
    const auto info = store.head(key);
    const auto there = info ? store.get(key, ByteRange{0, k_largest_lease}) : std::nullopt;
    if (!there) continue;  // given back meanwhile
    const auto dead = DeadHolder::find(context.repository.cache(), *there);
    const auto age = elapsed(info->modified, store.now());
    if (!dead && age < k_lease_expiry) {
      m_note.forget();
      throw Error(
          ErrorKind::busy,
          fmt::format("unable to prune {}: another prune took the lease {} ago, and has not given it back",
                      quote(store.describe()), format_duration(age < Nanoseconds::zero() ? Nanoseconds::zero() : age)),
          "let it end if it still runs; what a killed one leaves on another host ends after an hour");
    }
    context.reporter.info("the lease of a prune that did not end is replaced");
    store.remove(std::span{&key, 1});
    if (dead) dead->forget();
  }
  m_note.forget();
  throw Error(ErrorKind::busy,
              fmt::format("unable to prune {}: others keep taking the lease", quote(store.describe())));
}

std::string PruneLease::text(Time now) const {
  JsonWriter to;
  to.begin_object().member("format", "cairn-lease").member("version", k_format_version);
  // The host's name is none of the business of somebody who can only list a sealed store.
  to.member("host", m_context.repository.keys().seals() ? std::string{} : m_context.host)
      .member("process", static_cast<std::uint64_t>(::getpid()));
  to.member("time", format_time(now)).member("nonce", random_name()).end_object().newline();
  return std::move(to).text();
}

void PruneLease::renew(Time now) {
  if (!m_held || now - m_renewed < k_renewal) return;
  const std::string lease = text(now);
  m_note.add(as_bytes(lease));
  m_context.repository.store().put(layout::k_lease, ObjectBody::from_text(lease));
  m_renewed = now;
}

PruneLease::~PruneLease() {
  if (!m_held) return;
  // A prune that came to its end has time.
  std::optional<InterruptPause> pause;
  if (interrupted_by() != 0 || std::uncaught_exceptions() > 0) pause.emplace();
  try {
    const std::string key = layout::k_lease;
    const auto failures = m_context.repository.store().remove(std::span{&key, 1});
    if (failures.empty()) {
      m_note.forget();
    } else {
      m_context.reporter.warning("unable to give the lease back: " + failures.front().message);
    }
  } catch (const std::exception& e) {
    m_context.reporter.warning(fmt::format("unable to give the lease back: {}", e.what()));
  }
}

}  // namespace cairn
