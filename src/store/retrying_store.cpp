#include "store/retrying_store.hpp"

#include "store/exchange.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cmath>
#include <fcntl.h>
#include <random>
#include <thread>

#include <fmt/format.h>

namespace cairn {

using std::chrono::nanoseconds;

namespace {
constexpr std::uint64_t k_compared_at_once = 8ULL << 20;
}

std::optional<nanoseconds> retry_delay(const RetryPolicy& policy, const StoreError& error, Contact contact,
                                       unsigned attempts, nanoseconds elapsed, double random) {
  if (!error.transient()) return std::nullopt;
  const bool unknown = error.unreachable() && contact == Contact::never;
  const nanoseconds budget = unknown ? std::min(policy.budget, policy.first_contact) : policy.budget;
  const double ceiling =
      std::min(static_cast<double>(policy.longest_delay.count()),
               static_cast<double>(policy.first_delay.count()) * std::pow(2.0, std::min(attempts, 40U) - 1));
  auto delay = nanoseconds{static_cast<std::int64_t>(ceiling * random)};
  if (error.retry_after()) delay = std::max(delay, *error.retry_after());
  if (elapsed >= budget || delay > budget - elapsed) return std::nullopt;
  return delay;
}

RetryTools RetryTools::real() {
  return {[] { return std::chrono::steady_clock::now(); },
          [](nanoseconds duration) {
            // In slices, so that a signal ends the wait.
            const auto end = std::chrono::steady_clock::now() + duration;
            for (;;) {
              check_interrupted();
              const auto left = end - std::chrono::steady_clock::now();
              if (left <= nanoseconds{0}) return;
              std::this_thread::sleep_for(std::min<nanoseconds>(left, std::chrono::milliseconds{100}));
            }
          },
          [] {
            thread_local std::minstd_rand generator{std::random_device{}()};
            return std::uniform_real_distribution<double>{0.0, 1.0}(generator);
          }};
}

struct RetryingStore::Operation {
  std::chrono::steady_clock::time_point began;
  std::chrono::steady_clock::time_point attempt_began = began;
  std::optional<std::chrono::steady_clock::time_point> counted_from{};
  unsigned failures = 0;
  unsigned long_failures = 0;
  bool warned = false;
  bool ages = false;  // ObjectBody::ages
};

RetryingStore::RetryingStore(std::unique_ptr<ObjectStore> store, RetryPolicy policy, Reporter& reporter,
                             RetryTools tools)
    : ForwardingStore(std::move(store)), m_policy(policy), m_reporter(reporter), m_tools(std::move(tools)) {}

nanoseconds RetryingStore::spent(Operation& operation, std::chrono::steady_clock::time_point now, Contact contact,
                                 const StoreError& error) const {
  const bool is_long = now - operation.attempt_began > m_policy.long_attempt;
  if (is_long) ++operation.long_failures;
  if (!operation.counted_from || (is_long && operation.long_failures <= m_policy.long_attempts)) {
    operation.counted_from = now;
  }
  const bool from_the_beginning = operation.ages || (error.unreachable() && contact == Contact::never);
  return now - (from_the_beginning ? operation.began : *operation.counted_from);
}

void RetryingStore::wait_or_rethrow(Operation& operation, const StoreError& error) {
  ++operation.failures;
  if (!error.unreachable()) m_reached = true;
  const auto now = m_tools.now();
  const Contact contact = m_reached ? Contact::made : Contact::never;
  const nanoseconds elapsed = spent(operation, now, contact, error);
  const auto delay = retry_delay(m_policy, error, contact, operation.failures, elapsed, m_tools.random());
  const auto left = InterruptPause::left();
  if (!delay || (left && *delay >= *left)) throw;  // the error itself: this runs in its handler
  check_interrupted();
  const std::string text = fmt::format("{}; trying again", error.message());
  // A hiccup is nobody's business; what holds the run up is, once.
  if (!operation.warned && now - operation.began + *delay > std::chrono::seconds{10}) {
    operation.warned = true;
    m_reporter.warning(text);
  } else {
    m_reporter.info(text);
  }
  m_tools.sleep(*delay);
}

template <class F>
auto RetryingStore::retry(F&& attempt, bool ages) -> decltype(attempt()) {
  Operation operation{m_tools.now()};
  operation.ages = ages;
  const ExchangeScope scope;
  for (;;) {
    check_interrupted();
    this_exchange().attempt = operation.failures + 1;
    operation.attempt_began = m_tools.now();
    try {
      if constexpr (std::is_void_v<decltype(attempt())>) {
        attempt();
        m_reached = true;
        return;
      } else {
        auto result = attempt();
        m_reached = true;
        return result;
      }
    } catch (const StoreError& error) {
      wait_or_rethrow(operation, error);
    }
  }
}

bool RetryingStore::probe_create_only() {
  return retry([&] { return inner().probe_create_only(); });
}

bool RetryingStore::holds(const std::string& key, const ObjectBody& body) {
  const auto info = inner().head(key);
  if (!info || info->size != body.size) return false;
  Sha256 there;
  Sha256 wanted;
  const auto file = body.file && !body.sha256 ? std::optional{open_file(*body.file, O_RDONLY)} : std::nullopt;
  for (std::uint64_t at = 0; at < body.size; at += k_compared_at_once) {
    const std::uint64_t count = std::min(k_compared_at_once, body.size - at);
    const auto part = inner().get(key, ByteRange{at, count});
    if (!part || part->size() != count) return false;
    there.update(*part);
    if (file) {
      Bytes own(count);
      own.resize(read_at(file->get(), own, at, *body.file));
      wanted.update(own);
    } else if (!body.sha256) {
      wanted.update(body.memory.subspan(at, count));
    }
  }
  return there.finish() == (body.sha256 ? *body.sha256 : wanted.finish());
}

PutOutcome RetryingStore::put(const std::string& key, const ObjectBody& body, PutMode mode) {
  bool repeated = false;
  const auto attempt = [&] {
    const bool again = repeated;
    repeated = true;
    try {
      const PutOutcome outcome = inner().put(key, body, mode);
      if (outcome == PutOutcome::exists && again && holds(key, body)) return PutOutcome::stored;
      return outcome;
    } catch (const StoreError& refused) {
      if (refused.transient() || mode != PutMode::replace) throw;
      bool there = false;
      try {
        there = holds(key, body);
      } catch (const StoreError&) {
        // A user who may not put may often not read: the refusal is what is to be told.
        there = false;
      }
      if (there) return PutOutcome::stored;
      throw;
    }
  };
  return retry(attempt, body.ages);
}

std::optional<Bytes> RetryingStore::get(const std::string& key, std::optional<ByteRange> range) {
  return retry([&] { return inner().get(key, range); });
}

std::optional<ObjectInfo> RetryingStore::head(const std::string& key) {
  return retry([&] { return inner().head(key); });
}

void RetryingStore::list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) {
  list_after(prefix, {}, visit);
}

void RetryingStore::list_after(const std::string& prefix, const std::string& after,
                               const std::function<void(const ObjectInfo&)>& visit) {
  std::string last = after;
  // A visitor may use a store itself: what it throws is its own, and must not look like a failure of the listing.
  std::exception_ptr of_visitor;
  struct VisitorFailed {};
  for (bool done = false; !done;) {
    const std::string begin = last;
    try {
      retry([&] {
        // Each gain begins a new budget: a long listing is many requests.
        try {
          inner().list_after(prefix, last, [&](const ObjectInfo& info) {
            try {
              visit(info);
            } catch (...) {
              of_visitor = std::current_exception();
              throw VisitorFailed{};
            }
            last = info.key;
          });
          done = true;
        } catch (const StoreError& error) {
          if (!error.transient() || last == begin) throw;
        }
      });
    } catch (const VisitorFailed&) {
      std::rethrow_exception(of_visitor);
    }
  }
}

std::vector<RemoveFailure> RetryingStore::remove(std::span<const std::string> keys) {
  return retry([&] { return inner().remove(keys); });
}

Time RetryingStore::now() {
  return retry([&] { return inner().now(); });
}

}  // namespace cairn
