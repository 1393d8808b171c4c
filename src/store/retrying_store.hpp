// The one place where a failed store operation is tried again: transient failures only, within a time budget for each
// operation, which the transfer itself does not use up, with full jitter (Brooker, "Exponential Backoff And Jitter",
// AWS Architecture Blog, 2015). A thread on its way out (InterruptPause) has only what is left to it.
#pragma once

#include "store/forwarding_store.hpp"
#include "util/error.hpp"
#include "util/log.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace cairn {

struct RetryPolicy {
  // From the end of the first attempt that failed: how long a large object takes says nothing of the store.
  std::chrono::nanoseconds budget = std::chrono::minutes{15};
  // An attempt that ran for longer than this got somewhere: the budget begins anew behind it, for so many of them.
  std::chrono::nanoseconds long_attempt = std::chrono::minutes{1};
  unsigned long_attempts = 5;
  // Instead of the budget, and from the beginning of the operation, while the store has never been reached: a wrong
  // address must not take a quarter of an hour.
  std::chrono::nanoseconds first_contact = std::chrono::minutes{1};
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds{200};
  std::chrono::nanoseconds longest_delay = std::chrono::seconds{20};
};

enum class Contact { never, made };

// How long to wait before the next attempt, or nothing: give up. attempts: failed so far, at least 1; elapsed: of
// the budget; random: in [0, 1). A delay that the store asks for is kept to, unless it exceeds the budget.
std::optional<std::chrono::nanoseconds> retry_delay(const RetryPolicy& policy, const StoreError& error, Contact contact,
                                                    unsigned attempts, std::chrono::nanoseconds elapsed, double random);

// The tools that an operation needs of the world outside; tests give their own. All are called from several threads.
struct RetryTools {
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(std::chrono::nanoseconds)> sleep;  // throws Error(interrupted) when a signal arrives
  std::function<double()> random;

  static RetryTools real();
};

class RetryingStore : public ForwardingStore {
 public:
  RetryingStore(std::unique_ptr<ObjectStore> store, RetryPolicy policy, Reporter& reporter,
                RetryTools tools = RetryTools::real());

  bool probe_create_only() override;
  // A PUT whose answer was lost may meet itself when it is repeated: the name is taken (create-only), or the store
  // refuses to overwrite it (retention); and another run may have put the same bytes. Where the object is what was to
  // be put, that is PutOutcome::stored.
  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  // Taken up again behind the last key that was seen. The budget counts from there.
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override;
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  Time now() override;

 private:
  // The state of one operation over its attempts.
  struct Operation;
  template <class F>
  auto retry(F&& attempt, bool ages = false) -> decltype(attempt());
  // How much of the budget is gone now that one more attempt has failed.
  std::chrono::nanoseconds spent(Operation& operation, std::chrono::steady_clock::time_point now, Contact contact,
                                 const StoreError& error) const;
  void wait_or_rethrow(Operation& operation, const StoreError& error);
  bool holds(const std::string& key, const ObjectBody& body);

  RetryPolicy m_policy;
  Reporter& m_reporter;
  RetryTools m_tools;
  std::atomic<bool> m_reached{false};
};

}  // namespace cairn
