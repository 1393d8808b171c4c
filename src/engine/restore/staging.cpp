#include "engine/restore/staging.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "util/beneath.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
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

namespace {

struct timespec mark_of(const Digest& snapshot) noexcept {
  constexpr std::uint32_t k_seconds = 0x7fffffff;  // what every file system can tell
  return {static_cast<time_t>(get_u32(snapshot.bytes.data()) & k_seconds),
          static_cast<long>(get_u32(snapshot.bytes.data() + 4) % 1'000'000'000U)};
}

}  // namespace

void Staging::mark_as_whole(const Digest& snapshot) const noexcept {
  const struct timespec times[2] = {{0, UTIME_OMIT}, mark_of(snapshot)};
  // Without it the target is refused then, as any other that has something in it.
  static_cast<void>(::futimens(m_fd.get(), times));
}

bool Staging::is_marked(int directory, const Digest& snapshot) noexcept {
  const struct timespec mark = mark_of(snapshot);
  struct stat status {};
  return ::fstat(directory, &status) == 0 && status.st_mtim.tv_sec == mark.tv_sec &&
         status.st_mtim.tv_nsec == mark.tv_nsec;
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

bool Staging::is_worth_keeping() const {
  // It may have become the target, or hold what was there.
  if (!m_anchor) return false;
  std::vector<UniqueFd> todo;
  todo.push_back(open_beneath(m_fd.get(), ".", O_RDONLY | O_DIRECTORY));
  while (!todo.empty()) {
    const UniqueFd directory = std::move(todo.back());
    todo.pop_back();
    std::vector<std::string> names;
    if (!directory || read_directory(directory.get(), names) != 0) continue;
    for (const std::string& name : names) {
      struct stat status {};
      if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      // One that has its size and nothing else is a hole.
      if (S_ISREG(status.st_mode) && status.st_size != 0 && status.st_blocks != 0) return true;
      if (S_ISDIR(status.st_mode)) todo.push_back(open_beneath(directory.get(), name, O_RDONLY | O_DIRECTORY));
    }
  }
  return false;
}

LeftStaging::LeftStaging(const RestoreTarget& target, const Digest& snapshot)
    : m_same(RestoreTarget::k_staging_prefix + snapshot.short_hex() + '-') {
  // The snapshot comes first in a name, then the target.
  const std::string name = Staging::name_of(snapshot, target);
  const std::string for_target = name.substr(m_same.size());
  const std::size_t at = m_same.size();
  std::vector<std::string> names;
  if (read_directory(target.anchor(), names) != 0) return;
  std::erase_if(names, [&](const std::string& found) {
    return !found.starts_with(RestoreTarget::k_staging_prefix) || found.size() < name.size() ||
           found.compare(at, for_target.size(), for_target) != 0;
  });
  struct Found {
    Staging staging;
    bool same;
    std::int64_t time;
  };
  std::vector<Found> found;
  for (const std::string& one : names) {
    auto staging = Staging::adopt(target, one);
    struct stat status {};
    if (!staging) continue;
    const bool known = ::fstat(staging->fd(), &status) == 0;
    found.push_back({std::move(*staging), one.starts_with(m_same), known ? status.st_mtim.tv_sec : 0});
  }
  std::vector<std::size_t> order(found.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::make_pair(!found[a].same, -found[a].time) < std::make_pair(!found[b].same, -found[b].time);
  });
  for (const std::size_t i : order) m_all.push_back(std::move(found[i].staging));
}

LeftStaging::~LeftStaging() {
  for (Staging& staging : m_all) staging.release();
}

void LeftStaging::discard(Reporter& reporter) {
  for (Staging& staging : m_all) {
    if (staging.discard()) {
      reporter.info(fmt::format("removed {}, left by an interrupted restore", quote(staging.path().native())));
    }
  }
  m_all.clear();
}

}  // namespace cairn
