#include "engine/restore/local_sources.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/staged_tree.hpp"
#include "engine/restore/target_memory.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/capabilities.hpp"
#include "util/error.hpp"
#include "util/pinned_path.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <linux/capability.h>
#include <optional>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace cairn {

namespace {

// The clock that stamps files goes in steps, of 10 ms at most. A file that is written twice in one step has one stamp
// for both.
constexpr std::chrono::milliseconds k_clock_step{20};

bool is_settled(const struct stat& status) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto step = std::chrono::nanoseconds{k_clock_step}.count();
  const auto age = (now.tv_sec - status.st_ctim.tv_sec) * 1'000'000'000LL + (now.tv_nsec - status.st_ctim.tv_nsec);
  // A time ahead of the clock is another clock's, which says nothing.
  return age > step || age < -step;
}

// The stamp that tells from now on whether the file was written: not in the very moment in which it was. False where it
// is no regular file.
bool look(int fd, struct stat& status) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return false;
    if (is_settled(status)) return true;
    std::this_thread::sleep_for(k_clock_step);
  }
  // Somebody writes it all the time.
  return false;
}

UniqueFd open_in_root(const LocalRoot& root, const std::string& path) {
  // To open a device or a FIFO does something, whoever waits at its other end.
  const UniqueFd seen = open_beneath(root.directory.get(), path, O_PATH);
  struct stat there {};
  if (!seen || ::fstat(seen.get(), &there) != 0 || !S_ISREG(there.st_mode)) return {};
  UniqueFd fd = open_for_capture(root.directory.get(), path);
  if (fd || errno != EACCES || root.kind != LocalRoot::Kind::staging) return fd;
  // It was finished, with a mode that keeps its owner out. Nobody else is where it lies, so its name is the file's.
  const auto [directory, name] = split_path(path);
  const UniqueFd parent = open_beneath(root.directory.get(), directory, O_PATH | O_DIRECTORY);
  struct stat status {};
  if (!parent || ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
      status.st_nlink != 1 || ::fchmodat(parent.get(), name.c_str(), 0600, 0) != 0) {
    return {};
  }
  return open_for_capture(root.directory.get(), path);
}

constexpr const char* k_access_acl = "system.posix_acl_access";

// Whether it has a list of its own of who may write it, which the entry does not have.
bool has_other_acl(int fd, const Entry& entry) {
  std::string value(65536, '\0');  // the most that an attribute has
  const ssize_t size = ::fgetxattr(fd, k_access_acl, value.data(), value.size());
  if (size < 0) return errno != ENODATA && errno != ENOTSUP;
  value.resize(static_cast<std::size_t>(size));
  return std::none_of(entry.xattrs.begin(), entry.xattrs.end(),
                      [&](const Xattr& xattr) { return xattr.name == k_access_acl && xattr.value == value; });
}

// Whether somebody may write the file who may not write what the entry becomes, and is not root or this user. He may
// have it mapped, and write it without a trace in its times.
bool is_in_other_hands(int fd, const struct stat& status, const Entry& entry) {
  const uid_t owner = entry.uid == k_keep_owner || !has_capability(CAP_CHOWN) ? ::geteuid() : entry.uid;
  const gid_t group = entry.gid == k_keep_owner ? ::getegid() : entry.gid;
  if (status.st_uid != 0 && status.st_uid != ::geteuid() && status.st_uid != owner) return true;
  if ((status.st_mode & S_IWOTH) != 0 && (entry.mode & S_IWOTH) == 0) return true;
  if ((status.st_mode & S_IWGRP) == 0) return false;
  return (entry.mode & S_IWGRP) == 0 || group != status.st_gid || has_other_acl(fd, entry);
}

[[noreturn]] void refuse(const fs::path& seed, std::string_view cause) {
  throw Error(ErrorKind::usage, fmt::format("unable to use seed {}: {}", quote(seed.native()), cause));
}

}  // namespace

std::size_t LocalPlaces::add_root(LocalRoot::Kind kind, UniqueFd directory, std::string shown) {
  m_roots->push_back({kind, std::move(directory), std::move(shown)});
  return m_roots->size() - 1;
}

void LocalPlaces::add_staging(LocalRoot::Kind kind, int directory, const std::string& shown) {
  UniqueFd own{::fcntl(directory, F_DUPFD_CLOEXEC, 0)};
  if (!own) throw_errno("open", shown, errno);
  m_places.push_back({add_root(kind, std::move(own), shown), {}});
}

void LocalPlaces::add_target(const RestoreTarget& target) {
  const bool swapped = target.swapped() >= 0;
  if (!swapped && (!target.has_content() || target.directory() < 0)) return;
  UniqueFd own{::fcntl(swapped ? target.swapped() : target.directory(), F_DUPFD_CLOEXEC, 0)};
  if (!own) throw_errno("open", target.path().native(), errno);
  const bool single = target.shape() == RestoreTarget::Shape::single_file;
  m_target_live = target.live();
  m_places.push_back(
      {add_root(LocalRoot::Kind::target, std::move(own), (single ? target.anchor_path() : target.path()).native()),
       {}});
}

void LocalPlaces::add_seed(const fs::path& seed) {
  if (seed.empty()) refuse(seed, "the path is empty");
  PinnedPath pinned = pin_path(seed);
  if (pinned.leads_to_nothing) refuse(seed, "it is a symbolic link to nothing");
  if (pinned.names.size() > 1 || (!pinned.names.empty() && pinned.there == 0)) refuse(seed, "it is not there");
  if (!pinned.names.empty() && !S_ISREG(pinned.there)) refuse(seed, "it is neither a directory nor a regular file");
  UniqueFd directory = open_beneath(pinned.directory.get(), ".", O_PATH | O_DIRECTORY);
  if (!directory) throw_errno("open", seed.native(), errno);
  const std::size_t root = add_root(LocalRoot::Kind::seed, std::move(directory), pinned.directory_path.native());
  m_places.push_back({root, pinned.names.empty() ? std::string{} : pinned.names.front()});
}

LocalSources::LocalSources(const LocalPlaces& places, LocalFiles& files, ThreadPool& pool, ChunkRule rule,
                           std::string single_name, std::string target_name, TargetMemory* memory)
    : m_places(places),
      m_files(files),
      m_pool(pool),
      m_rule(rule),
      m_single_name(std::move(single_name)),
      m_target_name(std::move(target_name)),
      m_memory(memory) {}

void LocalSources::add(std::vector<LocalCandidate>& to, std::size_t root, const std::string& path, const Entry& file) {
  const LocalRoot& in = m_files.roots()[root];
  LocalCandidate candidate;
  candidate.fd = open_in_root(in, path);
  if (!candidate.fd || !look(candidate.fd.get(), candidate.status)) return;
  // Of a file without content only that it is there matters, and only at the target.
  if (candidate.status.st_size == 0 && in.kind != LocalRoot::Kind::target) return;
  candidate.root = root;
  candidate.kind = in.kind;
  candidate.path = path;
  candidate.stamp = stamp_of(candidate.status);
  candidate.shown = (fs::path{in.shown} / path).native();
  // Staging is private, whoever owns the files in it already.
  const bool is_private =
      in.kind == LocalRoot::Kind::staging || in.kind == LocalRoot::Kind::other || in.kind == LocalRoot::Kind::spare;
  const bool live = in.kind == LocalRoot::Kind::target && m_places.is_target_live();
  candidate.in_other_hands = !is_private && (live || is_in_other_hands(candidate.fd.get(), candidate.status, file));
  // A file that an earlier run of this snapshot wrote has its chunks where they belong.
  if (in.kind != LocalRoot::Kind::staging) candidate.cuts = std::make_shared<std::optional<CutIndex>>();
  recall(candidate, file);
  to.push_back(std::move(candidate));
}

// What it has, where this host wrote it and nobody has touched it since. Whoever could write it through a memory map
// would leave no trace.
void LocalSources::recall(LocalCandidate& candidate, const Entry& file) {
  if (m_memory == nullptr || candidate.in_other_hands) return;
  std::optional<KnownFile> known;
  if (candidate.kind == LocalRoot::Kind::target) known = m_memory->at_target(file.path);
  if (candidate.kind == LocalRoot::Kind::spare) known = m_memory->replaced();
  if (known && known->stamp == candidate.stamp) candidate.known = known->extents;
}

// Whichever file it is: chunks of it may be anywhere. Page by page it is compared with the file of its name alone.
void LocalSources::add_seed_file(std::vector<LocalCandidate>& to, const LocalPlaces::Place& place, const Entry& file) {
  const std::size_t before = to.size();
  add(to, place.root, place.file, file);
  if (to.size() == before) return;
  to.back().at_offsets = !m_single_name.empty() || split_path(file.path).name == place.file;
  auto& cuts = m_seed_cuts[place.root];
  if (!cuts) cuts = std::make_shared<std::optional<CutIndex>>();
  to.back().cuts = cuts;
}

std::shared_ptr<LocalContent> LocalSources::find(const Entry& file) {
  std::vector<LocalCandidate> candidates;
  const bool single = !m_single_name.empty();
  for (const auto& place : m_places.places()) {
    if (candidates.size() == k_max_candidates) break;
    if (!place.file.empty()) {
      if (file.size != 0) add_seed_file(candidates, place, file);
      continue;
    }
    const LocalRoot::Kind kind = m_files.roots()[place.root].kind;
    if (file.size == 0 && kind != LocalRoot::Kind::target) continue;
    std::string path = file.path;
    if (single && kind == LocalRoot::Kind::target) path = m_target_name;
    const bool left =
        kind == LocalRoot::Kind::staging || kind == LocalRoot::Kind::other || kind == LocalRoot::Kind::spare;
    if (single && left) path = m_single_name;
    add(candidates, place.root, path, file);
  }
  if (candidates.empty()) return nullptr;
  return std::make_shared<LocalContent>(std::move(candidates), m_rule, m_files, m_pool);
}

}  // namespace cairn
