#include "engine/restore/publisher.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/capabilities.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/open_directories.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>
#include <utility>

#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint32_t k_owner_bits = 0700;

Metadata metadata_of(const StagedDirectory& directory, std::uint32_t mode) {
  return {mode, directory.uid, directory.gid, directory.mtime, directory.xattrs};
}

}  // namespace

Publisher::Publisher(const PublishParts& parts)
    : m_parts(parts),
      m_privileged(has_capability(CAP_DAC_OVERRIDE)),
      m_gives_away_last(!m_privileged && has_capability(CAP_CHOWN)) {}

void Publisher::publish(StagedTree tree) {
  m_tree = std::move(tree);
  look();
  finish_directories();
  sync();
  check_interrupted();
  move();
  m_parts.tally.tell(m_parts.reporter);
}

const StagedDirectory* Publisher::described(const std::string& path) const {
  const auto& all = m_tree.directories;
  const auto at = std::lower_bound(all.begin(), all.end(), path, [](const StagedDirectory& a, const std::string& b) {
    return compare_paths(a.path, b) > 0;
  });
  return at != all.end() && at->path == path ? &*at : nullptr;
}

// Deepest first. The root's metadata, and that of directories that the target has already, are put on at the end,
// because moving changes their times.
void Publisher::finish_directories() {
  OpenDirectories open{staging().fd()};
  for (StagedDirectory& directory : m_tree.directories) {
    if (directory.path == "." || has_directory(directory.path)) continue;
    const std::size_t slash = directory.path.rfind('/');
    const auto parent = open.open(slash == std::string::npos ? "." : std::string_view{directory.path}.substr(0, slash));
    if (!parent) throw_errno("open directory", shown(directory.path), errno);
    const UniqueFd fd = open_directory_below(parent->get(), directory.path.substr(slash + 1), shown(directory.path));
    // Whoever is bound by modes must be able to move what it holds, and the directory itself.
    const std::uint32_t mode = m_privileged ? directory.mode : directory.mode | k_owner_bits;
    if (!m_gives_away_last) {
      m_parts.tally.note(apply_metadata(fd.get(), metadata_of(directory, mode), shown(directory.path)));
    } else if (::fchmod(fd.get(), k_owner_bits) != 0) {
      throw_errno("set the mode of", shown(directory.path), errno);
    }
    directory.id = id_of(fd.get()).value_or(FileId{});
  }
}

void Publisher::put_metadata(int fd, const StagedDirectory& directory, const std::string& shown) const {
  remove_other_xattrs(fd, directory.xattrs);
  m_parts.tally.note(apply_metadata(fd, metadata_of(directory, directory.mode), shown));
}

void Publisher::close_moved(int root, const StagedDirectory& directory) const {
  if (!m_gives_away_last && (m_privileged || (directory.mode & k_owner_bits) == k_owner_bits)) return;
  const UniqueFd fd = open_directory_below(root, directory.path, shown(directory.path));
  if (id_of(fd.get()) != directory.id) throw_replaced(shown(directory.path));
  if (m_gives_away_last) {
    return m_parts.tally.note(apply_metadata(fd.get(), metadata_of(directory, directory.mode), shown(directory.path)));
  }
  if (::fchmod(fd.get(), directory.mode) != 0) throw_errno("set the mode of", shown(directory.path), errno);
}

std::unique_ptr<Publisher> make_publisher(const PublishParts& parts) {
  if (parts.plan != nullptr && parts.plan->figures.in_place) return make_in_place_publisher(parts);
  if (parts.target.live()) return make_live_publisher(parts);
  if (parts.target.shape() == RestoreTarget::Shape::single_file) return make_file_publisher(parts);
  if (parts.target.swapped() >= 0) return make_swap_publisher(parts);
  return parts.target.exists() ? make_merge_publisher(parts) : make_new_tree_publisher(parts);
}

}  // namespace cairn
