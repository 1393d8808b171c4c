// The writes of planned files, one after the other, as pieces of frames. What was pending when they were planned is
// found out here, once the directories have come.
#pragma once

#include "engine/restore/content_layout.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/write_order.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace cairn {

// One thread.
class WriteFeed {
 public:
  // Of a pack as extents name it; throws Error(damaged) where it cannot be read.
  using Directories = std::function<std::shared_ptr<const PackDirectory>(std::uint64_t pack)>;

  WriteFeed(RestoreSteps& steps, Directories directories);

  // The file is the entry that steps gave last.
  void begin(const Entry& file);
  // Nothing at the end of the file. Throws Error(damaged) where the file cannot be restored: no more is to be asked of
  // it.
  std::optional<Write> next();

 private:
  bool fill();
  bool take_step();
  void take(const PlannedWrite& write);
  void take(const PendingBegin& begin);
  void take(const PendingWrite& write);
  void take(const PendingHole& hole);
  void take(const PendingCheck& check);
  void take(const PackOrderBegin&);
  void take(const PackOrderEnd&);
  [[noreturn]] void take(const DamagedContent& damaged);

  RestoreSteps& m_steps;
  Directories m_directories;
  std::optional<ContentLayout> m_layout;
  bool m_pending = false;   // there were pending steps
  bool m_ordering = false;  // what comes is brought into order before it is given out
  std::vector<Write> m_ready;
  std::size_t m_given = 0;  // of them
};

}  // namespace cairn
