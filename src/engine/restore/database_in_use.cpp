#include "engine/restore/database_in_use.hpp"

#include "capture/file_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "util/beneath.hpp"
#include "util/held_files.hpp"

#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

namespace cairn {

namespace {

// PENDING_BYTE, RESERVED_BYTE and the 510 bytes of SHARED: 512 bytes in all.
constexpr off_t k_lock_bytes = 0x40000000;
constexpr off_t k_lock_length = 512;
// Eight WAL locks and the "deadman switch" that every connection shares.
constexpr off_t k_shm_locks = 120;
constexpr off_t k_shm_length = 9;

struct Opened {
  UniqueFd fd;
  struct stat status {};
};

std::optional<Opened> open_regular(int directory, const std::string& name) {
  // To open a device or a FIFO does something, whoever waits at its other end.
  struct stat there {};
  if (::fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(there.st_mode)) return {};
  Opened opened{open_beneath(directory, name, O_RDONLY | O_NONBLOCK), {}};
  if (!opened.fd || ::fstat(opened.fd.get(), &opened.status) != 0 || !S_ISREG(opened.status.st_mode)) return {};
  return opened;
}

Bytes read_head(const Opened& file) {
  Bytes head(32);
  const ssize_t n = retry_interrupted([&] { return ::pread(file.fd.get(), head.data(), head.size(), 0); });
  head.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return head;
}

std::optional<std::string> find_lock(const Opened& file, off_t begin, off_t length) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = length;
  // The open-file-description form sees locks of other descriptors in this process, too.
  if (::fcntl(file.fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid > 0 ? describe_process(lock.l_pid) : std::string{"another process"};
}

// A process other than this one that has the file open, as far as /proc shows it.
std::optional<std::string> find_open(const struct stat& wanted) {
  std::optional<pid_t> user;
  for_each_held_file(HeldKinds::open, [&](const HeldFile& held) {
    if (held.file == id_of(wanted)) user = held.pid;
  });
  return user ? std::optional{describe_process(*user)} : std::nullopt;
}

}  // namespace

std::optional<std::string> find_database_user(int directory, const std::string& name) {
  const auto shm = open_regular(directory, name + "-shm");
  if (shm) {
    if (auto user = find_lock(*shm, k_shm_locks, k_shm_length)) return user;
  }
  const auto database = open_regular(directory, name);
  if (!database) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(database->status.st_size);
  if (!shm && !has_sqlite_magic(read_head(*database), size)) return std::nullopt;
  if (auto user = find_lock(*database, k_lock_bytes, k_lock_length)) return user;
  return find_open(database->status);
}

bool is_log_name(std::string_view name) noexcept {
  return std::any_of(sqlite::k_companions.begin(), sqlite::k_companions.end(),
                     [&](const char* suffix) { return name.ends_with(suffix); });
}

bool is_sqlite_file(int directory, const std::string& name) {
  const auto file = open_regular(directory, name);
  return file && has_sqlite_magic(read_head(*file), static_cast<std::uint64_t>(file->status.st_size));
}

bool is_sqlite_log_file(int directory, const std::string& name) {
  const auto file = open_regular(directory, name);
  return file && is_sqlite_log(read_head(*file));
}

}  // namespace cairn
