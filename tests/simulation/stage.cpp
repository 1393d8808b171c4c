#include "stage.hpp"

#include "repo/descriptor.hpp"
#include "repo/repository.hpp"

#include <utility>

#include <system_error>

namespace cairn::sim {

using std::chrono::days;

namespace {
// Of so many schedules of each kind one has sealed stores: cryptography takes most of its time.
constexpr std::uint64_t k_sealed = 64;
// And of those in which anything may happen one has prunes with the shortest grace there is.
constexpr std::uint64_t k_short_grace = 8;
}  // namespace

Stage::Stage(Crew& crew, std::uint64_t seed, Tell tell, fs::path scratch)
    : world(crew, seed, tell == Tell::yes),
      near{Bucket{"near", {}}, Ledger{world, near.bucket}},
      far{Bucket{"far", {}}, Ledger{world, far.bucket}},
      commands(world, captures, scratch),
      m_scratch(std::move(scratch)),
      m_sealed(seed / 16 % k_sealed == 0) {}

Stage::~Stage() {
  std::error_code ignored;
  for (const auto& machine : machines) {
    if (!machine->cache.empty()) fs::remove_all(machine->cache, ignored);
  }
}

Machine& Stage::add_machine(std::string name, Disk disk) {
  auto& machine = *machines.emplace_back(std::make_unique<Machine>());
  machine.name = std::move(name);
  if (disk == Disk::cache) machine.cache = m_scratch / machine.name;
  return machine;
}

void Stage::lose_disk(const Machine& machine) {
  std::error_code ignored;
  if (!machine.cache.empty()) fs::remove_all(machine.cache, ignored);
}

void Stage::open_stores() {
  if (m_sealed) {
    far.owner = age::Identity::generate();
    if (world.random.chance(500)) near.owner = far.owner;
  }
  const auto faults = std::exchange(world.faults, {});
  Machine founder{.name = "founder", .cache = {}, .clock_from = {}};
  for (auto* store : {&near, &far}) {
    auto nature = store->bucket.nature();
    store->bucket.set_nature({.create_only = nature.create_only});
    Process process{world, founder};
    Connection connection{process, store->bucket, store->ledger};
    Descriptor descriptor;
    descriptor.store_id = random_name(16);
    descriptor.created = world.scheduler.now();
    descriptor.create_only = nature.create_only;
    if (store->owner) {
      descriptor.encryption = k_encryption_age;
      descriptor.recipients = {store->owner->recipient().text()};
    }
    init_store(connection, descriptor);
    store->bucket.set_nature(std::move(nature));
  }
  // Listings that lag show the stores all the same.
  world.scheduler.pass(days{1});
  world.faults = faults;
}

void Stage::trust_one_key() {
  near.author = far.author = std::make_shared<const minisign::SecretKey>(minisign::SecretKey::generate());
}

void Stage::calm_down() {
  world.faults = {};
  for (auto* store : {&near, &far}) {
    store->bucket.set_nature(
        {.create_only = store->bucket.nature().create_only, .locked = store->bucket.nature().locked});
    // Puts that are still on their way arrive.
    const auto last = store->bucket.last_late();
    if (last && *last > world.scheduler.now()) world.scheduler.pass(*last - world.scheduler.now());
  }
}

void Stage::sleep_until_night(unsigned nights) {
  const Time now = world.scheduler.now();
  const Time night = std::chrono::ceil<days>(now) + days{nights};
  // Jobs begin together, as cron's do: so they meet.
  const Nanoseconds late = world.random.duration(
      std::chrono::milliseconds{100},
      world.random.chance(700) ? Nanoseconds{std::chrono::seconds{10}} : Nanoseconds{std::chrono::hours{6}});
  world.scheduler.pass(night - now + late);
}

Verdict Stage::verdict() const {
  Verdict verdict;
  verdict.violation = world.violation();
  verdict.digest = world.digest();
  verdict.trace = world.trace();
  verdict.tally = commands.tally();
  verdict.steps = world.steps();
  for (const auto* store : {&near, &far}) {
    verdict.packs_put += store->ledger.packs_put();
    verdict.packs_removed += store->ledger.packs_removed();
    verdict.manifests_put += store->ledger.manifests_put();
    verdict.manifests_removed += store->ledger.manifests_removed();
  }
  return verdict;
}

Verdict play(Crew& crew, std::uint64_t seed, Tell tell, const fs::path& scratch) {
  Stage stage{crew, seed, tell, scratch};
  switch (seed % 16) {
    case 1:
      play_adoption(stage);
      break;
    case 2:
      play_long_push(stage);
      break;
    case 3:
      play_return(stage);
      break;
    case 4:
      play_short_listing(stage);
      break;
    case 5:
      play_long_lean(stage);
      break;
    case 6:
      play_pins(stage);
      break;
    case 7:
      play_attacked(stage);
      break;
    default:
      if (seed / 16 % k_short_grace == 5) stage.world.grace = k_shortest_shared_grace;
      play_anything(stage);
  }
  return stage.verdict();
}

}  // namespace cairn::sim
