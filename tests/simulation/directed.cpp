// Schedules that lead to one thing: see stage.hpp. play_anything() is another matter.
#include "repo/layout.hpp"
#include "stage.hpp"

#include <fmt/format.h>

namespace cairn::sim {

using namespace std::chrono_literals;
using std::chrono::days;

namespace {

// A snapshot that needs many packs: each one before it stored a few.
void build_up(Stage& stage, Machine& machine, int snapshots) {
  LiveTree tree{stage.world, machine, static_cast<std::size_t>(snapshots)};
  for (int i = 0; i < snapshots; ++i) {
    stage.world.scheduler.pass(1h);
    tree.rewrite(fmt::format("file-{}", i), stage.world.random.next());
    if (!stage.commands.snapshot(machine, stage.near, "series", tree.state())) {
      stage.world.violated("a snapshot was refused, and nothing was wrong: " + stage.commands.last_error());
    }
  }
}

PushRequest newest_of(Stage& stage, Machine& machine) {
  Process process{stage.world, machine};
  Program program{process, stage.near};
  PushRequest request;
  request.selection = PushRequest::Selection::named;
  request.snapshots = {program.repository().manifests().list_snapshots("series").back().id};
  return request;
}

void pass_until(World& world, Time time) {
  if (time > world.scheduler.now()) world.scheduler.pass(time - world.scheduler.now());
}

std::size_t packs_needed(Stage& stage, Machine& machine) {
  Process process{stage.world, machine};
  Program program{process, stage.near};
  return program.repository()
      .manifests()
      .load(program.repository().manifests().list_snapshots("series").back().object)
      .packs.size();
}

}  // namespace

void play_adoption(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  stage.open_stores();
  Machine& machine = stage.add_machine("writer", Stage::Disk::cache);
  build_up(stage, machine, 3 + static_cast<int>(random.below(4)));
  const auto request = newest_of(stage, machine);
  const std::size_t needed = packs_needed(stage, machine);
  world.scheduler.add([&] {
    // Killed at any of its calls, again and again, with days in between and the journal on disk; or cut off from the
    // store, and the disk lost: then the record that it left in the store on its way out is what the next one finds.
    const bool killed = random.chance(600);
    for (int attempt = 0; attempt < 3; ++attempt) {
      (killed ? world.faults.death : world.faults.broken) = 20;
      stage.commands.push(machine, stage.near, stage.far, request);
      world.faults = {};
      world.scheduler.pass(random.duration(1min, days{2}));
      if (random.chance(500)) stage.commands.prune(machine, stage.far, 1);
    }
    if (!stage.commands.push(machine, stage.near, stage.far, request)) {
      world.violated("a push was refused, and nothing was wrong: " + stage.commands.last_error());
    }
  });
  world.scheduler.run();
  if (!world.violation().empty()) return;
  if (stage.far.ledger.packs_put() != needed) {
    world.violated(fmt::format("{} packs were put for a snapshot of {}", stage.far.ledger.packs_put(), needed));
  }
  stage.commands.check_all(stage.far);
}

void play_return(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  stage.open_stores();
  Machine& machine = stage.add_machine("writer", Stage::Disk::cache);
  Machine& keeper = stage.add_machine("keeper", Stage::Disk::none);
  build_up(stage, machine, 3);
  const auto request = newest_of(stage, machine);
  // The night in which prunes delete what the killed push left, and the mark on it, which has outlived all it names.
  // Half of the time the writer is back on the eve, or just before, and stands still until that is over, after the one
  // or the other listing: for days, or no longer than it may rely on what it listed.
  const bool meet = random.chance(500);
  const Time marked = std::chrono::ceil<days>(world.scheduler.now()) + days{8 + random.below(3)};
  const Time deleted = marked + days{15 + random.below(5)};
  world.scheduler.add([&] {
    world.faults.death = 40;
    const bool pushed = stage.commands.push(machine, stage.near, stage.far, request).has_value();
    world.faults = {};
    if (pushed) return;
    if (random.chance(250)) Stage::lose_disk(machine);
    if (meet) {
      const bool soon = random.chance(700);
      pass_until(world, deleted - (soon ? random.duration(1min, 20min) : random.duration(1h, 20h)));
      const auto stall = soon ? random.duration(22min, 38min) : random.duration(days{1}, days{6});
      machine.fate = {Fate::At::answered, "list", random.chance(700) ? layout::k_packs : layout::k_marks, stall};
    } else {
      stage.sleep_until_night(14 + static_cast<unsigned>(random.below(30)));
      world.faults.standstill = 60;
    }
    stage.commands.push(machine, stage.near, stage.far, request);
    world.faults = {};
    machine.fate.reset();
    stage.commands.push(machine, stage.near, stage.far, request);
  });
  world.scheduler.add([&] {
    LiveTree tree{world, keeper, 1};
    const auto keep = [&](int prunes) {
      stage.commands.snapshot(keeper, stage.far, "other", tree.state());
      for (int runs = 0; runs < prunes; ++runs) stage.commands.prune(keeper, stage.far, 1);
    };
    if (meet) {
      pass_until(world, marked);
      keep(1);
      pass_until(world, deleted);
      keep(2);
    }
    for (int i = meet ? 3 : 0; i < 6; ++i) {
      // So rarely that a mark has outlived all it names when its packs go.
      stage.sleep_until_night(static_cast<unsigned>(random.below(18)));
      keep(2);
    }
  });
  world.scheduler.run();
  stage.calm_down();
  if (world.violation().empty()) stage.commands.check_all(stage.far);
}

void play_long_lean(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  stage.open_stores();
  Machine& machine = stage.add_machine("writer", random.chance(500) ? Stage::Disk::cache : Stage::Disk::none);
  Machine& other = stage.add_machine("other", Stage::Disk::none);
  LiveTree tree{world, machine, 4};
  stage.commands.snapshot(machine, stage.near, "series", tree.state());
  world.scheduler.pass(days{8});
  // Or it stands still in its commit, for days or no longer than the protocol allows; and two prunes meet it.
  const bool meet = random.chance(500);
  const Time eve = world.scheduler.now() + days{3};
  world.scheduler.add([&] {
    tree.rewrite("file-0", random.next());
    if (meet) {
      pass_until(world, eve);
      const auto stall = random.chance(500) ? random.duration(5min, 14min) : random.duration(days{8}, days{16});
      machine.fate = {Fate::At::sent, "put", layout::k_snapshots, stall};
    } else {
      machine.slow_puts = random.duration(days{2}, days{8});
    }
    stage.commands.snapshot(machine, stage.near, "series", tree.state());
    machine.slow_puts = {};
    machine.fate.reset();
    stage.commands.snapshot(machine, stage.near, "series", tree.state());
  });
  world.scheduler.add([&] {
    LiveTree another{world, other, 4};
    pass_until(world, meet ? eve + random.duration(10s, 2min) : world.scheduler.now() + random.duration(1h, days{2}));
    stage.commands.snapshot(other, stage.near, "series", another.state());
    for (int i = 0; meet && i < 2; ++i) stage.commands.prune(other, stage.near, 1);
    for (int i = 0; i < 14; ++i) {
      stage.sleep_until_night(0);
      stage.commands.prune(other, stage.near, 1);
    }
  });
  world.scheduler.run();
  stage.calm_down();
  if (world.violation().empty()) stage.commands.check_all(stage.near);
}

void play_short_listing(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  BucketNature nature;
  nature.page_size = random.chance(500) ? 2 : 1000;
  stage.near.bucket.set_nature(nature);
  stage.open_stores();
  Machine& machine = stage.add_machine("writer", Stage::Disk::none);
  LiveTree tree{world, machine, 3};
  world.scheduler.add([&] {
    for (auto rounds = 2 + random.below(3); rounds != 0; --rounds) {
      for (auto snapshots = 1 + random.below(3); snapshots != 0; --snapshots) {
        tree.change(random);
        stage.commands.snapshot(machine, stage.near, random.chance(700) ? "series" : "other", tree.state());
      }
      world.scheduler.pass(random.duration(days{1}, days{16}));
      // Killed anywhere; or when it said what it removes, and has not done it.
      if (random.chance(400)) {
        machine.fate = {Fate::At::answered, "put", layout::k_marks, std::nullopt};
      } else if (random.chance(700)) {
        world.faults.death = 20;
      }
      if (random.chance(500)) {
        stage.commands.prune(machine, stage.near, 1);
      } else {
        stage.commands.forget(machine, stage.near);
      }
      world.faults = {};
      machine.fate.reset();
      world.scheduler.pass(random.duration(1h, days{16}));
      if (random.chance(500)) stage.commands.prune(machine, stage.near, 1);
    }
    // Two prunes in turn, a grace between them: what the one marked for want of a part, the other one deletes.
    for (int prunes = 0; prunes < 2; ++prunes) {
      world.scheduler.pass(days{8});
      nature.cut_listings = 1;
      // Of what else is listed nothing is lost for want of a part.
      nature.cut_prefix = layout::k_snapshots;
      stage.near.bucket.set_nature(nature);
      world.faults.cut = 900;
      stage.commands.prune(machine, stage.near, 1);
      world.faults = {};
    }
  });
  world.scheduler.run();
  stage.calm_down();
  if (world.violation().empty()) stage.commands.check_all(stage.near);
}

void play_pins(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  BucketNature nature;
  nature.page_size = random.chance(500) ? 2 : 1000;
  nature.create_only = random.chance(500);
  if (random.chance(300)) {
    const Time begin = World::k_begin + random.duration(1h, days{20});
    nature.wrong_clocks.push_back({begin, begin + random.duration(1h, days{3}), -random.duration(10s, 30h), {}});
  }
  stage.near.bucket.set_nature(nature);
  stage.open_stores();
  Machine& keeper = stage.add_machine("keeper", Stage::Disk::none);
  Machine& writer = stage.add_machine("writer", Stage::Disk::none);
  Machine& desk = stage.add_machine("desk", Stage::Disk::none);
  world.faults.late = random.chance(300) ? 100 : 0;
  bool done = false;
  world.scheduler.add([&] {
    LiveTree tree{world, writer, 2};
    while (!done) {
      stage.sleep_until_night(static_cast<unsigned>(random.below(3)));
      tree.change(random);
      stage.commands.snapshot(writer, stage.near, "series", tree.state());
      stage.commands.pin(writer, stage.near, random.chance(700) ? PinAction::pin : PinAction::unpin);
    }
  });
  // Somebody sets pins while the keeper prunes.
  bool pruning = false;
  world.scheduler.add([&] {
    while (!done) {
      world.scheduler.pass(pruning ? random.duration(100ms, 2s) : Nanoseconds{500ms});
      if (pruning) stage.commands.pin(desk, stage.near, random.chance(900) ? PinAction::pin : PinAction::unpin);
    }
  });
  world.scheduler.add([&] {
    for (auto runs = 3 + random.below(4); runs != 0; --runs) {
      stage.sleep_until_night(static_cast<unsigned>(random.below(4)));
      pruning = true;
      stage.commands.prune(keeper, stage.near, 1);
      pruning = false;
      if (random.chance(300)) stage.commands.forget(keeper, stage.near);
    }
    world.scheduler.pass(days{1});
    nature.cut_listings = 1;
    nature.cut_prefix = layout::k_pins;
    stage.near.bucket.set_nature(nature);
    world.faults.cut = 700;
    stage.commands.prune(keeper, stage.near, 1);
    world.faults.cut = 0;
    done = true;
  });
  world.scheduler.run();
  stage.calm_down();
  if (world.violation().empty()) stage.commands.check_all(stage.near);
}

void play_long_push(Stage& stage) {
  World& world = stage.world;
  Random& random = world.random;
  stage.open_stores();
  Machine& machine = stage.add_machine("writer", random.chance(500) ? Stage::Disk::cache : Stage::Disk::none);
  Machine& keeper = stage.add_machine("keeper", Stage::Disk::none);
  build_up(stage, machine, 5 + static_cast<int>(random.below(3)));
  // A prune of a store without any manifest refuses to work.
  LiveTree other{world, keeper, 1};
  stage.commands.snapshot(keeper, stage.far, "other", other.state());
  const auto before = stage.far.ledger.packs_put();
  const auto request = newest_of(stage, machine);
  const std::size_t needed = packs_needed(stage, machine);
  bool done = false;
  world.scheduler.add([&] {
    if (random.chance(700)) {
      // Four days in the mean, more than the grace at the most.
      machine.slow_puts = random.duration(days{2}, days{12}) / static_cast<int>(needed);
    } else {
      // A prune meets it before there is any record of what it stored.
      pass_until(world, std::chrono::ceil<days>(world.scheduler.now()) - random.duration(1min, 5min));
      machine.slow_puts = random.duration(1min, 3min);
    }
    const bool pushed = stage.commands.push(machine, stage.near, stage.far, request).has_value();
    done = true;
    if (!pushed) world.violated("a long push was refused, and nothing was wrong: " + stage.commands.last_error());
  });
  world.scheduler.add([&] {
    while (!done) {
      stage.sleep_until_night(0);
      if (stage.commands.prune(keeper, stage.far, 1) != Ended::well) {
        world.violated("a prune was refused, and nothing was wrong: " + stage.commands.last_error());
      }
    }
  });
  world.scheduler.run();
  machine.slow_puts = {};
  if (!world.violation().empty()) return;
  const auto put = stage.far.ledger.packs_put() - before;
  if (put != needed) world.violated(fmt::format("{} packs were put for a snapshot of {}", put, needed));
  stage.commands.check_all(stage.far);
}

}  // namespace cairn::sim
