// The commands of a simulated machine, each as one run of the program; and what each run promises when it ends.
#pragma once

#include "engine/prune/pinner.hpp"
#include "engine/push/pusher.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "ledger.hpp"
#include "memory_source.hpp"
#include "process.hpp"
#include "world.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn::sim {

// How a run ended.
enum class Ended { well, refused, killed };

struct Tally {
  std::size_t runs = 0;
  std::size_t refused = 0;
  std::size_t killed = 0;
  std::size_t snapshots = 0;
  std::size_t pushed = 0;
  std::size_t prunes = 0;
  std::size_t restores = 0;
  std::size_t verifications = 0;
  std::size_t pins = 0;
};

class Commands {
 public:
  Commands(World& world, Captures& captures, fs::path scratch)
      : m_world(world), m_captures(captures), m_scratch(std::move(scratch)) {}

  std::optional<SnapshotResult> snapshot(Machine& machine, Store& store, const std::string& series,
                                         const TreeState& tree);
  std::optional<PushResult> push(Machine& machine, Store& from, Store& to, PushRequest request = {});
  enum class SetAside {
    no,
    lost,  // manifests that an earlier prune saw and that are gone, nobody knows why: as prune's hint says
  };
  Ended prune(Machine& machine, Store& store, unsigned keep_last, SetAside set_aside = SetAside::no);
  Ended forget(Machine& machine, Store& store);
  Ended undo(Machine& machine, Store& store);
  // Any snapshot that is listed.
  Ended pin(Machine& machine, Store& store, PinAction action);
  Ended restore(Machine& machine, Store& store);
  Ended verify(Machine& machine, Store& store);

  // Everything that the store shows, as a machine that never saw it would get it back: byte for byte what was captured.
  // For the end, when nothing goes wrong any more.
  void check_all(Store& store);
  // After prunes that nothing disturbed: no pack that nothing needs.
  void check_clean(Store& store);

  const Tally& tally() const noexcept { return m_tally; }
  const std::string& last_error() const noexcept { return m_last_error; }

 private:
  template <class F>
  Ended run(const char* what, Machine& machine, Process::Kind kind, F&& body);
  static std::vector<SnapshotInfo> relied_on(Repository& repository, const Store& store);
  void compare(Program& program, const Store& store, const SnapshotInfo& snapshot, Process& process, bool must);

  World& m_world;
  Captures& m_captures;
  fs::path m_scratch;
  Tally m_tally;
  std::string m_last_error;
};

}  // namespace cairn::sim
