#include "repo/cache.hpp"

#include "repo/own_packs.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>

namespace cairn {

namespace {

constexpr std::array<const char*, 7> k_kinds{"directories", "manifests", "heads", "marks", "drills", "own", "damaged"};
constexpr const char* k_swept = "swept";
constexpr std::chrono::hours k_sweep_interval{24};

// Zero where it cannot be told, so that nothing is old for that.
std::chrono::nanoseconds age_of(const fs::path& path) {
  std::error_code failed;
  const auto changed = fs::last_write_time(path, failed);
  return failed ? std::chrono::nanoseconds{0} : fs::file_time_type::clock::now() - changed;
}

}  // namespace

Cache::Cache(const fs::path& root, const std::string& store_id) {
  if (root.empty()) return;
  try {
    m_directory = root / store_id;
    // Old files of the cache are removed: nobody else must choose which ones those are. Looked at once more when it is
    // there, as it may have been made by somebody else meanwhile.
    const bool own = is_way_own(m_directory);
    for (const char* kind : k_kinds) {
      if (own) make_directories(m_directory / kind, 0700);
    }
    if (!own || !is_way_own(m_directory)) m_directory.clear();
  } catch (const Error&) {
    m_directory.clear();
  }
}

std::optional<Bytes> Cache::get(std::string_view kind, std::string_view name) const {
  if (m_directory.empty()) return std::nullopt;
  try {
    return read_file_if_exists(m_directory / kind / name);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void Cache::put(std::string_view kind, std::string_view name, ByteView bytes) const {
  if (m_directory.empty()) return;
  const fs::path path = m_directory / kind / name;
  const fs::path temporary = m_directory / kind / (".tmp-" + random_name());
  try {
    // No fsync: a torn file is noticed by its digest and fetched again.
    const UniqueFd fd = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    write_all(fd.get(), bytes, temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) ::unlink(temporary.c_str());
  } catch (const Error&) {
    ::unlink(temporary.c_str());
  }
}

std::optional<Bytes> Cache::get_of_size(std::string_view kind, const std::string& name, std::uint64_t size) const {
  auto kept = get(kind, name);
  const std::string before = fmt::format("{}\n", size);
  if (!kept || !as_text(*kept).starts_with(before)) return std::nullopt;
  kept->erase(kept->begin(), kept->begin() + static_cast<std::ptrdiff_t>(before.size()));
  return kept;
}

void Cache::put_of_size(std::string_view kind, const std::string& name, std::uint64_t size,
                        std::string_view text) const {
  put(kind, name, as_bytes(fmt::format("{}\n{}", size, text)));
}

std::vector<std::string> Cache::names(std::string_view kind) const {
  std::vector<std::string> out;
  if (m_directory.empty()) return out;
  std::error_code ignored;
  for (fs::directory_iterator at{m_directory / kind, ignored}, end; !ignored && at != end; at.increment(ignored)) {
    out.push_back(at->path().filename().native());
  }
  return out;
}

bool Cache::claim_sweep() const {
  if (m_directory.empty()) return false;
  const fs::path path = m_directory / k_swept;
  const bool due = age_of(path) >= k_sweep_interval;
  std::error_code failed;
  if (!due && fs::exists(path, failed)) return false;
  try {
    // Others who may write to the cache must not choose what file this makes, or makes look new.
    const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    return ::futimens(fd.get(), nullptr) == 0 && due;
  } catch (const std::exception&) {
    return false;
  }
}

void Cache::sweep(const std::function<bool(std::string_view kind, const std::string& name)>& keep) const {
  for (const char* kind : k_kinds) {
    for (const auto& name : names(kind)) {
      const fs::path path = m_directory / kind / name;
      if (!keep(kind, name) && age_of(path) >= k_sweep_interval) ::unlink(path.c_str());
    }
  }
}

RunJournal::RunJournal(const Cache& cache, const std::string& series, const std::string& run) {
  if (cache.directory().empty()) return;
  const fs::path directory = cache.directory() / "journal";
  try {
    make_directories(directory, 0700);
    m_path = directory / (series + "." + run);
    m_fd = open_file(m_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::flock(m_fd.get(), LOCK_EX | LOCK_NB);
    std::error_code ignored;
    for (fs::directory_iterator at{directory, ignored}, end; !ignored && at != end; at.increment(ignored)) {
      const fs::path path = at->path();
      const std::string name = path.filename().native();
      if (path != m_path && name.size() == series.size() + 33 && name.starts_with(series + ".")) read_abandoned(path);
    }
  } catch (const Error&) {
    m_fd.reset();
  }
}

void RunJournal::read_abandoned(const fs::path& path) {
  auto fd = open_file_if_exists(path, O_RDONLY);
  if (!fd || ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) return;
  const auto bytes = read_file_if_exists(path, 1ULL << 30);
  if (!bytes) return;
  std::string_view text = as_text(*bytes);
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (auto ref = parse_pack_line(text.substr(0, end))) m_abandoned.push_back(std::move(*ref));
    text.remove_prefix(end + 1);
  }
  m_old.push_back(path);
  m_old_locks.push_back(std::move(*fd));
}

void RunJournal::append(const PackRef& ref) {
  if (!m_fd) return;
  const std::scoped_lock lock{m_mutex};
  const std::string line = pack_line(ref) + "\n";
  try {
    write_all(m_fd.get(), as_bytes(line), m_path);
  } catch (const Error&) {
    m_fd.reset();  // a full cache costs a second store of these packs after a crash, nothing more
  }
}

void RunJournal::clear() {
  if (!m_path.empty()) ::unlink(m_path.c_str());
  for (const auto& path : m_old) ::unlink(path.c_str());
}

}  // namespace cairn
