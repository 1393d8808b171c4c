// The memory of a target that is kept at the newest snapshot (engine/restore/target_memory.hpp), in this host's state.
#pragma once

#include "engine/follow/standby_state.hpp"
#include "engine/restore/target_memory.hpp"
#include "util/spool_file.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// FILE has the state of what is in place. While another snapshot takes its place FILE.next has the id of that one: from
// then on until FILE is written each name at the target is as the one or the other has it, whatever ends this process.
// One thread.
class StandbyMemory : public TargetMemory {
 public:
  // Takes names that are to be changed or removed, and that this host did not leave as they are; throws where they are
  // not to be.
  using CheckTouched = std::function<void(std::set<std::string> names, const RestoreTarget& target)>;

  StandbyMemory(fs::path file, fs::path spool);

  // The snapshot that is in place, as far as that is known; nothing while another one takes its place.
  std::optional<Digest> in_place() const;
  // The snapshots that names at the target may be of; all of them where there is a state.
  std::vector<Digest> possible() const;
  bool has_state() const noexcept { return m_state.has_value(); }

  // Before each restore. check: empty: everything may be changed.
  void begin(const Digest& snapshot, CheckTouched check);

  std::optional<KnownFile> replaced() override;
  void begin_plan() override;
  std::optional<KnownFile> at_target(const std::string& path) override;
  void plan_entry(const Entry& entry, const std::optional<KnownExtents>& extents) override;
  void check_plan(PreparedRestore& plan, const RestoreTarget& target) override;
  void check_staged(PreparedRestore& plan, const RestoreTarget& target,
                    const std::vector<RestoreProblem>& left_out) override;
  void published(PreparedRestore& plan, const RestoreTarget& target,
                 const std::optional<struct stat>& replaced) override;

 private:
  fs::path next_file() const { return m_file.native() + ".next"; }
  void load();
  StandbyEntry next_planned(std::uint64_t& at);
  void keep_spare(StandbyEntry& entry, const struct stat& replaced) const;

  fs::path m_file;
  fs::path m_spool_directory;
  std::optional<StandbyState> m_state;
  std::optional<Digest> m_next;
  Digest m_snapshot;  // that is restored
  CheckTouched m_check;
  std::unique_ptr<SpoolFile> m_planned;  // entries as planned, without stamps
};

}  // namespace cairn
