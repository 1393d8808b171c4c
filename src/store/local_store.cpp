#include "store/local_store.hpp"

#include "store/as_store_error.hpp"
#include "store/key.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::size_t k_copy_buffer = std::size_t{1} << 20;
constexpr std::string_view k_staging_name = ".tmp-staging";
constexpr std::string_view k_clock_word = "now-";
constexpr std::size_t k_random_digits = 16;  // of random_name()
constexpr mode_t k_private_directory = 0700;
constexpr mode_t k_shared_directory = 02770;

mode_t file_mode(Permissions permissions) noexcept {
  switch (permissions) {
    case Permissions::owner:
      return 0600;
    case Permissions::group:
      return 0640;
    case Permissions::umask:
      break;
  }
  return 0666;
}

Time time_of(const struct timespec& t) {
  return Time{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

std::string_view last_component(std::string_view key) {
  return key.substr(key.rfind('/') + 1);
}

std::string_view parent_of(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : key.substr(0, slash);
}

void sync_directory_fd(int fd, const fs::path& path) {
  // EINVAL: a file system that cannot fsync directories; there is nothing better to be done on it.
  if (::fsync(fd) != 0 && errno != EINVAL) throw_errno("fsync", path.native(), errno);
}

UniqueFd duplicate(int fd, const fs::path& path) {
  UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (!copy) throw_errno("open", path.native(), errno);
  return copy;
}

// openat(2) of one component, never through a symbolic link. Nothing where it is not there, or where a directory was
// asked for and the name is something else.
std::optional<UniqueFd> open_component(int parent, const std::string& name, int flags, const fs::path& path) {
  int fd = -1;
  do {
    fd = ::openat(parent, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
  } while (fd < 0 && errno == EINTR);
  if (fd >= 0) return UniqueFd{fd};
  const int error = errno;
  if (error == ENOENT) return std::nullopt;
  if (error == ENOTDIR) {
    struct stat st {};
    if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(st.st_mode)) return std::nullopt;
    throw_errno("open", path.native(), ELOOP);
  }
  throw_errno("open", path.native(), error);
}

// The directory below root that `relative` names; the root itself for an empty one. Nothing where it is not there.
std::optional<UniqueFd> open_directory(int root, const fs::path& root_path, std::string_view relative) {
  UniqueFd current = duplicate(root, root_path);
  std::size_t at = 0;
  while (at < relative.size()) {
    const std::size_t end = std::min(relative.find('/', at), relative.size());
    auto next = open_component(current.get(), std::string{relative.substr(at, end - at)}, O_RDONLY | O_DIRECTORY,
                               root_path / relative.substr(0, end));
    if (!next) return std::nullopt;
    current = std::move(*next);
    at = end + 1;
  }
  return current;
}

std::vector<std::string> names_in(int directory, const fs::path& path) {
  // An own description of the directory: fdopendir takes the descriptor over, and moves its offset.
  UniqueFd fd = open_component(directory, ".", O_RDONLY | O_DIRECTORY, path).value_or(UniqueFd{});
  DIR* stream = fd ? ::fdopendir(fd.get()) : nullptr;
  if (stream == nullptr) throw_errno("read directory", path.native(), errno);
  fd.release();
  const std::unique_ptr<DIR, int (*)(DIR*)> close{stream, ::closedir};
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const struct dirent* entry = ::readdir(stream);  // NOLINT(concurrency-mt-unsafe): the stream is this thread's own
    if (entry == nullptr) {
      if (errno != 0) throw_errno("read directory", path.native(), errno);
      return names;
    }
    names.emplace_back(entry->d_name);
  }
}

// Walks one directory in key order: a directory sorts as its name with the slash that its keys continue with ("a-b"
// comes before "a/b", although "a" comes before "a-b"). An exception of the visitor passes through unchanged.
class Lister {
 public:
  Lister(const fs::path& root, std::string_view prefix, const std::function<void(const ObjectInfo&)>& visit)
      : m_root(root), m_prefix(prefix), m_visit(visit) {}

  void walk(int directory, const std::string& base) {
    for (const auto& entry : as_store_error([&] { return entries_in(directory, base); })) {
      if (entry.name.back() != '/') {
        m_visit(entry.info);
        continue;
      }
      const std::string name = entry.name.substr(0, entry.name.size() - 1);
      const auto child =
          as_store_error([&] { return open_component(directory, name, O_RDONLY | O_DIRECTORY, m_root / base / name); });
      if (child) walk(child->get(), base + entry.name);
    }
  }

 private:
  struct Entry {
    std::string name;  // directories: with the slash
    ObjectInfo info;
  };

  std::vector<Entry> entries_in(int directory, const std::string& base) const {
    std::vector<Entry> entries;
    for (const auto& name : names_in(directory, m_root / base)) {
      if (!is_valid_key_component(name)) continue;
      const std::string key = base + name;
      if (!key.starts_with(m_prefix) && !m_prefix.starts_with(key + "/")) continue;
      struct stat st {};
      if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        throw_errno("stat", (m_root / key).native(), errno);
      }
      if (S_ISDIR(st.st_mode)) {
        entries.push_back({name + "/", {}});
      } else if (S_ISREG(st.st_mode) && key.starts_with(m_prefix)) {
        entries.push_back({name, {key, static_cast<std::uint64_t>(st.st_size), time_of(st.st_mtim)}});
      }
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return entries;
  }

  const fs::path& m_root;
  std::string_view m_prefix;
  const std::function<void(const ObjectInfo&)>& m_visit;
};

std::string temporary_name(std::string_view word = {}) {
  return fmt::format("{}{}{}", k_temporary_prefix, word, random_name());
}

// Whether temporary_name() made it: other programs have files that begin alike.
bool is_temporary_name(std::string_view name) {
  if (!name.starts_with(k_temporary_prefix)) return false;
  name.remove_prefix(k_temporary_prefix.size());
  if (name.starts_with(k_clock_word)) name.remove_prefix(k_clock_word.size());
  return name.size() == k_random_digits && is_hex(name);
}

// Removes what interrupted writers left. A directory or file that cannot be opened or removed is left.
class Sweeper {
 public:
  explicit Sweeper(Time older_than) : m_older_than(older_than) {}

  enum class Depth { this_one, all };
  // Temporary files in a directory, or below it too.
  void sweep(int directory, const fs::path& path, Depth depth) {
    each(directory, path, [&](const std::string& name, const struct stat& st) {
      if (!S_ISDIR(st.st_mode)) {
        if (S_ISREG(st.st_mode) && is_temporary_name(name)) remove(directory, name, st);
      } else if (depth == Depth::all && is_valid_key_component(name)) {
        sweep_in(directory, path, name);
      }
    });
  }
  void sweep_in(int parent, const fs::path& path, std::string_view name) {
    enter(parent, path / name, [&](int child) { sweep(child, path / name, Depth::all); });
  }

  // Everything below one. A directory is only removed if it was old before anything in it was touched.
  void empty_in(int parent, const fs::path& path, std::string_view name) {
    enter(parent, path / name, [&](int directory) {
      each(directory, path / name, [&](const std::string& inner, const struct stat& st) {
        if (!S_ISDIR(st.st_mode)) return remove(directory, inner, st);
        empty_in(directory, path / name, inner);
        if (is_old(st)) ::unlinkat(directory, inner.c_str(), AT_REMOVEDIR);
      });
    });
  }

  std::size_t removed() const { return m_removed; }

 private:
  bool is_old(const struct stat& st) const { return time_of(st.st_mtim) < m_older_than; }

  void remove(int directory, const std::string& name, const struct stat& st) {
    if (is_old(st) && ::unlinkat(directory, name.c_str(), 0) == 0) ++m_removed;
  }

  template <class F>
  static void each(int directory, const fs::path& path, F&& visit) {
    std::vector<std::string> names;
    try {
      names = names_in(directory, path);
    } catch (const SystemError&) {
      return;
    }
    for (const auto& name : names) {
      struct stat st {};
      if (name == "." || name == ".." || ::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
      visit(name, st);
    }
  }

  template <class F>
  static void enter(int parent, const fs::path& path, F&& visit) {
    std::optional<UniqueFd> child;
    try {
      child = open_component(parent, path.filename().native(), O_RDONLY | O_DIRECTORY, path);
    } catch (const SystemError&) {
      return;
    }
    if (child) visit(child->get());
  }

  Time m_older_than;
  std::size_t m_removed = 0;
};

[[noreturn]] void throw_wrong_size(const fs::path& path, std::uint64_t expected) {
  throw StoreError(
      ErrorKind::failed, StoreError::Transient::no,
      fmt::format("unable to store {}: its size is not the announced {} bytes", quote(path.native()), expected));
}

// Where a file system has no modes there are none to be set.
void set_mode(int fd, Permissions permissions) noexcept {
  if (permissions != Permissions::umask) static_cast<void>(::fchmod(fd, file_mode(permissions)));
}

// The file by its own path, if it can simply be moved: a regular file of the right size that nobody else has a link
// to. Synced, and given the time of now: an object's time is when it was put, not when it was prepared.
bool prepare_for_move(const fs::path& path, std::uint64_t size, Permissions permissions) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_NOFOLLOW);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("stat", path.native(), errno);
  if (!S_ISREG(st.st_mode) || st.st_nlink != 1) return false;
  if (static_cast<std::uint64_t>(st.st_size) != size) throw_wrong_size(path, size);
  if (::futimens(fd.get(), nullptr) != 0) return false;
  set_mode(fd.get(), permissions);
  sync_file(fd.get(), path);
  return true;
}

}  // namespace

LocalStore::NewName LocalStore::NewName::real() {
  return {[](int from_directory, const char* from, int to_directory, const char* to) {
            return ::renameat2(from_directory, from, to_directory, to, RENAME_NOREPLACE);
          },
          [](int from_directory, const char* from, int to_directory, const char* to) {
            return ::linkat(from_directory, from, to_directory, to, 0);
          }};
}

LocalStore::LocalStore(fs::path root, CreateRoot create, NewName new_name)
    : m_root(std::move(root)), m_new_name(new_name) {
  as_store_error([&] {
    if (create == CreateRoot::yes) {
      const fs::path plain = fs::absolute(m_root / "").lexically_normal().parent_path();
      make_directories(plain.parent_path());
      m_made_root = ::mkdir(plain.c_str(), k_private_directory) == 0;
      if (m_made_root) sync_directory(plain.parent_path());
      make_directories(plain, k_private_directory);  // says what is wrong
    }
    auto fd = open_file_if_exists(m_root, O_RDONLY | O_DIRECTORY);
    if (!fd) {
      struct stat st {};
      if (::stat(m_root.c_str(), &st) == 0) throw_errno("open store", m_root.native(), ENOTDIR);
      throw StoreError(ErrorKind::not_found, StoreError::Transient::no,
                       fmt::format("unable to open store {}: no such directory", quote(m_root.native())));
    }
    m_root_fd = std::move(*fd);
  });
}

void LocalStore::set_permissions(Permissions permissions) {
  m_permissions = permissions;
  if (!m_made_root || permissions == Permissions::umask) return;
  static_cast<void>(
      ::fchmod(m_root_fd.get(), permissions == Permissions::group ? k_shared_directory : k_private_directory));
}

bool LocalStore::readable_by_others(const std::string& key) {
  require_valid_key(key);
  struct stat st {};
  UniqueFd at = open_directory(m_root_fd.get(), m_root, parent_of(key)).value_or(UniqueFd{});
  if (!at || ::fstatat(at.get(), std::string{last_component(key)}.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
  bool group = (st.st_mode & S_IRGRP) != 0;
  bool everybody = (st.st_mode & S_IROTH) != 0;
  for (std::optional<FileId> below; group || everybody;) {
    if (::fstat(at.get(), &st) != 0) return false;
    const FileId id = id_of(st);
    if (below == id) return true;  // ".." of the root directory is itself
    below = id;
    group = group && (st.st_mode & S_IXGRP) != 0;
    everybody = everybody && (st.st_mode & S_IXOTH) != 0;
    at = UniqueFd{::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!at) return false;
  }
  return false;
}

// Gives the file `from` the name `to` in parent. False where PutMode::create_only finds the name taken; `from` is left
// then, and gone otherwise. Nothing where `from` is on another file system.
std::optional<bool> LocalStore::publish(int from_directory, const std::string& from, int parent, const std::string& to,
                                        PutMode mode, const fs::path& path) const {
  if (mode == PutMode::replace) {
    if (::renameat(from_directory, from.c_str(), parent, to.c_str()) == 0) return true;
    if (errno == EXDEV) return std::nullopt;
    throw_errno("create", path.native(), errno);
  }
  if (m_new_name.rename(from_directory, from.c_str(), parent, to.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno == EXDEV) return std::nullopt;
  if (errno != EINVAL && errno != ENOSYS) throw_errno("create", path.native(), errno);
  // Network file systems have no RENAME_NOREPLACE.
  if (m_new_name.link(from_directory, from.c_str(), parent, to.c_str()) != 0) {
    if (errno != EEXIST) throw_errno("create", path.native(), errno);
    // An answer that was lost makes the client ask twice, and the second time fails over the first one's success.
    struct stat st {};
    if (::fstatat(from_directory, from.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_nlink != 2) return false;
  }
  ::unlinkat(from_directory, from.c_str(), 0);
  return true;
}

Capabilities LocalStore::capabilities() {
  const std::lock_guard lock{m_mutex};
  if (!m_create_only) m_create_only = try_create_only();
  return {.create_only = *m_create_only};
}

// A name that is free is to be given, one that is taken is not.
bool LocalStore::try_create_only() {
  const int root = m_root_fd.get();
  std::array<std::string, 2> files;
  std::size_t made = 0;
  for (auto& name : files) {
    name = temporary_name();
    if (!UniqueFd{::openat(root, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)}) break;
    ++made;
  }
  const std::string target = temporary_name();
  bool honoured = true;
  if (made == files.size()) {
    try {
      honoured = publish(root, files[0], root, target, PutMode::create_only, m_root / target) == true &&
                 publish(root, files[1], root, target, PutMode::create_only, m_root / target) == false;
    } catch (const SystemError&) {
      honoured = false;
    }
  }
  for (const auto& name : {files[0], files[1], target}) ::unlinkat(root, name.c_str(), 0);
  return honoured;
}

UniqueFd LocalStore::parent_for_writing(const std::string& key) {
  UniqueFd current = duplicate(m_root_fd.get(), m_root);
  const std::string_view parents = parent_of(key);
  std::size_t at = 0;
  while (at < parents.size()) {
    const std::size_t end = std::min(parents.find('/', at), parents.size());
    const std::string name{parents.substr(at, end - at)};
    const std::string directory{parents.substr(0, end)};
    const fs::path path = m_root / directory;
    auto next = open_component(current.get(), name, O_RDONLY | O_DIRECTORY, path);
    if (!next) {
      make_directory(current.get(), name, path);
      next = open_component(current.get(), name, O_RDONLY | O_DIRECTORY, path);
      if (!next) throw_errno("open", path.native(), ENOTDIR);
    }
    const auto is_durable = [&] {
      const std::lock_guard lock{m_mutex};
      return m_durable_directories.contains(directory);
    };
    if (!is_durable()) {
      sync_directory_fd(current.get(), path.parent_path());
      const std::lock_guard lock{m_mutex};
      m_durable_directories.insert(directory);
    }
    current = std::move(*next);
    at = end + 1;
  }
  return current;
}

// One that somebody else makes at the same time will do.
void LocalStore::make_directory(int parent, const std::string& name, const fs::path& path) const {
  const Permissions permissions = m_permissions;
  if (permissions == Permissions::group) return make_shared_directory(parent, name, path);
  const mode_t mode = permissions == Permissions::owner ? k_private_directory : 0777;
  if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST) {
    throw_errno("create directory", path.native(), errno);
  }
}

// It gets its name when it has its mode: before, the umask may keep out others of the group who want to use it.
void LocalStore::make_shared_directory(int parent, const std::string& name, const fs::path& path) const {
  const std::string temporary = temporary_name();
  if (::mkdirat(parent, temporary.c_str(), k_private_directory) != 0) {
    throw_errno("create directory", path.native(), errno);
  }
  {
    const auto fd = open_component(parent, temporary, O_RDONLY | O_DIRECTORY, path);
    // Only who is in the group may set the set-group-id bit; the others leave what the directory has from its parent.
    struct stat st {};
    if (fd && ::fstat(fd->get(), &st) == 0 && ::fchmod(fd->get(), k_shared_directory) != 0) {
      static_cast<void>(::fchmod(fd->get(), k_shared_directory & 0777U));
    }
  }
  if (m_new_name.rename(parent, temporary.c_str(), parent, name.c_str()) == 0) return;
  const int error = errno;
  ::unlinkat(parent, temporary.c_str(), AT_REMOVEDIR);
  if (error == EEXIST) return;
  // Network file systems have no RENAME_NOREPLACE.
  if (error != EINVAL && error != ENOSYS) throw_errno("create directory", path.native(), error);
  if (::mkdirat(parent, name.c_str(), k_shared_directory & 0777U) != 0) {
    if (errno == EEXIST) return;
    throw_errno("create directory", path.native(), errno);
  }
  const auto fd = open_component(parent, name, O_RDONLY | O_DIRECTORY, path);
  if (fd) static_cast<void>(::fchmod(fd->get(), k_shared_directory));
}

std::string LocalStore::temporary_holding(int parent, const std::string& key, const ObjectBody& body) {
  std::string name = temporary_name();
  const fs::path path = m_root / key;
  UniqueFd fd{
      ::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file_mode(m_permissions))};
  if (!fd) throw_errno("create", path.native(), errno);
  try {
    set_mode(fd.get(), m_permissions);
    if (body.file) {
      const UniqueFd source = open_file(*body.file, O_RDONLY | O_NOFOLLOW);
      Bytes buffer(k_copy_buffer);
      std::uint64_t done = 0;
      for (;;) {
        const std::size_t n = read_some(source.get(), buffer, *body.file);
        if (n == 0) break;
        done += n;
        if (done > body.size) break;
        write_all(fd.get(), ByteView{buffer}.first(n), path);
      }
      if (done != body.size) throw_wrong_size(*body.file, body.size);
    } else {
      write_all(fd.get(), body.memory, path);
    }
    sync_file(fd.get(), path);
    if (::close(fd.release()) != 0) throw_errno("close", path.native(), errno);
  } catch (...) {
    ::unlinkat(parent, name.c_str(), 0);
    throw;
  }
  return name;
}

PutOutcome LocalStore::put_below(int parent, const std::string& key, const ObjectBody& body, PutMode mode) {
  const std::string target{last_component(key)};
  const fs::path path = m_root / key;
  // The writer of the object that exists may have been killed before he had synced it.
  const auto exists = [&] {
    sync_directory_fd(parent, path.parent_path());
    return PutOutcome::exists;
  };
  // Spares the copy; the decision proper is publish()'s.
  if (mode == PutMode::create_only && ::faccessat(parent, target.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return exists();
  }
  std::optional<bool> published;
  if (body.file && body.consume_file && prepare_for_move(*body.file, body.size, m_permissions)) {
    published = publish(AT_FDCWD, body.file->native(), parent, target, mode, path);
  }
  if (!published) {
    const std::string temporary = temporary_holding(parent, key, body);
    try {
      published = publish(parent, temporary, parent, target, mode, path);
    } catch (...) {
      ::unlinkat(parent, temporary.c_str(), 0);
      throw;
    }
    if (!published.value_or(false)) ::unlinkat(parent, temporary.c_str(), 0);
  }
  if (!published.value_or(false)) return exists();
  sync_directory_fd(parent, path.parent_path());
  return PutOutcome::stored;
}

void LocalStore::make_durable(std::span<const std::string> keys) {
  as_store_error([&] {
    std::set<std::string_view> directories{""};
    for (const auto& key : keys) {
      require_valid_key(key);
      for (std::string_view parent = parent_of(key); !parent.empty(); parent = parent_of(parent)) {
        directories.insert(parent);
      }
    }
    for (const auto directory : directories) {
      count();
      const auto fd = open_directory(m_root_fd.get(), m_root, directory);
      if (fd) sync_directory_fd(fd->get(), m_root / directory);
    }
  });
}

PutOutcome LocalStore::put(const std::string& key, const ObjectBody& body, PutMode mode) {
  require_valid_key(key);
  count();
  return as_store_error([&] { return put_below(parent_for_writing(key).get(), key, body, mode); });
}

std::optional<Bytes> LocalStore::get(const std::string& key, std::optional<ByteRange> range) {
  require_valid_key(key);
  count();
  return as_store_error([&] {
    try {
      return get_below(key, range);
    } catch (const SystemError& e) {
      // A disk that cannot read one file, or a file system that finds it wrong, may well have the rest.
      if (e.number() != EIO && e.number() != EBADMSG && e.number() != EUCLEAN) throw;
      throw Error(ErrorKind::damaged, e.message(), e.hint());
    }
  });
}

std::optional<Bytes> LocalStore::get_below(const std::string& key, std::optional<ByteRange> range) {
  const fs::path path = m_root / key;
  const auto parent = open_directory(m_root_fd.get(), m_root, parent_of(key));
  if (!parent) return std::nullopt;
  // O_NONBLOCK: whatever else lies there (a FIFO), opening it must not hang.
  const auto fd = open_component(parent->get(), std::string{last_component(key)}, O_RDONLY | O_NONBLOCK, path);
  if (!fd) return std::nullopt;
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) throw_errno("stat", path.native(), errno);
  if (!S_ISREG(st.st_mode)) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(st.st_size);
  const std::uint64_t offset = range ? std::min(range->offset, size) : 0;
  const std::uint64_t length = range ? std::min(range->length, size - offset) : size;
  Bytes bytes(length);
  if (read_at(fd->get(), bytes, offset, path) != length) {
    throw StoreError(ErrorKind::failed, StoreError::Transient::no,
                     fmt::format("unable to read {}: the file shrank while it was read", quote(path.native())));
  }
  return bytes;
}

std::optional<ObjectInfo> LocalStore::head(const std::string& key) {
  require_valid_key(key);
  count();
  return as_store_error([&]() -> std::optional<ObjectInfo> {
    const auto parent = open_directory(m_root_fd.get(), m_root, parent_of(key));
    if (!parent) return std::nullopt;
    struct stat st {};
    if (::fstatat(parent->get(), std::string{last_component(key)}.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return std::nullopt;
      throw_errno("stat", (m_root / key).native(), errno);
    }
    if (!S_ISREG(st.st_mode)) return std::nullopt;
    return ObjectInfo{key, static_cast<std::uint64_t>(st.st_size), time_of(st.st_mtim)};
  });
}

void LocalStore::list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) {
  count();
  // The directories that the prefix names in full are walked to, not searched for.
  const std::string_view directory = parent_of(prefix);
  if (!directory.empty() && !is_valid_key(directory)) return;  // no key begins so
  // An exception of visit is the caller's and passes through unchanged.
  auto fd = as_store_error([&] { return open_directory(m_root_fd.get(), m_root, directory); });
  if (!fd) return;
  Lister lister{m_root, prefix, visit};
  lister.walk(fd->get(), directory.empty() ? std::string{} : std::string{directory} + "/");
}

std::vector<RemoveFailure> LocalStore::remove(std::span<const std::string> keys) {
  for (const auto& key : keys) require_valid_key(key);
  std::vector<RemoveFailure> failures;
  std::map<std::string_view, std::vector<const std::string*>> by_directory;
  for (const auto& key : keys) by_directory[parent_of(key)].push_back(&key);
  for (const auto& [directory, members] : by_directory) {
    const std::size_t failed_before = failures.size();
    try {
      const auto parent = open_directory(m_root_fd.get(), m_root, directory);
      if (!parent) continue;
      for (const std::string* key : members) {
        count();
        if (::unlinkat(parent->get(), std::string{last_component(*key)}.c_str(), 0) != 0 && errno != ENOENT) {
          failures.push_back({*key, errno_text(errno)});
        }
      }
      // Durable before the caller goes on: it removes what refers first, and then what was referred to.
      sync_directory_fd(parent->get(), m_root / directory);
    } catch (const Error& error) {
      failures.resize(failed_before);
      for (const std::string* key : members) failures.push_back({*key, error.message()});
    }
  }
  return failures;
}

Time LocalStore::now() {
  count();
  return as_store_error([&] {
    const std::string name = temporary_name(k_clock_word);
    const UniqueFd fd{::openat(m_root_fd.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!fd && (errno == EROFS || errno == EACCES || errno == EPERM)) {
      struct timespec time {};
      ::clock_gettime(CLOCK_REALTIME, &time);
      return time_of(time);
    }
    const int failure = errno;
    struct stat st {};
    if (!fd) {
      // A full disk gives its time to what is there already: a plan or a dry run, which store nothing, need no room.
      const bool full = failure == ENOSPC || failure == EDQUOT;
      if (full && ::futimens(m_root_fd.get(), nullptr) == 0 && ::fstat(m_root_fd.get(), &st) == 0) {
        return time_of(st.st_mtim);
      }
      throw_errno("create", (m_root / name).native(), failure);
    }
    const int result = ::fstat(fd.get(), &st);
    const int error = errno;
    ::unlinkat(m_root_fd.get(), name.c_str(), 0);
    if (result != 0) throw_errno("stat", (m_root / name).native(), error);
    return time_of(st.st_mtim);
  });
}

std::optional<fs::path> LocalStore::make_staging() {
  const std::string name{k_staging_name};
  if (::mkdirat(m_root_fd.get(), name.c_str(), k_private_directory) != 0 && errno != EEXIST) return std::nullopt;
  const UniqueFd fd{::openat(m_root_fd.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat st {};
  // In another user's directory he could put whatever he likes in place of what is prepared there.
  if (!fd || ::fstat(fd.get(), &st) != 0 || !is_own(m_root_fd.get(), st.st_uid)) return std::nullopt;
  if (::faccessat(m_root_fd.get(), name.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return std::nullopt;
  return m_root / name;
}

std::size_t LocalStore::sweep_temporaries(std::span<const std::string_view> directories, std::chrono::nanoseconds age) {
  Sweeper sweeper{now() - age};
  sweeper.sweep(m_root_fd.get(), m_root, Sweeper::Depth::this_one);
  for (const auto directory : directories) sweeper.sweep_in(m_root_fd.get(), m_root, directory);
  sweeper.empty_in(m_root_fd.get(), m_root, k_staging_name);
  return sweeper.removed();
}

}  // namespace cairn
