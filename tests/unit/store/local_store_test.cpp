#include "store/local_store.hpp"

#include "store/key.hpp"
#include "store/open.hpp"
#include "support/nobody.hpp"
#include "unit/skipped.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace cairn;

namespace {

constexpr std::array<std::string_view, 2> k_swept{"packs", "marks"};

std::vector<std::string> keys_of(ObjectStore& store, const std::string& prefix = "") {
  std::vector<std::string> keys;
  store.list(prefix, [&](const ObjectInfo& info) { keys.push_back(info.key); });
  return keys;
}

std::vector<std::string> names_below(const fs::path& root) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_directory()) names.push_back(fs::relative(entry.path(), root).native());
  }
  return names;
}

void make_old(const fs::path& path) {
  const struct timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

}  // namespace

TEST_CASE("local store: a missing root is not_found, unless it is to be made, then it is private") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path root = directory.path() / "new" / "store";
  try {
    const LocalStore store{root};
    FAIL("opened");
  } catch (const StoreError& error) {
    CHECK(error.kind() == ErrorKind::not_found);
    CHECK_FALSE(error.transient());
    CHECK(error.message() == "unable to open store " + quote(root.native()) + ": no such directory");
  }
  CHECK_FALSE(fs::exists(root));
  LocalStore made{root, CreateRoot::yes};
  made.put("a", ObjectBody::from_text("x"));
  CHECK((fs::status(root).permissions() & fs::perms::all) == fs::perms::owner_all);
  CHECK(keys_of(made) == std::vector<std::string>{"a"});
  LocalStore again{root / "", CreateRoot::yes};
  CHECK(keys_of(again) == std::vector<std::string>{"a"});
}

TEST_CASE("local store: a file as root is an error of its own") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  write_file_atomic(directory.path() / "file", as_bytes("x"));
  for (const auto create : {CreateRoot::no, CreateRoot::yes}) {
    try {
      const LocalStore store{directory.path() / "file", create};
      FAIL("opened");
    } catch (const StoreError& error) {
      CHECK(error.kind() == ErrorKind::failed);
    }
  }
}

TEST_CASE("local store: symbolic links below the root are not followed") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const TemporaryDirectory outside{fs::temp_directory_path()};
  write_file_atomic(outside.path() / "secret", as_bytes("secret"));
  fs::create_directory_symlink(outside.path(), directory.path() / "link");
  fs::create_symlink(outside.path() / "secret", directory.path() / "file");
  LocalStore store{directory.path()};
  CHECK_THROWS_AS(store.put("link/a", ObjectBody::from_text("x")), StoreError);
  CHECK_THROWS_AS(store.get("link/secret"), StoreError);
  CHECK_THROWS_AS(store.head("link/secret"), StoreError);
  CHECK_THROWS_AS(store.get("file"), StoreError);
  CHECK(store.remove(std::vector<std::string>{"link/secret"}).size() == 1);
  CHECK(keys_of(store).empty());
  CHECK(fs::exists(outside.path() / "secret"));
  CHECK(names_below(outside.path()).size() == 1);
  // A put replaces the link itself, and not what it points to.
  store.put("file", ObjectBody::from_text("object"));
  CHECK(as_text(read_file(outside.path() / "secret")) == "secret");
  CHECK(as_text(*store.get("file")) == "object");
}

TEST_CASE("local store: neither temporaries nor foreign names are listed") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  store.put("packs/aa", ObjectBody::from_text("x"));
  write_file_atomic(directory.path() / "lost+found", as_bytes("x"));
  write_file_atomic(directory.path() / "packs" / "bb~", as_bytes("x"));
  std::ofstream{directory.path() / "packs" / ".tmp-0011"} << "x";
  REQUIRE(store.make_staging());
  std::ofstream{*store.make_staging() / "pack"} << "x";
  REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);
  CHECK(keys_of(store) == std::vector<std::string>{"packs/aa"});
  CHECK(keys_of(store, ".tmp-").empty());
  CHECK(keys_of(store, ".tmp-staging/").empty());
  CHECK_FALSE(store.get("fifo"));
}

TEST_CASE("local store: a put leaves no temporary behind, whether it succeeds or not") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  store.put("a", ObjectBody::from_text("1"), PutMode::create_only);
  store.put("a", ObjectBody::from_text("2"), PutMode::create_only);
  store.put("a", ObjectBody::from_text("3"));
  CHECK_THROWS_AS(store.put("a/b", ObjectBody::from_text("below a file")), StoreError);
  store.put("d/e", ObjectBody::from_text("4"));
  CHECK_THROWS_AS(store.put("d", ObjectBody::from_text("over a directory")), StoreError);
  store.now();
  CHECK(names_below(directory.path()).size() == 2);
}

TEST_CASE("local store: a consumed file is moved, and its time is that of the put") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  const fs::path file = *store.make_staging() / "pack";
  write_file_atomic(file, as_bytes("content"));
  make_old(file);
  struct stat before {};
  REQUIRE(::stat(file.c_str(), &before) == 0);
  auto body = ObjectBody::from_file(file, 7);
  body.consume_file = true;
  CHECK(store.put("packs/x", body) == PutOutcome::stored);
  CHECK_FALSE(fs::exists(file));
  struct stat after {};
  REQUIRE(::stat((directory.path() / "packs/x").c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  CHECK(store.now() - store.head("packs/x")->modified < std::chrono::hours{1});
}

TEST_CASE("local store: a consumed file with a second link is copied, so that nobody can change the object") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  const fs::path file = *store.make_staging() / "pack";
  write_file_atomic(file, as_bytes("content"));
  fs::create_hard_link(file, directory.path() / ".tmp-second");
  auto body = ObjectBody::from_file(file, 7);
  body.consume_file = true;
  store.put("x", body);
  std::ofstream{directory.path() / ".tmp-second"} << "changed";
  CHECK(as_text(*store.get("x")) == "content");
}

TEST_CASE("local store: a consumed file from another file system is copied") {
  struct stat here {};
  struct stat there {};
  const TemporaryDirectory directory{fs::temp_directory_path()};
  if (::stat("/dev/shm", &there) != 0 || ::stat(directory.path().c_str(), &here) != 0 || here.st_dev == there.st_dev) {
    MESSAGE("skipped: no second file system at /dev/shm");
    return;
  }
  const TemporaryDirectory other{"/dev/shm"};
  write_file_atomic(other.path() / "pack", as_bytes("content"));
  auto body = ObjectBody::from_file(other.path() / "pack", 7);
  body.consume_file = true;
  LocalStore store{directory.path()};
  CHECK(store.put("x", body, PutMode::create_only) == PutOutcome::stored);
  CHECK(store.put("x", body, PutMode::create_only) == PutOutcome::exists);
  CHECK(store.put("y", body) == PutOutcome::stored);
  CHECK(as_text(*store.get("y")) == "content");
}

TEST_CASE("local store: create-only with a consumed file leaves both where the name is taken") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  const fs::path file = *store.make_staging() / "pack";
  write_file_atomic(file, as_bytes("second"));
  auto body = ObjectBody::from_file(file, 6);
  body.consume_file = true;
  store.put("x", ObjectBody::from_text("first"));
  CHECK(store.put("x", body, PutMode::create_only) == PutOutcome::exists);
  CHECK(as_text(read_file(file)) == "second");
  CHECK(as_text(*store.get("x")) == "first");
  CHECK(store.put("y", body, PutMode::create_only) == PutOutcome::stored);
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("local store: create-only is there where the file system has it") {
  using NewName = LocalStore::NewName;
  const NewName real = NewName::real();
  const NewName::Call invalid = [](int, const char*, int, const char*) {
    errno = EINVAL;
    return -1;
  };
  const NewName::Call not_permitted = [](int, const char*, int, const char*) {
    errno = EPERM;
    return -1;
  };
  const NewName::Call careless = [](int from_directory, const char* from, int to_directory, const char* to) {
    return ::renameat(from_directory, from, to_directory, to);
  };
  struct Case {
    NewName calls;
    bool create_only;
  };
  for (const auto& [calls, create_only] : std::vector<Case>{{real, true},
                                                            {{invalid, real.link}, true},
                                                            {{invalid, not_permitted}, false},
                                                            {{not_permitted, real.link}, false},
                                                            {{careless, real.link}, false}}) {
    const TemporaryDirectory directory{fs::temp_directory_path()};
    LocalStore store{directory.path(), CreateRoot::no, calls};
    CHECK(store.capabilities().create_only == create_only);
    CHECK(store.probe_create_only() == create_only);
    CHECK(names_below(directory.path()).empty());
    CHECK(store.put("a", ObjectBody::from_text("x")) == PutOutcome::stored);
    if (!create_only) continue;
    CHECK(store.put("b", ObjectBody::from_text("x"), PutMode::create_only) == PutOutcome::stored);
    CHECK(store.put("b", ObjectBody::from_text("y"), PutMode::create_only) == PutOutcome::exists);
  }
}

TEST_CASE("local store: the sweep takes old temporaries only") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  store.put("packs/aa/object", ObjectBody::from_text("x"));
  const fs::path staging = *store.make_staging();
  fs::create_directory(staging / "run");
  for (const fs::path& path :
       {directory.path() / ".tmp-0123456789abcdef", directory.path() / ".tmp-now-0123456789abcdef",
        directory.path() / "packs/aa/.tmp-0123456789abcdef", staging / "old", staging / "run" / "old",
        directory.path() / "packs/aa/object"}) {
    std::ofstream{path, std::ios::app} << "x";
    make_old(path);
  }
  make_old(staging / "run");
  for (const fs::path& path : {directory.path() / "packs/aa/.tmp-fedcba9876543210", staging / "new"})
    std::ofstream{path} << "x";
  CHECK(store.sweep_temporaries(k_swept) == 5);
  CHECK_FALSE(fs::exists(staging / "run"));
  CHECK(fs::exists(staging / "new"));
  CHECK(fs::exists(directory.path() / "packs/aa/.tmp-fedcba9876543210"));
  CHECK(keys_of(store) == std::vector<std::string>{"packs/aa/object"});
  CHECK(store.sweep_temporaries(k_swept) == 0);
}

TEST_CASE("local store: the sweep leaves what is not the store's, on a disk that holds other things too") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const TemporaryDirectory outside{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  store.put("packs/aa/object", ObjectBody::from_text("x"));
  std::vector<fs::path> others;
  for (const char* name :
       {".tmp-notes", ".tmp-0123456789abcde", ".tmp-0123456789abcdeg", ".tmp-0123456789ABCDEF", ".tmp-now-notes",
        "projects/app/.tmp-notes", "projects/app/.tmp-0123456789abcdef", "projects/app/.tmp-staging/thesis.tex",
        "packs/aa/.tmp-notes", "packs/.tmp-staging/thesis.tex", ".tmp-0011223344556677/.tmp-0123456789abcdef"}) {
    others.push_back(directory.path() / name);
  }
  others.push_back(outside.path() / ".tmp-0123456789abcdef");
  for (const auto& path : others) {
    fs::create_directories(path.parent_path());
    std::ofstream{path} << "x";
    make_old(path);
  }
  fs::create_directory_symlink(outside.path(), directory.path() / "marks");
  CHECK(store.sweep_temporaries(k_swept) == 0);
  for (const auto& path : others) {
    INFO(path);
    CHECK(fs::exists(path));
  }
}

TEST_CASE("local store: directories that may not be read stop neither a sweep nor a listing beside them") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path root = directory.path() / "disk";
  fs::create_directory(root);
  fs::permissions(root, static_cast<fs::perms>(0777));
  fs::permissions(directory.path(), static_cast<fs::perms>(0755));
  for (const char* name : {"private", "marks", ".tmp-staging"}) {
    fs::create_directory(root / name);
    fs::permissions(root / name, fs::perms::none);
  }
  CHECK(test::as_nobody([&] {
    LocalStore store{root};
    store.put("packs/aa/object", ObjectBody::from_text("x"));
    const fs::path left = root / "packs/aa/.tmp-0123456789abcdef";
    std::ofstream{left} << "x";
    make_old(left);
    return store.sweep_temporaries(k_swept) == 1 &&
           keys_of(store, "packs/") == std::vector<std::string>{"packs/aa/object"};
  }));
  for (const char* name : {"private", "marks", ".tmp-staging"}) fs::permissions(root / name, fs::perms::owner_all);
}

TEST_CASE("local store: a store that may only be read is readable") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore{directory.path()}.put("a/b", ObjectBody::from_text("x"));
  fs::permissions(directory.path(), static_cast<fs::perms>(0555));
  CHECK(test::as_nobody([&] {
    LocalStore store{directory.path()};
    const auto refuses_to_write = [&] {
      try {
        store.put("b", ObjectBody::from_text("x"));
        return false;
      } catch (const StoreError&) {
        return true;
      }
    };
    const auto here = std::chrono::system_clock::now();
    return as_text(*store.get("a/b")) == "x" && !store.make_staging() && refuses_to_write() &&
           store.distance() == Distance::near && store.root() == directory.path() &&
           abs(store.now() - here) < std::chrono::hours{1};
  }));
  fs::permissions(directory.path(), fs::perms::owner_all);
}

TEST_CASE("local store: a full disk has a clock") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const char* disk = directory.path().c_str();
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", disk, "tmpfs", 0, "size=1m,nr_inodes=8") != 0) {
      ::_exit(77);
    }
    bool right = false;
    try {
      LocalStore store{directory.path()};
      bool full = false;
      for (int i = 0; i < 10 && !full; ++i) full = !std::ofstream{directory.path() / std::to_string(i)};
      make_old(directory.path());
      right = full && abs(store.now() - std::chrono::system_clock::now()) < std::chrono::hours{1};
    } catch (const Error&) {
      right = false;
    }
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    test::tell_skipped("no file system can be mounted here", "a full disk");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("open store: paths and file URLs") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  SilentReporter reporter;
  const EnvironmentLookup nothing = [](std::string_view) { return std::nullopt; };
  const fs::path root = directory.path() / "a b";
  open_store({.url = root.native()}, nothing, reporter, CreateRoot::yes)->put("k", ObjectBody::from_text("v"));
  const auto by_url = open_store({.url = "file://" + directory.path().native() + "/a%20b"}, nothing, reporter);
  CHECK(as_text(*by_url->get("k")) == "v");
  CHECK_THROWS_AS(open_store({.url = (directory.path() / "none").native()}, nothing, reporter), StoreError);
  for (const char* bad : {"", "file://relative", "ftp://host/x", "file:///a%2", "file:///a?b=c"}) {
    INFO(bad);
    try {
      open_store({.url = bad}, nothing, reporter);
      FAIL("opened");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
    }
  }
}

namespace {

// Modes of everything in a store but what has a temporary name: of files, and of directories below the root.
struct Modes {
  std::set<mode_t> files;
  std::set<mode_t> directories;
};

Modes modes_below(const fs::path& root) {
  Modes modes;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().filename().native().starts_with(k_temporary_prefix)) continue;
    struct stat st {};
    REQUIRE(::lstat(entry.path().c_str(), &st) == 0);
    (S_ISDIR(st.st_mode) ? modes.directories : modes.files).insert(st.st_mode & 07777U);
  }
  return modes;
}

void put_both_ways(LocalStore& store) {
  store.put("packs/aa/from-memory", ObjectBody::from_text("x"));
  const auto staging = store.make_staging();
  REQUIRE(staging);
  write_file_atomic(*staging / "prepared", as_bytes("yz"));
  auto body = ObjectBody::from_file(*staging / "prepared", 2);
  body.consume_file = true;
  store.put("packs/bb/from-a-file", body);
  store.put("packs/bb/once", ObjectBody::from_text("x"), PutMode::create_only);
}

struct Umask {
  explicit Umask(mode_t mask) : before(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before); }
  mode_t before;
};

}  // namespace

TEST_CASE("local store: modes are what the store says, whatever the umask") {
  using Set = std::set<mode_t>;
  for (const mode_t mask : {0U, 022U, 077U, 027U}) {
    const Umask set{mask};
    const TemporaryDirectory directory{fs::temp_directory_path()};
    const auto made = [&](const char* name, Permissions permissions) {
      LocalStore store{directory.path() / name, CreateRoot::yes};
      store.set_permissions(permissions);
      put_both_ways(store);
      struct stat st {};
      REQUIRE(::stat((directory.path() / name).c_str(), &st) == 0);
      return st.st_mode & 07777U;
    };
    CHECK(made("owner", Permissions::owner) == 0700);
    CHECK(modes_below(directory.path() / "owner").files == Set{0600});
    CHECK(modes_below(directory.path() / "owner").directories == Set{0700});
    CHECK(made("group", Permissions::group) == 02770);
    CHECK(modes_below(directory.path() / "group").files == Set{0640});
    CHECK(modes_below(directory.path() / "group").directories == Set{02770});
    CHECK(made("umask", Permissions::umask) == (0700 & ~mask));
    CHECK(modes_below(directory.path() / "umask").directories == Set{0777 & ~mask});
  }
}

TEST_CASE("local store: what was there before keeps its mode, and what comes is private") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  fs::create_directories(directory.path() / "packs");
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  REQUIRE(::chmod((directory.path() / "packs").c_str(), 0755) == 0);
  LocalStore store{directory.path(), CreateRoot::yes};
  store.put("packs/before", ObjectBody::from_text("x"));
  store.set_permissions(Permissions::owner);
  store.put("packs/after", ObjectBody::from_text("x"));
  store.put("config/x", ObjectBody::from_text("x"));
  const auto mode = [&](const char* name) {
    struct stat st {};
    REQUIRE(::stat((directory.path() / name).c_str(), &st) == 0);
    return st.st_mode & 07777U;
  };
  CHECK(mode(".") == 0755);
  CHECK(mode("packs") == 0755);
  CHECK(mode("packs/after") == 0600);
  CHECK(mode("config") == 0700);
}

TEST_CASE("local store: two of a group put into the same new directories at once") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const Umask set{077};
  LocalStore{directory.path() / "store", CreateRoot::yes}.set_permissions(Permissions::group);
  std::vector<std::jthread> writers;
  std::atomic<int> failed{0};
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&, writer] {
      LocalStore store{directory.path() / "store"};
      store.set_permissions(Permissions::group);
      for (int i = 0; i < 200; ++i) {
        try {
          store.put(fmt::format("packs/{}/{}", i, writer), ObjectBody::from_text("x"));
        } catch (const Error&) {
          ++failed;
        }
      }
    });
  }
  writers.clear();
  CHECK(failed == 0);
  CHECK(modes_below(directory.path() / "store").directories == std::set<mode_t>{02770});
  LocalStore store{directory.path() / "store"};
  CHECK(keys_of(store).size() == 400);
}

TEST_CASE("local store: another user of the group reads, adds and removes") {
  if (!test::is_root_for("another user of the group")) return;
  const TemporaryDirectory directory{fs::temp_directory_path()};
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const fs::path root = directory.path() / "store";
  {
    const Umask set{077};
    LocalStore store{root, CreateRoot::yes};
    REQUIRE(::chown(root.c_str(), 0, 65534) == 0);
    store.set_permissions(Permissions::group);
    store.put("packs/aa/mine", ObjectBody::from_text("x"));
    store.put("packs/aa/pruned", ObjectBody::from_text("x"));
    REQUIRE(store.make_staging());
  }
  CHECK(test::as_nobody([&] {
    ::umask(077);
    LocalStore store{root};
    store.set_permissions(Permissions::group);
    if (!store.get("packs/aa/mine")) return false;
    store.put("packs/aa/his", ObjectBody::from_text("y"));
    store.put("packs/bb/his", ObjectBody::from_text("y"));
    // Staging that is another user's is none.
    return store.remove(std::vector<std::string>{"packs/aa/pruned"}).empty() && !store.make_staging();
  }));
  LocalStore store{root};
  CHECK(keys_of(store) == std::vector<std::string>{"packs/aa/his", "packs/aa/mine", "packs/bb/his"});
  store.set_permissions(Permissions::group);
  CHECK_NOTHROW(store.put("packs/bb/mine", ObjectBody::from_text("x")));
}

TEST_CASE("local store: who else can read an object") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path root = directory.path() / "store";
  const Umask set{022};
  LocalStore store{root, CreateRoot::yes};
  store.put("config/x", ObjectBody::from_text("x"));
  CHECK_FALSE(store.readable_by_others("config/x"));
  REQUIRE(::chmod(root.c_str(), 0755) == 0);
  CHECK_FALSE(store.readable_by_others("config/x"));  // the directory above is private
  REQUIRE(::chmod(directory.path().c_str(), 0711) == 0);
  CHECK(store.readable_by_others("config/x"));
  REQUIRE(::chmod((root / "config/x").c_str(), 0600) == 0);
  CHECK_FALSE(store.readable_by_others("config/x"));
  CHECK_FALSE(store.readable_by_others("config/none"));
}

TEST_CASE("local store: staging that is a link or another user's is not used") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const TemporaryDirectory outside{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  const fs::path staging = directory.path() / ".tmp-staging";
  fs::create_directory_symlink(outside.path(), staging);
  CHECK_FALSE(store.make_staging());
  fs::remove(staging);
  if (!test::is_root_for("a staging directory that is another's")) return;
  fs::create_directory(staging);
  REQUIRE(::chown(staging.c_str(), 12345, 12345) == 0);
  CHECK_FALSE(store.make_staging());
}
