// The basis of all kinds of schedules: two stores, machines, their commands.
#pragma once

#include "commands.hpp"
#include "schedule.hpp"

#include <array>
#include <vector>

namespace cairn::sim {

class Stage {
 public:
  Stage(Crew& crew, std::uint64_t seed, Tell tell, fs::path scratch);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  World world;
  Captures captures;
  Store near;
  Store far;
  Commands commands;
  std::vector<std::unique_ptr<Machine>> machines;

  enum class Disk { none, cache };
  Machine& add_machine(std::string name, Disk disk);
  static void lose_disk(const Machine& machine);
  // Makes the stores' descriptors. After their natures are set.
  void open_stores();
  // From now on what is stored is signed, and nothing else trusted.
  void trust_one_key();
  // Nothing goes wrong from now on.
  void calm_down();
  Verdict verdict() const;

  // Until the next midnight but `days`, and a moment that differs.
  void sleep_until_night(unsigned days);

 private:
  fs::path m_scratch;
  bool m_sealed;
};

// The kinds of schedules. Each plays to its end; what is wrong is in the world's violation.
//
// Anything at any time: only safety, and that nothing is refused where nothing is wrong.
void play_anything(Stage& stage);
// The same, with snapshots that are signed by a key that all trust, and with somebody who may put objects in the
// stores, and has no key: whatever he puts, each snapshot that is there restores.
void play_attacked(Stage& stage);
// Work that was cut off is taken up again: what had been stored is stored once.
void play_adoption(Stage& stage);
// A host that was away for weeks finds the journal of a push that was killed, and stands still while prunes go on.
void play_return(Stage& stage);
// A snapshot, or its commit, takes long, and what it leans on goes out of use meanwhile.
void play_long_lean(Stage& stage);
// Prunes that are killed anywhere, and one that is shown too little: what is still there stays whole.
void play_short_listing(Stage& stage);
// Pins that come and go beside prunes, and one prune that is shown too few of them.
void play_pins(Stage& stage);
// A first push that takes days, longer than the grace perhaps, beside daily prunes: it commits, and stores all once.
void play_long_push(Stage& stage);

}  // namespace cairn::sim
