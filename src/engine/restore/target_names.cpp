#include "engine/restore/target_names.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

std::optional<struct stat> status_at(int directory, const std::string& name) noexcept {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

bool is_unfit_name(int error) noexcept {
  return error == EINVAL || error == EILSEQ || error == ENAMETOOLONG;
}

UniqueFd open_directory_below(int root, const std::string& path, const std::string& shown) {
  UniqueFd fd = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
  if (!fd) throw_errno("open directory", shown, errno);
  return fd;
}

std::vector<std::string> names_in(int directory, const std::string& shown) {
  std::vector<std::string> names;
  if (const int error = read_directory(directory, names)) throw_errno("read directory", shown, error);
  return names;
}

void sync_names(int directory, const fs::path& shown) {
  // The directory may be open for its path only (O_PATH).
  const UniqueFd readable = open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!readable) throw_errno("open directory", shown.native(), errno);
  // EINVAL: a file system that cannot fsync directories.
  if (::fsync(readable.get()) != 0 && errno != EINVAL) throw_errno("fsync", shown.native(), errno);
}

UniqueFd make_parent_of(const RestoreTarget& target) {
  fs::path at = target.anchor_path();
  UniqueFd directory = open_directory_below(target.anchor(), ".", at);
  for (const std::string& name : target.below_anchor()) {
    if (&name == &target.below_anchor().back()) break;
    at /= name;
    directory = make_directory_at(directory.get(), name, 0777, at);
  }
  return directory;
}

std::string join_path(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

SplitPath split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

mode_t file_type(EntryType type) noexcept {
  switch (type) {
    case EntryType::directory:
      return S_IFDIR;
    case EntryType::symlink:
      return S_IFLNK;
    case EntryType::fifo:
      return S_IFIFO;
    case EntryType::socket:
      return S_IFSOCK;
    case EntryType::char_device:
      return S_IFCHR;
    case EntryType::block_device:
      return S_IFBLK;
    default:
      return S_IFREG;
  }
}

void throw_appeared(const fs::path& target) {
  throw Error(ErrorKind::usage,
              fmt::format("unable to restore to {}: it came into being meanwhile", quote(target.native())));
}

void throw_replaced(const std::string& path) {
  throw Error(ErrorKind::failed,
              fmt::format("unable to restore to {}: something else took its place meanwhile", quote(path)));
}

}  // namespace cairn
