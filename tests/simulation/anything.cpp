// Schedules in which anything may happen: see play_anything() and play_attacked().
#include "attacker.hpp"
#include "stage.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::sim {

using namespace std::chrono_literals;
using std::chrono::days;

namespace {

class Anything {
 public:
  enum class Attacked { no, yes };
  Anything(Stage& stage, Attacked attacked)
      : m_stage(stage),
        m_world(stage.world),
        m_random(stage.world.random),
        m_attacked(attacked == Attacked::yes),
        m_attacker(stage) {}

  void play() {
    choose_faults();
    choose_nature(m_stage.near.bucket);
    choose_nature(m_stage.far.bucket);
    m_stage.open_stores();
    if (m_attacked) {
      m_stage.trust_one_key();
      m_world.scheduler.add([this] { m_attacker.attack(10 + m_random.below(30)); });
      // He can have much refused, and nothing believed.
      m_calm = false;
    }
    const bool shared = m_long_runs || m_random.chance(300);
    for (int i = 0; i < 2; ++i) {
      Machine& machine = add_machine(fmt::format("writer-{}", i));
      const std::string series = shared ? "shared" : machine.name;
      const bool pushes = i == 0 || m_random.chance(300);
      m_world.scheduler.add([this, &machine, series, pushes] { write(machine, series, pushes); });
    }
    Machine& keeper = add_machine("keeper");
    m_world.scheduler.add([this, &keeper] { keep(keeper); });
    // Two that prune: correctness must not need the lease. (Whether undo gets along with another prune does.)
    m_lone_keeper = m_random.chance(700);
    if (!m_lone_keeper) {
      Machine& other = add_machine("other-keeper");
      m_world.scheduler.add([this, &other] { keep(other); });
    }
    if (m_random.chance(400)) {
      Machine& reader = add_machine("reader");
      m_world.scheduler.add([this, &reader] { read(reader); });
    }
    m_world.scheduler.run();
    if (!m_world.violation().empty()) return;
    m_stood_still = m_world.faults.standstill + m_world.faults.slow_run != 0;
    m_stage.calm_down();
    m_stage.commands.check_all(m_stage.near);
    m_stage.commands.check_all(m_stage.far);
    if (!m_attacked && m_random.chance(125)) come_to_rest();
  }

 private:
  void choose_faults() {
    if (m_random.chance(250)) return;
    // Long runs beside busy others: what they lean on goes out of use, is marked and deleted while they are under way.
    m_long_runs = m_random.chance(200);
    if (m_long_runs) {
      m_world.faults.slow_run = 500;
      m_calm = false;
      if (m_random.chance(500)) return;
    }
    const auto sometimes = [this](unsigned most) {
      return m_random.chance(500) ? 0U : 1 + static_cast<unsigned>(m_random.below(most));
    };
    Faults& faults = m_world.faults;
    faults.failure = sometimes(150);
    faults.truncated = sometimes(10);
    faults.error_body = sometimes(10);
    faults.cut = sometimes(60);
    faults.death = sometimes(12);
    faults.late = sometimes(30);
    faults.standstill = sometimes(8);
    if (!m_long_runs) faults.slow_run = sometimes(150);
    m_calm = faults.none();
  }

  void choose_nature(Bucket& bucket) {
    BucketNature nature;
    nature.page_size = m_random.chance(250) ? 2 : 1000;
    nature.create_only = m_random.chance(600);
    nature.locked = m_random.chance(60);
    nature.cut_listings = m_world.faults.cut == 0 ? 0 : 1;
    if (!m_calm && m_random.chance(120))
      nature.list_lag = m_random.duration(1min, std::min<Nanoseconds>(6h, m_world.grace / 2));
    if (!m_calm && m_random.chance(120)) {
      const Time begin = World::k_begin + m_random.duration(1h, days{40});
      BucketNature::WrongClock wrong{begin, begin + m_random.duration(1h, days{10}), {}, {}};
      if (m_random.chance(400)) {
        wrong.instead = Time{};
      } else {
        wrong.ahead = -m_random.duration(10s, 30h);
      }
      nature.wrong_clocks.push_back(wrong);
    }
    bucket.set_nature(std::move(nature));
  }

  Machine& add_machine(const std::string& name) {
    Machine& machine = m_stage.add_machine(name, m_random.chance(650) ? Stage::Disk::cache : Stage::Disk::none);
    if (m_random.chance(100)) {
      machine.clock_from = Time{};
    } else if (m_random.chance(220)) {
      const auto off = m_random.duration(1min, 26h);
      machine.clock_ahead = m_random.chance(500) ? off : -off;
    }
    return machine;
  }

  void after(Machine& machine, Ended ended) {
    if (ended == Ended::killed && m_random.chance(300)) Stage::lose_disk(machine);
  }
  unsigned some_nights() {
    static const std::vector<unsigned> mixed{0, 0, 0, 0, 0, 1, 1, 2, 6, 7, 8, 15};
    static const std::vector<unsigned> busy{0, 0, 1, 1, 2, 3};
    return m_random.pick(m_long_runs ? busy : mixed);
  }

  void must_work(const char* what, bool worked) {
    if (m_calm && !worked) {
      m_world.violated(fmt::format("a {} was refused, and nothing was wrong: {}", what, m_stage.commands.last_error()));
    }
  }

  void write(Machine& machine, const std::string& series, bool pushes) {
    LiveTree tree{m_world, machine, 2 + m_random.below(4)};
    for (auto runs = 3 + m_random.below(5); runs != 0; --runs) {
      m_stage.sleep_until_night(some_nights());
      if (m_random.chance(800)) tree.change(m_random);
      const auto taken = m_stage.commands.snapshot(machine, m_stage.near, series, tree.state());
      must_work("snapshot", taken.has_value());
      if (!taken) after(machine, Ended::killed);
      if (pushes && m_random.chance(700)) {
        PushRequest request;
        if (m_random.chance(200)) request.selection = PushRequest::Selection::all;
        const auto pushed = m_stage.commands.push(machine, m_stage.near, m_stage.far, request);
        must_work("push", pushed.has_value());
        if (!pushed) after(machine, Ended::killed);
      }
      if (m_random.chance(150)) after(machine, m_stage.commands.restore(machine, any_store()));
      if (m_random.chance(150)) pin(machine);
    }
  }

  void pin(Machine& machine) {
    after(machine,
          m_stage.commands.pin(machine, any_store(), m_random.chance(700) ? PinAction::pin : PinAction::unpin));
  }

  Store& any_store() { return m_random.chance(500) ? m_stage.near : m_stage.far; }

  void keep(Machine& machine) {
    for (auto runs = 5 + m_random.below(6); runs != 0; --runs) {
      m_stage.sleep_until_night(some_nights());
      Store& store = any_store();
      after(machine, m_stage.commands.prune(machine, store, 1 + static_cast<unsigned>(m_random.below(3))));
      // Once more in the same night: what a run left, or came upon too early, the next one must not take for old.
      while (m_random.chance(400))
        after(machine, m_stage.commands.prune(machine, m_random.chance(700) ? store : any_store(), 1));
      if (m_random.chance(100)) after(machine, m_stage.commands.forget(machine, store));
      if (m_lone_keeper && m_random.chance(120)) after(machine, m_stage.commands.undo(machine, store));
      if (m_random.chance(150)) after(machine, m_stage.commands.verify(machine, store));
      if (m_random.chance(100)) after(machine, m_stage.commands.restore(machine, store));
      if (m_random.chance(100)) pin(machine);
    }
  }

  void read(Machine& machine) {
    for (auto runs = 3 + m_random.below(4); runs != 0; --runs) {
      m_stage.sleep_until_night(some_nights());
      Store& store = any_store();
      if (m_random.chance(200)) {
        after(machine, m_stage.commands.verify(machine, store));
      } else {
        after(machine, m_stage.commands.restore(machine, store));
      }
    }
  }

  // Prunes alone: what nothing needs goes, whatever happened before.
  void come_to_rest() {
    Machine& last = m_stage.add_machine("last", Stage::Disk::none);
    LiveTree tree{m_world, last, 1};
    for (auto* store : {&m_stage.near, &m_stage.far}) {
      if (store->bucket.nature().locked) continue;
      for (int i = 0; i < 6; ++i) {
        m_world.scheduler.pass(days{8});
        m_stage.commands.snapshot(last, *store, "rest", tree.state());
        m_stage.commands.prune(last, *store, 1);
      }
      // A prune that stood still for days within its request to remove a manifest, while another one took it for
      // staying, leaves one behind that nobody removed. Somebody has to say that it is not missed.
      if (m_stood_still) m_stage.commands.prune(last, *store, 1, Commands::SetAside::lost);
      // Its own packs are younger than the grace, else nothing may be left over.
      for (int i = 0; i < 3; ++i) {
        m_world.scheduler.pass(days{8});
        m_stage.commands.prune(last, *store, 1);
      }
      m_stage.commands.check_clean(*store);
      m_stage.commands.check_all(*store);
    }
  }

  Stage& m_stage;
  World& m_world;
  Random& m_random;
  bool m_attacked;
  Attacker m_attacker;
  bool m_calm = true;
  bool m_long_runs = false;
  bool m_lone_keeper = true;
  bool m_stood_still = false;
};

}  // namespace

void play_anything(Stage& stage) {
  Anything{stage, Anything::Attacked::no}.play();
}

void play_attacked(Stage& stage) {
  Anything{stage, Anything::Attacked::yes}.play();
}

}  // namespace cairn::sim
