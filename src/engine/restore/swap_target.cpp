// The part of RestoreTarget for a directory that gives way as a whole.
#include "engine/restore/restore_target.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace cairn {

// From the directory one step up, where nothing but the kernel says what lies above it; its name there is looked up
// again, so that what is held and what has the name are one.
void RestoreTarget::swap_whole() {
  m_swapped = std::move(m_anchor);
  m_anchor = UniqueFd{::openat(m_swapped.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!m_anchor) throw_errno("open", m_path.parent_path().native(), errno);
  m_anchor_path = m_path.parent_path();
  const auto above = see(m_anchor.get(), "");
  if (!above) throw_errno("stat", m_anchor_path.native(), errno);
  require_within_reach(m_root, *above, m_path);
  const std::string name = m_path.filename();
  if (name.empty() || id_at(m_anchor.get(), name) != id_of(m_swapped.get())) throw_replaced(m_path);
  m_below = {name};
}

}  // namespace cairn
