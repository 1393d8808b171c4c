// A program that runs on a simulated machine, and its way to the stores: every call is a point at which others may run,
// the machine may stand still, the program may be killed, and the answer may be lost.
#pragma once

#include "bucket.hpp"
#include "codec/minisign.hpp"
#include "engine/context.hpp"
#include "ledger.hpp"
#include "random.hpp"
#include "scheduler.hpp"
#include "store/object_store.hpp"
#include "store/retrying_store.hpp"
#include "world.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cairn::sim {

// One run of the program. Its methods throw Killed.
class Process {
 public:
  enum class Kind { other, undo };
  Process(World& world, Machine& machine, Kind kind = Kind::other);

  World& world() noexcept { return m_world; }
  Machine& machine() noexcept { return m_machine; }
  Kind kind() const noexcept { return m_kind; }
  std::size_t number() const noexcept { return m_number; }

  // A call to a store begins, or its answer arrives.
  void travel(const std::string& what);
  // Does what the machine's fate has in store for this moment.
  void meet_fate(Fate::At at, const char* verb, const std::string& what);
  [[noreturn]] void die(const char* when);
  void sleep(Nanoseconds time);
  // The bytes of a pack are on their way: long, in a slow run.
  void transfer();
  // This run was told something that is not so; then what it says in the end may be wrong, too.
  void deceive() noexcept { m_deceived = true; }
  bool deceived() const noexcept { return m_deceived; }
  Nanoseconds age() const noexcept { return m_world.scheduler.now() - m_began; }

 private:
  World& m_world;
  Machine& m_machine;
  Kind m_kind;
  std::size_t m_number;
  Time m_began;
  bool m_dead = false;
  bool m_deceived = false;
  Nanoseconds m_transfer{};  // of one pack, about
};

// One program's connection to one store. Faults are below: RetryingStore is to stand above it, as in the program.
class Connection : public ObjectStore {
 public:
  Connection(Process& process, Bucket& bucket, Ledger& ledger)
      : m_process(process), m_bucket(bucket), m_ledger(ledger), m_faults(process.world().faults) {}

  std::string describe() const override { return "sim:" + m_bucket.name(); }
  Capabilities capabilities() override { return {.create_only = m_bucket.nature().create_only}; }
  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    list_after(prefix, {}, visit);
  }
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  Time now() override;

 private:
  void request(const char* verb, const std::string& what);
  // The effect of a put on the store.
  PutOutcome take_effect(Bucket::LatePut put);
  // Lets puts take effect that were still on their way to the servers, and have arrived.
  void settle();
  void answer(const char* verb, const std::string& what);
  Random& random() noexcept { return m_process.world().random; }
  Time world_now() const noexcept { return m_process.world().scheduler.now(); }

  Process& m_process;
  Bucket& m_bucket;
  Ledger& m_ledger;
  const Faults& m_faults;
  std::optional<Time> m_marks_listed;  // the world's time; see Ledger::put()
  std::optional<Time> m_pins_listed;   // likewise; see Ledger::remove()
};

// A store, and what it must be like.
struct Store {
  Bucket bucket;
  Ledger ledger;
  std::optional<age::Identity> owner{};  // to whom it is sealed; nothing: it is not
  // Whose key all who use it have, and trust; null: nothing is signed.
  std::shared_ptr<const minisign::SecretKey> author{};
};

// The program as a command has it when it is carried out: the store with retries above it, the repository, the context.
class Program {
 public:
  enum class Keys { own, owners };  // in a sealed store: the machine's own, which opens no data; the owner's besides
  Program(Process& process, Store& store, Keys keys = Keys::own);
  Context& context() noexcept { return m_context; }
  Repository& repository() noexcept { return m_repository; }

 private:
  SilentReporter m_reporter;
  ThreadPool m_no_threads{0};
  RetryingStore m_store;
  Repository m_repository;
  Context m_context;
};

}  // namespace cairn::sim
