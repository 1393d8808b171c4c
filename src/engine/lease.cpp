#include "engine/lease.hpp"

#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/units.hpp"

#include <chrono>
#include <exception>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {
constexpr std::chrono::hours k_expiry{1};
constexpr int k_attempts = 3;
}  // namespace

PruneLease::PruneLease(Context& context) : m_context(context) {
  ObjectStore& store = context.repository.store();
  if (!context.repository.descriptor().create_only || !store.capabilities().create_only) return;
  JsonWriter text;
  text.begin_object().member("format", "cairn-lease").member("version", k_format_version);
  text.member("host", context.host).member("process", static_cast<std::uint64_t>(::getpid()));
  text.member("time", format_time(store.now())).end_object().newline();
  const std::string key = layout::k_lease;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    if (store.put(key, ObjectBody::from_text(text.text()), PutMode::create_only) == PutOutcome::stored) {
      m_held = true;
      return;
    }
    const auto info = store.head(key);
    if (!info) continue;  // given back meanwhile
    const auto age = store.now() - info->modified;
    if (age < k_expiry) {
      throw Error(ErrorKind::busy,
                  fmt::format("unable to prune {}: another prune has been running for {}", quote(store.describe()),
                              format_duration(age < Nanoseconds::zero() ? Nanoseconds::zero() : age)),
                  "wait for it to end; if it was killed, its lease ends an hour after it began");
    }
    context.reporter.info("the lease of a prune that did not end is replaced");
    store.remove(std::span{&key, 1});
  }
  throw Error(ErrorKind::busy,
              fmt::format("unable to prune {}: others keep taking the lease", quote(store.describe())));
}

PruneLease::~PruneLease() {
  if (!m_held) return;
  try {
    const std::string key = layout::k_lease;
    const auto failures = m_context.repository.store().remove(std::span{&key, 1});
    if (!failures.empty()) m_context.reporter.warning("unable to give the lease back: " + failures.front().message);
  } catch (const std::exception& e) {
    m_context.reporter.warning(fmt::format("unable to give the lease back: {}", e.what()));
  }
}

}  // namespace cairn
