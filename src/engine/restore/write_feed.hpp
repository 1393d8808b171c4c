// The writes of planned files, one after the other, as pieces of frames and of local files. What was pending when they
// were planned is found out here, once the directories have come.
#pragma once

#include "engine/restore/content_layout.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/write_order.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace cairn {

// The piece that is written next.
using WritePiece = std::variant<Write, LocalWrite, PlannedHole>;

// One thread.
class WriteFeed {
 public:
  // Of a pack as extents name it; throws Error(damaged) where it cannot be read.
  using Directories = std::function<std::shared_ptr<const PackDirectory>(std::uint64_t pack)>;

  WriteFeed(RestoreSteps& steps, Directories directories);

  // The file is the entry that steps gave last. Returns what it begins as, where it begins as a local file.
  std::optional<LocalFiles::Id> begin(const Entry& file);
  // Nothing at the end of the file. Throws Error(damaged) where the file cannot be restored: no more is to be asked of
  // it.
  std::optional<WritePiece> next();

 private:
  bool fill();
  bool take_step();
  std::optional<ContentStep> next_step();
  void take(const PlannedWrite& write);
  void take(const PendingBegin& begin);
  void take(const PendingWrite& write);
  void take(const PendingHole& hole);
  void take(const PendingCheck& check);
  void take(const PackOrderBegin&);
  void take(const PackOrderEnd&);
  [[noreturn]] void take(const DamagedContent& damaged);
  void take(const LocalBase& base);
  void take(const LocalWrite& write);
  void take(const PlannedHole& hole);

  RestoreSteps& m_steps;
  Directories m_directories;
  std::optional<ContentLayout> m_layout;
  bool m_pending = false;              // there were pending steps
  bool m_ordering = false;             // what comes is brought into order before it is given out
  std::optional<ContentStep> m_ahead;  // the first one, looked at already
  bool m_based = false;                // the file begins as a local one: holes are to be made
  std::vector<Write> m_ready;
  std::size_t m_given = 0;           // of them
  std::vector<WritePiece> m_others;  // that need no frame; given out after those
  std::size_t m_others_given = 0;
};

}  // namespace cairn
