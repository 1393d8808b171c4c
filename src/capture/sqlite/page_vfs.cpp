#include "capture/sqlite/page_vfs.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <optional>

#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

constexpr const char* k_name = "cairn-pages";
constexpr int k_longest_name = 64;
constexpr int k_sector = 4096;

struct PageFile {
  sqlite3_file base;
  PageSupply* supply;
  std::size_t database;
  std::uint64_t size;
};

PageFile& file_of(sqlite3_file* file) noexcept {
  return *reinterpret_cast<PageFile*>(file);
}

int close_file(sqlite3_file*) {
  return SQLITE_OK;
}

int read_file_pages(sqlite3_file* file, void* to, int amount, sqlite3_int64 offset) {
  const PageFile& pages = file_of(file);
  auto* const out = static_cast<std::uint8_t*>(to);
  const auto at = static_cast<std::uint64_t>(offset);
  const auto wanted = static_cast<std::uint64_t>(amount);
  const std::uint64_t there = at >= pages.size ? 0 : std::min(wanted, pages.size - at);
  if (there != 0 && !pages.supply->read(pages.database, at, {out, static_cast<std::size_t>(there)})) {
    return SQLITE_IOERR_READ;
  }
  if (there == wanted) return SQLITE_OK;
  // The contract of xRead: what is not there is zeros.
  std::memset(out + there, 0, static_cast<std::size_t>(wanted - there));
  return SQLITE_IOERR_SHORT_READ;
}

int refuse_write(sqlite3_file*, const void*, int, sqlite3_int64) {
  return SQLITE_READONLY;
}
int refuse_truncate(sqlite3_file*, sqlite3_int64) {
  return SQLITE_READONLY;
}
int sync_nothing(sqlite3_file*, int) {
  return SQLITE_OK;
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(file_of(file).size);
  return SQLITE_OK;
}
int lock_nothing(sqlite3_file*, int) {
  return SQLITE_OK;
}
int tell_of_no_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int control_nothing(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
  return k_sector;
}
int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_IMMUTABLE;
}

// Version 1: no shared memory and no mapping.
const sqlite3_io_methods k_methods = [] {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;
  methods.xClose = close_file;
  methods.xRead = read_file_pages;
  methods.xWrite = refuse_write;
  methods.xTruncate = refuse_truncate;
  methods.xSync = sync_nothing;
  methods.xFileSize = size_of_file;
  methods.xLock = lock_nothing;
  methods.xUnlock = lock_nothing;
  methods.xCheckReservedLock = tell_of_no_lock;
  methods.xFileControl = control_nothing;
  methods.xSectorSize = sector_size;
  methods.xDeviceCharacteristics = characteristics;
  return methods;
}();

}  // namespace

struct PageVfs::State {
  State(PageSupply& from, std::vector<std::uint64_t> all) : supply(from), sizes(std::move(all)) {}

  static State& of(sqlite3_vfs* vfs) noexcept { return *static_cast<State*>(vfs->pAppData); }
  static sqlite3_vfs& below(sqlite3_vfs* vfs) noexcept { return *of(vfs).system; }

  std::optional<std::size_t> number(const char* name) const noexcept {
    if (name == nullptr) return std::nullopt;
    std::size_t number = 0;
    const char* const end = name + std::strlen(name);
    const auto parsed = std::from_chars(name, end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number >= sizes.size()) return std::nullopt;
    return number;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    file->pMethods = nullptr;
    const auto number = of(vfs).number(name);
    if (!number || (flags & SQLITE_OPEN_MAIN_DB) == 0) return SQLITE_CANTOPEN;
    new (file) PageFile{{&k_methods}, &of(vfs).supply, *number, of(vfs).sizes[*number]};
    if (out_flags != nullptr) *out_flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs*, const char*, int) { return SQLITE_IOERR_DELETE; }
  static int access(sqlite3_vfs*, const char*, int, int* answer) {
    *answer = 0;
    return SQLITE_OK;
  }
  static int full_name(sqlite3_vfs*, const char* name, int room, char* out) {
    if (std::strlen(name) >= static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
    std::strcpy(out, name);  // NOLINT(clang-analyzer-security.insecureAPI.strcpy): it fits
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int bytes, char* out) {
    return below(vfs).xRandomness(&below(vfs), bytes, out);
  }
  static int sleep(sqlite3_vfs* vfs, int microseconds) { return below(vfs).xSleep(&below(vfs), microseconds); }
  static int current_time(sqlite3_vfs* vfs, double* out) { return below(vfs).xCurrentTime(&below(vfs), out); }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
  static int current_time_64(sqlite3_vfs* vfs, sqlite3_int64* out) {
    return below(vfs).xCurrentTimeInt64(&below(vfs), out);
  }

  PageSupply& supply;
  std::vector<std::uint64_t> sizes;
  sqlite3_vfs* system = nullptr;
  sqlite3_vfs vfs{};
};

PageVfs::PageVfs(PageSupply& supply, std::vector<std::uint64_t> sizes)
    : m_state(std::make_unique<State>(supply, std::move(sizes))) {
  // Of its clock and its randomness alone.
  m_state->system = sqlite3_vfs_find("unix");
  sqlite3_vfs& vfs = m_state->vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(PageFile);
  vfs.mxPathname = k_longest_name;
  vfs.zName = k_name;
  vfs.pAppData = m_state.get();
  vfs.xOpen = State::open;
  vfs.xDelete = State::remove;
  vfs.xAccess = State::access;
  vfs.xFullPathname = State::full_name;
  vfs.xRandomness = State::randomness;
  vfs.xSleep = State::sleep;
  vfs.xCurrentTime = State::current_time;
  vfs.xGetLastError = State::last_error;
  vfs.xCurrentTimeInt64 = State::current_time_64;
  if (m_state->system == nullptr || sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
    throw Error(ErrorKind::failed, "unable to give SQLite a database: it takes no file system");
  }
}

PageVfs::~PageVfs() {
  sqlite3_vfs_unregister(&m_state->vfs);
}

const char* PageVfs::name() const noexcept {
  return k_name;
}

}  // namespace cairn::sqlite
