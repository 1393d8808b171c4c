#include "capture/sqlite_slot.hpp"

#include "util/error.hpp"

#include <condition_variable>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn::sqlite {

namespace {

struct Registry {
  std::mutex mutex;
  std::condition_variable freed;
  std::multiset<FileId> open;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

bool is_under_capture(dev_t device, ino_t inode) {
  Registry& r = registry();
  const std::lock_guard lock{r.mutex};
  return r.open.contains({device, inode});
}

CaptureSlot::CaptureSlot(FileId database, const fs::path& path, std::chrono::steady_clock::time_point deadline) {
  Registry& r = registry();
  std::unique_lock lock{r.mutex};
  if (!r.freed.wait_until(lock, deadline, [&] { return !r.open.contains(database); })) {
    throw SourceError(ErrorKind::busy,
                      fmt::format("unable to open database {}: it is being captured already", quote(path.native())));
  }
  m_files.push_back(database);
  r.open.insert(database);
}

CaptureSlot::~CaptureSlot() {
  Registry& r = registry();
  {
    const std::lock_guard lock{r.mutex};
    for (const FileId& id : m_files) r.open.erase(r.open.find(id));
  }
  r.freed.notify_all();
}

void CaptureSlot::add_companions(const fs::path& database) {
  Registry& r = registry();
  for (const char* suffix : {"-wal", "-shm"}) {
    struct stat status {};
    if (::stat((database.native() + suffix).c_str(), &status) != 0) continue;
    const std::lock_guard lock{r.mutex};
    m_files.emplace_back(status.st_dev, status.st_ino);
    r.open.insert(m_files.back());
  }
}

}  // namespace cairn::sqlite
