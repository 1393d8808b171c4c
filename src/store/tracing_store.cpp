#include "store/tracing_store.hpp"

#include "store/exchange.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <chrono>
#include <unistd.h>

namespace cairn {

namespace {

// A range may reach past every object's end.
std::uint64_t as_number(std::uint64_t value) {
  return std::min(value, k_max_integer);
}

}  // namespace

struct TracingStore::Line {
  std::string_view operation;
  std::string_view key = {};  // or a prefix
  std::string_view after = {};
  std::optional<ByteRange> range = {};
  std::span<const std::string> keys = {};
  bool create_only = false;
  std::optional<std::uint64_t> bytes = {};    // of the object, or of what was read of it
  std::optional<std::uint64_t> objects = {};  // listed, or swept
  std::optional<std::uint64_t> kept = {};     // that could not be removed
  std::string_view outcome = "done";
  std::optional<bool> transient = {};
  std::string error = {};

  void fail(const Error& failure);
  std::string text(std::string_view store, Time began, std::chrono::nanoseconds took) const;
};

void TracingStore::Line::fail(const Error& failure) {
  outcome = failure.kind() == ErrorKind::interrupted ? "interrupted"
            : failure.kind() == ErrorKind::damaged   ? "damaged"
                                                     : "failed";
  if (const auto* of_store = dynamic_cast<const StoreError*>(&failure)) transient = of_store->transient();
  error = failure.message();
}

std::string TracingStore::Line::text(std::string_view store, Time began, std::chrono::nanoseconds took) const {
  JsonWriter to;
  to.begin_object();
  // The names of local stores may be any bytes, and messages may quote them.
  to.member("time", format_time(began)).member("pid", static_cast<std::int64_t>(::getpid()));
  to.member("store", terminal_safe(store)).member("operation", operation);
  if (keys.empty()) {
    to.member("key", terminal_safe(key));
  } else {
    to.key("keys").begin_array();
    for (const auto& each : keys) to.value(terminal_safe(each));
    to.end_array();
  }
  if (!after.empty()) to.member("after", terminal_safe(after));
  if (range) to.member("offset", as_number(range->offset)).member("length", as_number(range->length));
  if (create_only) to.member("create_only", true);
  if (bytes) to.member("bytes", *bytes);
  if (objects) to.member("objects", *objects);
  if (kept) to.member("kept", *kept);
  to.member("ms", static_cast<double>(std::chrono::round<std::chrono::microseconds>(took).count()) / 1000.0);
  to.member("outcome", outcome);
  const Exchange& exchange = this_exchange();
  if (exchange.requests != 0) to.member("requests", exchange.requests);
  if (exchange.status != 0) to.member("status", exchange.status);
  to.member("try", exchange.attempt);
  if (transient) to.member("transient", *transient);
  if (!error.empty()) to.member("error", terminal_safe(error));
  to.end_object();
  return std::move(to).text();
}

TracingStore::TracingStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<Trace> trace)
    : ForwardingStore(std::move(store)), m_trace(std::move(trace)) {}

template <class F>
auto TracingStore::traced(Line line, F&& work) -> decltype(work(line)) {
  const ExchangeScope scope;
  this_exchange().requests = 0;
  this_exchange().status = 0;
  const Time began = std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
  const auto started = std::chrono::steady_clock::now();
  const auto write = [&] {
    const auto took = std::chrono::steady_clock::now() - started;
    m_trace->add([&] { return line.text(inner().describe(), began, took); });
  };
  try {
    auto result = work(line);
    write();
    return result;
  } catch (const Error& error) {
    line.fail(error);
    write();
    throw;
  } catch (...) {
    // The visitor of a listing wants no more of it.
    line.outcome = "stopped";
    write();
    throw;
  }
}

bool TracingStore::probe_create_only() {
  return traced({.operation = "probe"}, [&](Line& line) {
    const bool honoured = inner().probe_create_only();
    line.create_only = honoured;
    return honoured;
  });
}

PutOutcome TracingStore::put(const std::string& key, const ObjectBody& body, PutMode mode) {
  Line line{.operation = "put", .key = key};
  line.create_only = mode == PutMode::create_only;
  line.bytes = body.size;
  return traced(std::move(line), [&](Line& done) {
    const PutOutcome outcome = inner().put(key, body, mode);
    done.outcome = outcome == PutOutcome::exists ? "exists" : "stored";
    return outcome;
  });
}

std::optional<Bytes> TracingStore::get(const std::string& key, std::optional<ByteRange> range) {
  return traced({.operation = "get", .key = key, .range = range}, [&](Line& line) {
    auto bytes = inner().get(key, range);
    line.outcome = bytes ? "found" : "absent";
    if (bytes) line.bytes = bytes->size();
    return bytes;
  });
}

std::optional<ObjectInfo> TracingStore::head(const std::string& key) {
  return traced({.operation = "head", .key = key}, [&](Line& line) {
    auto info = inner().head(key);
    line.outcome = info ? "found" : "absent";
    if (info) line.bytes = info->size;
    return info;
  });
}

void TracingStore::traced_listing(Line line, const std::function<void(const ObjectInfo&)>& visit,
                                  const std::function<void(const std::function<void(const ObjectInfo&)>&)>& list) {
  line.objects = 0;
  std::exception_ptr of_visitor;
  struct VisitorFailed {};
  try {
    traced(std::move(line), [&](Line& done) {
      list([&](const ObjectInfo& info) {
        ++*done.objects;
        try {
          visit(info);
        } catch (...) {
          // Its own failure is none of the listing.
          of_visitor = std::current_exception();
          throw VisitorFailed{};
        }
      });
      return true;
    });
  } catch (const VisitorFailed&) {
    std::rethrow_exception(of_visitor);
  }
}

void TracingStore::list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) {
  traced_listing({.operation = "list", .key = prefix}, visit, [&](const auto& each) { inner().list(prefix, each); });
}

void TracingStore::list_after(const std::string& prefix, const std::string& after,
                              const std::function<void(const ObjectInfo&)>& visit) {
  traced_listing({.operation = "list", .key = prefix, .after = after}, visit,
                 [&](const auto& each) { inner().list_after(prefix, after, each); });
}

void TracingStore::make_durable(std::span<const std::string> keys) {
  traced({.operation = "make_durable", .keys = keys}, [&](Line&) {
    inner().make_durable(keys);
    return true;
  });
}

std::vector<RemoveFailure> TracingStore::remove(std::span<const std::string> keys) {
  return traced({.operation = "remove", .keys = keys}, [&](Line& line) {
    auto failures = inner().remove(keys);
    line.outcome = failures.empty() ? "removed" : "failed";
    if (!failures.empty()) {
      line.kept = failures.size();
      line.error = failures.front().message;
    }
    return failures;
  });
}

Time TracingStore::now() {
  return traced({.operation = "now"}, [&](Line&) { return inner().now(); });
}

std::size_t TracingStore::sweep_temporaries(std::span<const std::string_view> directories,
                                            std::chrono::nanoseconds age) {
  return traced({.operation = "sweep"}, [&](Line& line) {
    const std::size_t swept = inner().sweep_temporaries(directories, age);
    line.objects = swept;
    return swept;
  });
}

}  // namespace cairn
