#include "process.hpp"

#include "repo/layout.hpp"

#include <utility>

#include <fmt/format.h>

namespace cairn::sim {

using namespace std::chrono_literals;
using std::chrono::days;
using Transient = StoreError::Transient;

namespace {

// Past this, a writer's knowledge of the marks is too old for the PUT of its manifest: half of the grace, less what its
// last calls take.
Nanoseconds vouched_for(const World& world) {
  return world.grace * 3 / 7;
}
// A PUT that takes effect later than this after its last byte was sent is not to be expected of any server.
Nanoseconds latest(const World& world) {
  return world.grace * 6 / 7;
}

StoreError some_failure(Random& random, const char* verb, const std::string& what) {
  const auto failed = [&](const char* cause, Transient transient = Transient::yes) {
    return StoreError(ErrorKind::failed, transient, fmt::format("unable to {} {}: {}", verb, what, cause));
  };
  switch (random.below(5)) {
    case 0:
      return failed("500 InternalError");
    case 1: {
      auto error = failed("503 SlowDown");
      error.set_retry_after(random.duration(1s, 2min));
      return error;
    }
    case 2:
      return failed("429 TooManyRequests");
    case 3:
      return failed("connection reset by peer");
    default:
      return failed("connection refused", Transient::unreachable);
  }
}

}  // namespace

Process::Process(World& world, Machine& machine, Kind kind)
    : m_world(world), m_machine(machine), m_kind(kind), m_number(++world.processes), m_began(world.scheduler.now()) {
  if (world.random.chance(world.faults.slow_run)) m_transfer = world.random.duration(10min, days{6});
}

void Process::travel(const std::string& what) {
  if (m_dead) throw Killed{};
  Random& random = m_world.random;
  Nanoseconds time = random.duration(25ms, 200ms);
  if (random.chance(m_world.faults.standstill)) {
    time = random.duration(1h, days{16});
    if (random.chance(500)) m_machine.slept += time;
  }
  m_world.note(fmt::format("{} {}", m_machine.name, what));
  m_world.scheduler.pass(time);
  if (random.chance(m_world.faults.death)) die("killed");
}

void Process::meet_fate(Fate::At at, const char* verb, const std::string& what) {
  auto& fate = m_machine.fate;
  if (!fate || fate->at != at || fate->verb != verb || !what.starts_with(fate->prefix)) return;
  const auto stall = std::exchange(fate, std::nullopt)->stall;
  if (!stall) die("killed");
  sleep(*stall);
}

void Process::die(const char* when) {
  m_dead = true;
  m_world.note(fmt::format("{} {}", m_machine.name, when));
  throw Killed{};
}

void Process::sleep(Nanoseconds time) {
  if (m_dead) throw Killed{};
  m_world.scheduler.pass(time);
}

void Process::transfer() {
  if (m_transfer != Nanoseconds::zero()) sleep(m_world.random.duration(m_transfer / 8, m_transfer));
}

void Connection::request(const char* verb, const std::string& what) {
  m_process.travel(fmt::format("{} {}:{}", verb, m_bucket.name(), what));
  m_process.meet_fate(Fate::At::sent, verb, what);
  if (random().chance(m_faults.failure)) throw some_failure(random(), verb, what);
  if (random().chance(m_faults.broken)) {
    throw StoreError(ErrorKind::failed, Transient::no, fmt::format("unable to {} {}: 403 AccessDenied", verb, what));
  }
  settle();
}

void Connection::settle() {
  while (auto late = m_bucket.take_late(world_now())) {
    const bool refused =
        m_bucket.nature().locked && late->mode == PutMode::replace && m_bucket.find(late->key) != nullptr;
    if (!refused) take_effect(std::move(*late));
  }
}

PutOutcome Connection::take_effect(Bucket::LatePut put) {
  if (m_bucket.put(put.key, put.bytes, put.mode, put.at) == PutOutcome::exists) return PutOutcome::exists;
  m_process.world().note(fmt::format("stored {}:{}", m_bucket.name(), put.key));
  const bool vouched = put.marks_listed && put.at - *put.marks_listed < vouched_for(m_process.world());
  m_ledger.put(put.key, *put.bytes, vouched, put.run);
  return PutOutcome::stored;
}

void Connection::answer(const char* verb, const std::string& what) {
  m_process.meet_fate(Fate::At::answered, verb, what);
  m_process.travel("...");
  if (random().chance(m_faults.failure)) throw some_failure(random(), verb, what);
}

PutOutcome Connection::put(const std::string& key, const ObjectBody& body, PutMode mode) {
  auto bytes =
      std::make_shared<const Bytes>(body.file ? read_file(*body.file) : Bytes(body.memory.begin(), body.memory.end()));
  request("put", key);
  if (key.starts_with(layout::k_packs)) {
    m_process.transfer();
    m_process.sleep(m_process.machine().slow_puts);
  }
  if (body.sha256 && *body.sha256 != sha256(*bytes)) {
    throw StoreError(ErrorKind::damaged, Transient::no, fmt::format("unable to put {}: its checksum is wrong", key));
  }
  // Transfers take days, perhaps.
  settle();
  if (m_bucket.nature().locked && mode == PutMode::replace && m_bucket.find(key) != nullptr) {
    throw StoreError(ErrorKind::failed, Transient::no, fmt::format("unable to put {}: 403 AccessDenied", key));
  }
  const auto marks_listed = m_process.kind() == Process::Kind::undo ? std::nullopt : m_marks_listed;
  Bucket::LatePut put{world_now(), key, std::move(bytes), mode, marks_listed, m_process.number()};
  if (random().chance(m_faults.late)) {
    put.at += random().duration(1s, latest(m_process.world()));
    m_bucket.delay(std::move(put));
    answer("put", key);
    throw StoreError(ErrorKind::failed, Transient::yes, fmt::format("unable to put {}: timed out", key));
  }
  const auto outcome = take_effect(std::move(put));
  answer("put", key);
  return outcome;
}

std::optional<Bytes> Connection::get(const std::string& key, std::optional<ByteRange> range) {
  request("get", key);
  if (key.starts_with(layout::k_packs)) m_process.transfer();
  const auto* object = m_bucket.find(key);
  if (object == nullptr) {
    answer("get", key);
    return std::nullopt;
  }
  ByteView part{*object->bytes};
  if (range) {
    part = part.subspan(std::min<std::uint64_t>(range->offset, part.size()));
    part = part.first(std::min<std::uint64_t>(range->length, part.size()));
  }
  Bytes bytes(part.begin(), part.end());
  answer("get", key);
  if (random().chance(m_faults.truncated)) {
    bytes.resize(static_cast<std::size_t>(random().fraction() * static_cast<double>(bytes.size())));
    m_process.deceive();
  }
  if (random().chance(m_faults.error_body)) {
    const auto error = as_bytes("<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>");
    bytes.assign(error.begin(), error.end());
    m_process.deceive();
  }
  return bytes;
}

std::optional<ObjectInfo> Connection::head(const std::string& key) {
  request("head", key);
  std::optional<ObjectInfo> info;
  if (const auto* object = m_bucket.find(key)) info = ObjectInfo{key, object->bytes->size(), object->modified};
  answer("head", key);
  return info;
}

void Connection::list_after(const std::string& prefix, const std::string& after,
                            const std::function<void(const ObjectInfo&)>& visit) {
  std::string last = after;
  if (m_bucket.nature().list_lag != Nanoseconds::zero()) m_process.deceive();
  for (bool more = true; more;) {
    request("list", prefix);
    if (prefix == layout::k_marks && last.empty()) m_marks_listed = world_now();
    if (prefix == layout::k_pins && last.empty()) m_pins_listed = world_now();
    const auto page = m_bucket.page(prefix, last, world_now());
    answer("list", prefix);
    auto count = page.objects.size();
    more = page.more;
    if (count != 0 && m_bucket.take_cut(random(), prefix, m_faults.cut)) {
      m_process.world().note(fmt::format("the listing of {} ends early", prefix));
      m_process.deceive();
      count = random().chance(500) ? count - 1 : random().below(count);
      more = false;
    }
    for (std::size_t i = 0; i < count; ++i) {
      visit(page.objects[i]);
      last = page.objects[i].key;
    }
  }
}

std::vector<RemoveFailure> Connection::remove(std::span<const std::string> keys) {
  // Each for itself: what a batch did before it broke off is not known.
  std::vector<RemoveFailure> failures;
  for (const auto& key : keys) {
    request("remove", key);
    if (m_bucket.nature().locked) {
      failures.push_back({key, "403 AccessDenied: object is WORM protected"});
    } else {
      m_ledger.remove(key, m_pins_listed);
      m_bucket.remove(key, world_now());
      m_process.world().note(fmt::format("removed {}:{}", m_bucket.name(), key));
    }
    answer("remove", key);
  }
  return failures;
}

Time Connection::now() {
  request("ask for the time of", m_bucket.name());
  const Time time = m_bucket.clock(world_now());
  answer("ask for the time of", m_bucket.name());
  return time;
}

namespace {

RetryTools tools_of(Process& process) {
  return {
      [&process] {
        const auto& world = process.world();
        return std::chrono::steady_clock::time_point{world.scheduler.now() - World::k_begin - process.machine().slept};
      },
      [&process](Nanoseconds time) { process.sleep(time); }, [&process] { return process.world().random.fraction(); }};
}

RepositoryOptions options_of(Machine& machine, const Store& store, Program::Keys keys) {
  RepositoryOptions options;
  options.cache_root = machine.cache;
  if (store.author) {
    options.trust.trusted = {{store.author->public_key().text(), "*"}};
    options.signing_key = [&store] { return store.author; };
    if (!machine.cache.empty()) {
      options.own_packs = [&machine](const std::string& id) { return machine.cache / "state" / id; };
    }
  }
  if (!store.owner) return options;
  if (!machine.own_key) machine.own_key = age::Identity::generate();
  options.keys =
      std::make_shared<const Keyring>(std::vector{store.owner->recipient()}, machine.own_key, [&store, keys] {
        return keys == Program::Keys::owners ? std::vector{*store.owner} : std::vector<age::Identity>{};
      });
  return options;
}

}  // namespace

Program::Program(Process& process, Store& store, Keys keys)
    : m_store(std::make_unique<Connection>(process, store.bucket, store.ledger), RetryPolicy{}, m_reporter,
              tools_of(process)),
      m_repository(m_store, m_reporter, options_of(process.machine(), store, keys)),
      m_context{.repository = m_repository,
                .cpu = m_no_threads,
                .io = m_no_threads,
                .put = m_no_threads,
                .reporter = m_reporter,
                .host = process.machine().name,
                .clock = [&process] { return process.world().clock_of(process.machine()); },
                .steady = tools_of(process).now} {}

}  // namespace cairn::sim
