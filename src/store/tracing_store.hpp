// A decorator that writes down what each operation of a store was, how long it took and how it ended, as one JSON
// object a line (cairn(1), ENVIRONMENT). It stands below the retrying decorator, so that each attempt is a line of its
// own.
#pragma once

#include "store/forwarding_store.hpp"
#include "store/trace.hpp"

#include <memory>

namespace cairn {

class TracingStore : public ForwardingStore {
 public:
  TracingStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<Trace> trace);

  bool probe_create_only() override;
  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override;
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override;
  void make_durable(std::span<const std::string> keys) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  Time now() override;
  std::size_t sweep_temporaries(std::span<const std::string_view> directories,
                                std::chrono::nanoseconds age = std::chrono::hours{24}) override;

 private:
  struct Line;
  // Runs work(line), which says in the line what came of it, and writes the line, whether or not work throws.
  template <class F>
  auto traced(Line line, F&& work) -> decltype(work(line));
  void traced_listing(Line line, const std::function<void(const ObjectInfo&)>& visit,
                      const std::function<void(const std::function<void(const ObjectInfo&)>&)>& list);

  std::shared_ptr<Trace> m_trace;
};

}  // namespace cairn
