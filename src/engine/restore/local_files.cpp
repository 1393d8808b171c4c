#include "engine/restore/local_files.hpp"

#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/bytes.hpp"

#include <array>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_numbers = 5;                    // of a record
constexpr std::size_t k_fixed = 8 * k_numbers + 4 + 4;  // with the root and the length of the path

std::int64_t nanoseconds(const struct timespec& at) noexcept {
  // Of a time that does not fit only its change counts.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000U +
                                   static_cast<std::uint64_t>(at.tv_nsec));
}

}  // namespace

FileStamp stamp_of(const struct stat& status) noexcept {
  return {id_of(status), static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

std::string LocalFile::shown() const {
  return (fs::path{root->shown} / path).native();
}

LocalFiles::Id LocalFiles::add(std::size_t root, const std::string& path, const FileStamp& stamp) {
  const Id id = m_files.size();
  Bytes record;
  record.reserve(k_fixed + path.size());
  for (const std::uint64_t number : std::array<std::uint64_t, k_numbers>{stamp.id.device, stamp.id.inode, stamp.size,
                                                                         static_cast<std::uint64_t>(stamp.mtime),
                                                                         static_cast<std::uint64_t>(stamp.ctime)}) {
    put_u64(record, number);
  }
  put_u32(record, static_cast<std::uint32_t>(root));
  put_u32(record, static_cast<std::uint32_t>(path.size()));
  append(record, as_bytes(path));
  m_files.write(record);
  return id;
}

LocalFile LocalFiles::get(Id id) {
  std::array<std::uint8_t, k_fixed> fixed{};
  m_files.read(id, fixed);
  const auto number = [&](std::size_t i) { return get_u64(fixed.data() + 8 * i); };
  LocalFile file;
  file.stamp = {{static_cast<dev_t>(number(0)), static_cast<ino_t>(number(1))},
                number(2),
                static_cast<std::int64_t>(number(3)),
                static_cast<std::int64_t>(number(4))};
  file.root = &m_roots->at(get_u32(fixed.data() + 8 * k_numbers));
  Bytes path(get_u32(fixed.data() + 8 * k_numbers + 4));
  m_files.read(path);
  file.path = as_text(path);
  return file;
}

std::size_t read_there(int fd, ByteSpan out, std::uint64_t offset) noexcept {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = retry_interrupted(
        [&] { return ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

LocalChanged::LocalChanged(const std::string& shown)
    : Error(ErrorKind::failed,
            fmt::format("unable to use {}: it changed while the restore was under way", quote(shown)),
            "restore again when nobody changes it") {}

FileStamp stamp_now(const LocalFile& file) {
  const auto [directory, name] = split_path(file.path);
  const UniqueFd parent = open_beneath(file.root->directory.get(), directory, O_PATH | O_DIRECTORY);
  struct stat status {};
  if (!parent || ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    throw LocalChanged(file.shown());
  }
  return stamp_of(status);
}

}  // namespace cairn
