#include "engine/restore/move_journal.hpp"

#include "util/beneath.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::size_t k_length = 4;  // of a record, behind it: it is read from the end
// Somebody else removes and makes the name while it is moved.
constexpr int k_attempts = 3;

struct Seen {
  FileId id;
  bool directory = false;
};

std::optional<Seen> seen_at(int directory, const std::string& name) noexcept {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return Seen{id_of(status), S_ISDIR(status.st_mode)};
}

bool exchange(int from, int to, const std::string& name) noexcept {
  return ::renameat2(from, name.c_str(), to, name.c_str(), RENAME_EXCHANGE) == 0;
}

void put_text(Bytes& to, std::string_view text) {
  put_u32(to, static_cast<std::uint32_t>(text.size()));
  append(to, as_bytes(text));
}

std::string take_text(ByteView& from) {
  const std::size_t size = get_u32(from.data());
  std::string text{as_text(from.subspan(4, size))};
  from = from.subspan(4 + size);
  return text;
}

std::uint64_t take_number(ByteView& from) {
  const std::uint64_t number = get_u64(from.data());
  from = from.subspan(8);
  return number;
}

}  // namespace

MoveJournal::MoveJournal(int staging, int target, const fs::path& spool)
    : m_staging(staging), m_target(target), m_records(spool) {}

void MoveJournal::add(const Record& record) {
  Bytes out;
  out.push_back(static_cast<std::uint8_t>(record.kind));
  put_text(out, record.first);
  put_text(out, record.second);
  put_u64(out, record.id.device);
  put_u64(out, record.id.inode);
  put_u64(out, record.directory);
  if (record.kind == Kind::directory) {
    for (const auto& time : record.times) {
      put_u64(out, static_cast<std::uint64_t>(time.tv_sec));
      put_u64(out, static_cast<std::uint64_t>(time.tv_nsec));
    }
  }
  put_u32(out, static_cast<std::uint32_t>(out.size()));
  m_records.write(out);
}

MoveJournal::Record MoveJournal::read(std::uint64_t at, std::uint64_t end) {
  Bytes bytes(static_cast<std::size_t>(end - at));
  m_records.read(at, bytes);
  ByteView from{bytes};
  Record record;
  record.kind = static_cast<Kind>(from.front());
  from = from.subspan(1);
  record.first = take_text(from);
  record.second = take_text(from);
  record.id.device = take_number(from);
  record.id.inode = take_number(from);
  record.directory = take_number(from);
  if (record.kind == Kind::directory) {
    for (auto& time : record.times) {
      time.tv_sec = static_cast<time_t>(take_number(from));
      time.tv_nsec = static_cast<long>(take_number(from));
    }
  }
  return record;
}

MoveJournal::Record MoveJournal::moving(Kind kind, const std::string& name, const FileId& id) const {
  Record record;
  record.kind = kind;
  record.first = name;
  record.id = id;
  record.directory = m_directory;
  return record;
}

void MoveJournal::enter(const std::string& path, int from, int to) {
  struct stat status {};
  if (::fstat(to, &status) != 0) throw_errno("stat", path, errno);
  Record record;
  record.first = path;
  record.id = id_of(status);
  record.times[0].tv_nsec = UTIME_OMIT;
  record.times[1] = status.st_mtim;
  m_directory = m_records.size();
  m_from = from;
  m_to = to;
  add(record);
}

void MoveJournal::note_renamed(const std::string& from, const std::string& to) {
  const auto there = seen_at(m_to, to);
  Record record = moving(Kind::renamed, from, there ? there->id : FileId{});
  record.second = to;
  add(record);
}

int MoveJournal::place(const std::string& name) {
  const auto staged = seen_at(m_from, name);
  if (!staged) return errno;
  for (int attempt = 1;; ++attempt) {
    // Before it is done: what cannot be remembered must not be done.
    const std::uint64_t before = m_records.size();
    add(moving(Kind::created, name, staged->id));
    if (rename_new_at(m_from, name, m_to, name) == 0) return 0;
    int error = errno;
    m_records.truncate(before);
    if (error != EEXIST || staged->directory) return error;
    error = replace(name, staged->id);
    if (error != ENOENT || attempt == k_attempts) return error;
  }
}

int MoveJournal::replace(const std::string& name, const FileId& id) {
  const std::uint64_t before = m_records.size();
  add(moving(Kind::exchanged, name, id));
  if (exchange(m_from, m_to, name)) {
    // A directory that somebody put there meanwhile must not go with staging.
    const auto came = seen_at(m_from, name);
    if (came && !came->directory) return 0;
    if (exchange(m_from, m_to, name)) m_records.truncate(before);
    return EISDIR;
  }
  const int error = errno;
  m_records.truncate(before);
  const bool unknown = error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
  return unknown ? replace_without_exchange(name, id) : error;
}

int MoveJournal::replace_without_exchange(const std::string& name, const FileId& id) {
  const std::uint64_t before = m_records.size();
  Record record = moving(Kind::replaced, name, id);
  const std::string second = ".cairn-old-" + random_name();
  const bool linked = ::linkat(m_to, name.c_str(), m_from, second.c_str(), 0) == 0;
  if (linked) {
    record.kind = Kind::linked;
    record.second = second;
  }
  add(record);
  if (::renameat(m_from, name.c_str(), m_to, name.c_str()) == 0) return 0;
  const int error = errno;
  m_records.truncate(before);
  if (linked) ::unlinkat(m_from, second.c_str(), 0);
  return error;
}

// Empty, or why not. Somebody else may change names at the target meanwhile: what comes back into staging, and will be
// removed with it, is looked at once more when it is there.
std::string MoveJournal::put_back(const Record& move, const Pair& directories, bool& kept_in_staging) {
  const int from = directories.from.get();
  const int to = directories.to.get();
  const std::string& name = move.first;
  const bool holds_old = move.kind == Kind::exchanged || move.kind == Kind::linked;
  const std::string another = "something else took its place meanwhile";
  kept_in_staging = holds_old;
  if (id_at(to, move.kind == Kind::renamed ? move.second : name) != move.id) return another;
  int result = 0;
  switch (move.kind) {
    case Kind::created:
      result = rename_new_at(to, name, from, name);
      if (result != 0 || id_at(from, name) == move.id) break;
      kept_in_staging = rename_new_at(from, name, to, name) != 0;
      return another;
    case Kind::exchanged:
      result = exchange(from, to, name) ? 0 : -1;
      if (result != 0 || id_at(from, name) == move.id) break;
      kept_in_staging = true;
      return exchange(from, to, name) ? another : another + ", and is in staging";
    case Kind::linked:
      result = ::renameat(from, move.second.c_str(), to, name.c_str());
      break;
    case Kind::renamed:
      result = rename_new_at(to, move.second, to, name);
      break;
    default:
      return "the file system can exchange no files: it was replaced for good";
  }
  if (result != 0) return errno_text(errno);
  kept_in_staging = false;
  return {};
}

void MoveJournal::undo_all(Undone& undone) {
  Pair directories;
  Record entered;
  std::optional<std::uint64_t> open;
  for (std::uint64_t end = m_records.size(); end > 0;) {
    Bytes length(k_length);
    m_records.read(end - k_length, length);
    const std::uint64_t at = end - k_length - get_u32(length.data());
    const Record record = read(at, end - k_length);
    const std::uint64_t directory = record.kind == Kind::directory ? at : record.directory;
    if (open != directory) {
      Bytes head(5);  // kind, length of the path: long enough to find the end of the record
      open = directory;
      m_records.read(directory, head);
      const std::uint64_t size = 1 + 4 + get_u32(head.data() + 1) + 4 + 8 + 8 + 8 + 32;
      entered = read(directory, directory + size);
      directories.from = open_beneath(m_staging, entered.first, O_RDONLY | O_DIRECTORY);
      directories.to = open_beneath(m_target, entered.first, O_PATH | O_DIRECTORY);
      if (!directories.to || id_of(directories.to.get()) != entered.id) directories.to.reset();
    }
    end = at;
    if (record.kind == Kind::directory) {
      // Through a descriptor that may be opened with O_PATH only; times are a courtesy.
      if (directories.to) ::utimensat(directories.to.get(), "", record.times, AT_EMPTY_PATH);
      continue;
    }
    ++undone.moved;
    const bool reached = directories.from && directories.to;
    bool kept = record.kind == Kind::exchanged || record.kind == Kind::linked;
    const std::string wrong = reached ? put_back(record, directories, kept) : "its directory has gone";
    if (wrong.empty()) continue;
    if (undone.left++ == 0) {
      undone.first =
          fmt::format("{}: {}", quote(entered.first == "." ? record.first : entered.first + "/" + record.first), wrong);
    }
    undone.kept_in_staging |= kept;
  }
}

Undone MoveJournal::undo() noexcept {
  Undone undone;
  try {
    undo_all(undone);
  } catch (const std::exception& e) {
    // The record could not be read back: staging may hold anything.
    ++undone.left;
    undone.kept_in_staging = true;
    undone.first = e.what();
  }
  return undone;
}

}  // namespace cairn
