#include "engine/follow/standby_memory.hpp"

#include "engine/follow/local_changes.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/open_directories.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

// The clock that stamps files goes in steps, of 10 ms at most: a file that is written in the same step in which it was
// put in place would have the same stamp.
constexpr std::chrono::milliseconds k_clock_step{20};
constexpr std::uint64_t k_next_limit = 256;

// How names at the target are once a restore is through.
class PlacedStamps {
 public:
  explicit PlacedStamps(const RestoreTarget& target)
      : m_single(target.shape() == RestoreTarget::Shape::single_file), m_target(target) {
    if (target.directory() < 0) {
      // It was not there when the target was looked at.
      m_made = open_file(m_single ? target.path().parent_path() : target.path(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    }
    m_open.emplace(m_made ? m_made.get() : target.directory());
  }

  std::optional<struct stat> look(const std::string& path) {
    const SplitPath at = m_single ? SplitPath{".", m_target.name()} : split_path(path);
    const auto directory = m_open->open(at.parent);
    return directory ? status_at(directory->get(), at.name) : std::nullopt;
  }

 private:
  const bool m_single;
  const RestoreTarget& m_target;
  UniqueFd m_made;
  std::optional<OpenDirectories> m_open;
};

// Of what was put there just now. Nothing where somebody wrote it in the meantime.
std::optional<FileStamp> stamp_of_placed(PlacedStamps& places, const PlannedEntry& planned) {
  const Entry& entry = planned.entry;
  const auto status = places.look(entry.path);
  if (!status || (status->st_mode & S_IFMT) != file_type(entry.type)) return std::nullopt;
  const FileStamp stamp = stamp_of(*status);
  const bool as_written = stamp.size == entry.size && stamp.mtime == entry.mtime.time_since_epoch().count();
  if (entry.type == EntryType::file && !as_written) return std::nullopt;
  return stamp;
}

bool has_stamp(EntryType type) noexcept {
  return type != EntryType::directory;
}

}  // namespace

StandbyMemory::StandbyMemory(fs::path file, fs::path spool)
    : m_file(std::move(file)), m_spool_directory(std::move(spool)) {
  load();
}

void StandbyMemory::load() {
  m_state = StandbyState::load(m_file);
  m_next.reset();
  if (const auto text = read_file_if_exists(next_file(), k_next_limit)) {
    // What cannot be read was never complete: then no name was changed yet.
    m_next = Digest::parse(as_text(*text));
  }
}

std::optional<Digest> StandbyMemory::in_place() const {
  if (m_next || !m_state) return std::nullopt;
  return m_state->snapshot();
}

std::vector<Digest> StandbyMemory::possible() const {
  std::vector<Digest> out;
  if (m_next) out.push_back(*m_next);
  if (m_state) out.push_back(m_state->snapshot());
  return out;
}

void StandbyMemory::begin(const Digest& snapshot, CheckTouched check) {
  m_snapshot = snapshot;
  m_check = std::move(check);
}

std::optional<KnownFile> StandbyMemory::replaced() {
  const auto entry = m_state ? m_state->with_spare() : std::nullopt;
  if (!entry) return std::nullopt;
  return KnownFile{*entry->spare, std::make_shared<const KnownExtents>(entry->spare_extents)};
}

void StandbyMemory::begin_plan() {
  m_planned = std::make_unique<SpoolFile>(m_spool_directory);
}

std::optional<KnownFile> StandbyMemory::at_target(const std::string& path) {
  auto entry = m_state ? m_state->find(path) : std::nullopt;
  if (!entry || !entry->stamp || !entry->extents) return std::nullopt;
  return KnownFile{*entry->stamp, std::make_shared<const KnownExtents>(std::move(*entry->extents))};
}

void StandbyMemory::plan_entry(const Entry& entry, const std::optional<KnownExtents>& extents) {
  StandbyEntry planned;
  planned.path = entry.path;
  planned.type = entry.type;
  planned.extents = extents;
  m_planned->write(encode(planned));
}

void StandbyMemory::check_plan(PreparedRestore& plan, const RestoreTarget& target) {
  if (!m_check) return;
  auto touched = touched_names(plan, target, m_state ? &*m_state : nullptr);
  if (!touched.empty()) m_check(std::move(touched), target);
}

void StandbyMemory::check_staged(PreparedRestore& plan, const RestoreTarget& target,
                                 const std::vector<RestoreProblem>& left_out) {
  if (!left_out.empty()) {
    const RestoreProblem& first = left_out.front();
    const bool unfit = first.kind == RestoreProblem::Kind::unfit;
    const std::string more = left_out.size() == 1 ? "" : fmt::format(", and {} more", left_out.size() - 1);
    throw Error(unfit ? ErrorKind::failed : ErrorKind::damaged,
                fmt::format("unable to restore all of snapshot {}: {}: {}{}", m_snapshot.short_hex(), quote(first.path),
                            first.message, more),
                "nothing was changed");
  }
  // Fetching took its time.
  check_plan(plan, target);
  write_file_atomic(next_file(), as_bytes(m_snapshot.hex()), 0600);
  m_next = m_snapshot;
}

// at: where it begins; moved on.
StandbyEntry StandbyMemory::next_planned(std::uint64_t& at) {
  Bytes bytes(4);
  m_planned->read(at, bytes);
  const std::uint32_t length = get_u32(bytes.data());
  bytes.resize(length);
  m_planned->read(bytes);
  at += 4 + std::uint64_t{length};
  auto entry = decode_standby_entry(bytes);
  if (!entry) throw Error(ErrorKind::failed, "unable to read back a spool file");
  return std::move(*entry);
}

// The file that gave way has what it had, if it is the one that is known, and SQLite, which settled it, wrote nothing.
void StandbyMemory::keep_spare(StandbyEntry& entry, const struct stat& replaced) const {
  auto before = m_state ? m_state->find(entry.path) : std::nullopt;
  if (!before || !before->stamp || !before->extents) return;
  const FileStamp now = stamp_of(replaced);
  const FileStamp& then = *before->stamp;
  if (now.id != then.id || now.size != then.size || now.mtime != then.mtime) return;
  entry.spare = now;
  entry.spare_extents = std::move(*before->extents);
}

void StandbyMemory::published(PreparedRestore& plan, const RestoreTarget& target,
                              const std::optional<struct stat>& replaced) {
  std::this_thread::sleep_for(k_clock_step);
  StandbyStateWriter writer{m_file, m_snapshot};
  PlacedStamps places{target};
  plan.steps.rewind();
  std::uint64_t at = 0;
  while (at < m_planned->size()) {
    check_interrupted();
    StandbyEntry entry = next_planned(at);
    if (entry.type == EntryType::hard_link) {
      // These come after all others in the steps.
      if (const auto status = places.look(entry.path)) entry.stamp = stamp_of(*status);
    } else {
      const auto planned = plan.steps.next_entry();
      if (!planned || planned->entry.path != entry.path) {
        throw Error(ErrorKind::failed, fmt::format("unable to read back the plan at {}", quote(entry.path)));
      }
      const bool kept = planned->action == EntryAction::keep && planned->seen != LocalFiles::k_none;
      if (kept && has_stamp(entry.type)) {
        entry.stamp = plan.local->get(planned->seen).stamp;
      } else if (has_stamp(entry.type)) {
        entry.stamp = stamp_of_placed(places, *planned);
      }
    }
    if (replaced && entry.type == EntryType::file) keep_spare(entry, *replaced);
    writer.add(entry);
  }
  writer.commit();
  if (::unlink(next_file().c_str()) != 0 && errno != ENOENT) throw_errno("remove", next_file().native(), errno);
  load();
}

}  // namespace cairn
