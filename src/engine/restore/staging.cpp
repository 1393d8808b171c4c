#include "engine/restore/staging.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr unsigned k_private_mode = 0700;
constexpr unsigned k_others = 077;
constexpr const char* k_probe_name = "mode";
constexpr int k_attempts = 3;
constexpr std::size_t k_name_digest = 8;  // bytes of a digest in a name

bool is_empty(int directory, const fs::path& shown) {
  std::vector<std::string> names;
  if (const int error = read_directory(directory, names)) throw_errno("read directory", shown.native(), error);
  return names.empty();
}

// The mode of a directory that nobody says anything about: reading the umask would change it for other threads.
mode_t learn_default_mode(int directory, const fs::path& shown) {
  struct stat made {};
  if (::mkdirat(directory, k_probe_name, 0777) != 0 ||
      ::fstatat(directory, k_probe_name, &made, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::unlinkat(directory, k_probe_name, AT_REMOVEDIR) != 0) {
    throw_errno("create directory", shown.native(), errno);
  }
  return made.st_mode & 0777U;
}

// False where that cannot be found out.
bool on_one_mount(int directory, int other) {
  const auto here = see(directory, "");
  const auto there = see(other, "");
  return here && there && here->mount == there->mount;
}

}  // namespace

std::string Staging::name_of(const Digest& snapshot, const RestoreTarget& target) {
  // The anchor says where the target is but for what follows it.
  std::string below;
  for (const std::string& name : target.below_anchor()) below += '/' + name;
  const Digest digest = sha256(as_bytes(below));
  return RestoreTarget::k_staging_prefix + snapshot.short_hex() + '-' +
         to_hex(ByteView{digest.bytes}.first(k_name_digest));
}

Staging::Staging(const RestoreTarget& target, std::string name)
    : m_anchor(::fcntl(target.anchor(), F_DUPFD_CLOEXEC, 0)),
      m_name(std::move(name)),
      m_path(target.anchor_path() / m_name) {
  if (!m_anchor) throw_errno("open", target.anchor_path().native(), errno);
}

Staging::~Staging() {
  // Where something is left, the next restore removes it.
  if (m_anchor) discard();
}

Staging Staging::create(const RestoreTarget& target, const Digest& snapshot) {
  const std::string wanted = name_of(snapshot, target);
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    // Another restore of the same snapshot may be under way there, or somebody may have taken the name.
    Staging made{target, attempt == 0 ? wanted : wanted + '-' + random_name()};
    if (::mkdirat(made.m_anchor.get(), made.m_name.c_str(), k_private_mode) != 0) {
      const int error = errno;
      made.release();
      if (error == EEXIST && attempt + 1 < k_attempts) continue;
      throw_errno("create directory", made.m_path.native(), error);
    }
    try {
      made.m_fd = open_beneath(made.m_anchor.get(), made.m_name, O_RDONLY | O_DIRECTORY);
      if (!made.m_fd) throw_errno("open", made.m_path.native(), errno);
      if (!made.lock()) {
        made.release();
        continue;
      }
      made.check();
    } catch (...) {
      // Only if it is empty, whichever it is.
      ::unlinkat(target.anchor(), made.m_name.c_str(), AT_REMOVEDIR);
      made.release();
      throw;
    }
    made.m_sync = std::make_unique<EarlySync>(made.m_fd.get());
    return made;
  }
  throw Error(ErrorKind::failed, fmt::format("unable to create {}: it is removed at once",
                                             quote((target.anchor_path() / wanted).native())));
}

// Says that this restore lives. Where the file system has no such locks, nobody else can take one to find out. Before
// it is held another restore may have taken the directory for a stale one, and removed it.
bool Staging::lock() {
  if (::flock(m_fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  return id_at(m_anchor.get(), m_name) == id_of(m_fd.get());
}

// Makes sure that staging is as good as what was made a moment ago: whoever may rename things beside it can have put
// another directory in its place. A directory of our own, on the same mount, with nothing in it after nobody else may
// put anything there, will do, whichever it is.
void Staging::check() {
  const auto replaced = [this] {
    return Error(ErrorKind::failed, fmt::format("unable to create {}: another directory took its place meanwhile",
                                                quote(m_path.native())));
  };
  struct stat made {};
  if (::fstat(m_fd.get(), &made) != 0) throw_errno("stat", m_path.native(), errno);
  if (!on_one_mount(m_fd.get(), m_anchor.get()) || !is_own(m_anchor.get(), made.st_uid) ||
      !is_empty(m_fd.get(), m_path)) {
    throw replaced();
  }
  m_default_mode = learn_default_mode(m_fd.get(), m_path);
  if (make_private(m_fd.get()) != 0) throw_errno("set the mode of", m_path.native(), errno);
  remove_acls(m_fd.get());
  if (!is_empty(m_fd.get(), m_path)) throw replaced();
}

std::optional<Staging> Staging::adopt(const RestoreTarget& target, const std::string& name) {
  Staging found{target, name};
  found.m_fd = open_beneath(found.m_anchor.get(), name, O_RDONLY | O_DIRECTORY);
  struct stat status {};
  const bool ours = found.m_fd && may_be_left(found.m_anchor.get(), found.m_fd.get()) &&
                    ::fstat(found.m_fd.get(), &status) == 0 && (status.st_mode & k_others) == 0 &&
                    on_one_mount(found.m_fd.get(), found.m_anchor.get());
  // Without locks on the file system nobody can tell whether it is in use.
  if (!ours || ::flock(found.m_fd.get(), LOCK_EX | LOCK_NB) != 0 ||
      id_at(found.m_anchor.get(), name) != id_of(found.m_fd.get())) {
    found.release();
    return std::nullopt;
  }
  found.m_sync = std::make_unique<EarlySync>(found.m_fd.get());
  return found;
}

bool Staging::discard() noexcept {
  const UniqueFd anchor = std::move(m_anchor);
  try {
    return anchor && remove_directory_at(anchor.get(), m_name, m_fd.get()) == 0;
  } catch (const std::exception&) {
    return false;
  }
}

fs::path Staging::keep() noexcept {
  const std::string name = "cairn-kept-" + random_name();
  if (m_anchor && rename_new_at(m_anchor.get(), m_name, m_anchor.get(), name) == 0) {
    m_path.replace_filename(name);
    m_name = name;
  }
  release();
  return m_path;
}

void remove_stale_staging(const RestoreTarget& target, Reporter& reporter) {
  std::vector<std::string> names;
  if (read_directory(target.anchor(), names) != 0) return;
  for (const std::string& name : names) {
    if (!name.starts_with(RestoreTarget::k_staging_prefix)) continue;
    auto left = Staging::adopt(target, name);
    if (left && left->discard()) {
      reporter.info(fmt::format("removed {}, left by an interrupted restore", quote(left->path().native())));
    }
  }
}

}  // namespace cairn
