#include "util/held_files.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace cairn {

namespace {

constexpr std::size_t k_program_name_max = 64;

std::optional<pid_t> pid_of(const std::string& name) {
  pid_t pid = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, pid);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return pid;
}

// Follows the link of /proc to the file itself, and asks no server about it: one that does not answer would hold up
// whoever wants to know.
std::optional<FileId> id_behind(int directory, const std::string& name) noexcept {
  struct statx told {};
  if (::statx(directory, name.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &told) != 0) return {};
  return FileId{::makedev(told.stx_dev_major, told.stx_dev_minor), told.stx_ino};
}

class ProcessLook {
 public:
  ProcessLook(pid_t pid, UniqueFd directory, const std::function<void(const HeldFile&)>& take)
      : m_pid(pid), m_directory(std::move(directory)), m_take(take) {}

  // False where this user may not.
  bool look(HeldKinds kinds) {
    if (kinds == HeldKinds::all) look_beside_descriptors();
    return take_all("fd", HeldFile::How::open);
  }

 private:
  void look_beside_descriptors() {
    take(m_directory.get(), "cwd", HeldFile::How::working_directory);
    take(m_directory.get(), "root", HeldFile::How::root);
    take(m_directory.get(), "exe", HeldFile::How::mapped);
    // Memory maps are shown to fewer than descriptors are: what is not shown of them is not said.
    take_all("map_files", HeldFile::How::mapped);
  }
  void take(int directory, const std::string& name, HeldFile::How how) {
    if (const auto id = id_behind(directory, name)) m_take({m_pid, how, *id});
  }
  bool take_all(const char* kind, HeldFile::How how) {
    const UniqueFd links{::openat(m_directory.get(), kind, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!links) return errno != EACCES && errno != EPERM;
    std::vector<std::string> names;
    read_directory(links.get(), names);
    for (const std::string& name : names) take(links.get(), name, how);
    return true;
  }

  pid_t m_pid;
  UniqueFd m_directory;
  const std::function<void(const HeldFile&)>& m_take;
};

}  // namespace

std::size_t for_each_held_file(HeldKinds kinds, const std::function<void(const HeldFile&)>& take) {
  const UniqueFd proc{::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::vector<std::string> names;
  if (proc) read_directory(proc.get(), names);
  std::size_t hidden = 0;
  for (const std::string& name : names) {
    const auto pid = pid_of(name);
    if (!pid || *pid == ::getpid()) continue;
    UniqueFd directory{::openat(proc.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    // It has ended meanwhile.
    if (!directory) continue;
    if (!ProcessLook{*pid, std::move(directory), take}.look(kinds)) ++hidden;
  }
  return hidden;
}

std::string describe_process(pid_t pid) {
  const UniqueFd file{::open(fmt::format("/proc/{}/comm", pid).c_str(), O_RDONLY | O_CLOEXEC)};
  std::string program(k_program_name_max, '\0');
  const ssize_t n = file ? retry_interrupted([&] { return ::read(file.get(), program.data(), program.size()); }) : -1;
  program.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  while (!program.empty() && program.back() == '\n') program.pop_back();
  if (program.empty()) return fmt::format("process {}", pid);
  // Its name was chosen by the one who runs it.
  return fmt::format("process {} ({})", pid, terminal_safe(program));
}

}  // namespace cairn
