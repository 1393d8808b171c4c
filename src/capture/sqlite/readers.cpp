#include "capture/sqlite/readers.hpp"

#include "capture/sqlite/captured_image.hpp"
#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/identity.hpp"
#include "capture/sqlite/reader_process.hpp"
#include "util/beneath.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <list>
#include <map>
#include <mutex>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn::sqlite {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Beside waiting for locks and copying, nothing that the child does takes long; this bounds what was made to.
constexpr auto k_patience_beside = 60s;
constexpr std::uint64_t k_slowest_copy = 4 << 20;  // bytes a second
constexpr std::size_t k_idle_children = 8;
constexpr uid_t k_nobody = 65534;

[[noreturn]] void fail(const std::string& shown, int error_number) {
  throw SourceError(ErrorKind::failed, fmt::format("unable to open {}: {}", quote(shown), errno_text(error_number)));
}

std::optional<struct stat> status_of(const DatabasePlace& place, const char* suffix) {
  return status_beside(place.directory, place.name, suffix);
}

UniqueFd open_regular(const DatabasePlace& place, const char* suffix) {
  const std::string name = place.name + suffix;
  UniqueFd fd{retry_interrupted([&] {
    return ::openat(place.directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  })};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) fail(place.shown + suffix, errno);
  if (!S_ISREG(status.st_mode)) {
    throw DatabaseError(DatabaseError::Cause::content, ErrorKind::failed,
                        fmt::format("unable to read database {}: {} is no regular file", quote(place.shown),
                                    quote(place.shown + suffix)),
                        "");
  }
  return fd;
}

}  // namespace

bool is_roots_alone(const DatabasePlace& place) {
  struct stat directory {};
  if (::fstat(place.directory, &directory) != 0 || directory.st_uid != 0) return false;
  if ((directory.st_mode & S_IWOTH) != 0 && (directory.st_mode & S_ISVTX) == 0) return false;
  const auto is_others = [&](const char* suffix) {
    const auto status = status_of(place, suffix);
    return status && status->st_uid != 0;
  };
  return !is_others("") && std::none_of(k_companions.begin(), k_companions.end(), is_others);
}

// Processes that databases under way keep alive.
class Readers::Pool {
 public:
  explicit Pool(SqliteOptions options) : m_options(std::move(options)) {}

  // owner: databases of different ones do not share a child, whatever its identity.
  struct Key {
    Identity identity;
    uid_t owner = 0;
    auto operator<=>(const Key&) const = default;
  };
  std::unique_ptr<ReaderProcess> take(const Key& key);
  void give_back(const Key& key, std::unique_ptr<ReaderProcess> child);

  Identity identity_of(uid_t user, gid_t file_group);

  std::chrono::milliseconds time_for_locks(Round round);
  void spend(Nanoseconds waited);

  // Room for a copy, until it is freed again. Gives a text that says why there is none, or nothing.
  std::string reserve(std::uint64_t bytes);
  void free(std::uint64_t bytes);
  fs::path staging_parent() const {
    return m_options.staging_parent ? *m_options.staging_parent : temporary_directory();
  }
  const SqliteOptions& options() const noexcept { return m_options; }

 private:
  struct Idle {
    Key key;
    std::unique_ptr<ReaderProcess> child;
  };
  const SqliteOptions m_options;
  std::mutex m_mutex;
  std::list<Idle> m_idle;  // the one that rested longest first
  std::map<std::pair<uid_t, gid_t>, Identity> m_identities;
  Nanoseconds m_waited{0};
  std::uint64_t m_reserved = 0;
};

std::unique_ptr<ReaderProcess> Readers::Pool::take(const Key& key) {
  {
    const std::lock_guard lock{m_mutex};
    const auto at = std::find_if(m_idle.begin(), m_idle.end(), [&](const Idle& idle) { return idle.key == key; });
    if (at != m_idle.end()) {
      auto child = std::move(at->child);
      m_idle.erase(at);
      return child;
    }
  }
  return std::make_unique<ReaderProcess>(key.identity);
}

void Readers::Pool::give_back(const Key& key, std::unique_ptr<ReaderProcess> child) {
  std::unique_ptr<ReaderProcess> oldest;  // ended outside the lock
  const std::lock_guard lock{m_mutex};
  m_idle.push_back({key, std::move(child)});
  if (m_idle.size() <= k_idle_children) return;
  oldest = std::move(m_idle.front().child);
  m_idle.pop_front();
}

Identity Readers::Pool::identity_of(uid_t user, gid_t file_group) {
  {
    const std::lock_guard lock{m_mutex};
    const auto known = m_identities.find({user, file_group});
    if (known != m_identities.end()) return known->second;
  }
  Identity identity = identity_of_user(user, file_group);
  const std::lock_guard lock{m_mutex};
  return m_identities.insert_or_assign({user, file_group}, std::move(identity)).first->second;
}

std::chrono::milliseconds Readers::Pool::time_for_locks(Round round) {
  const std::lock_guard lock{m_mutex};
  const Nanoseconds all = m_options.lock_budget;
  const Nanoseconds left = (round == Round::last ? all : all / 2) - m_waited;
  return std::min(m_options.busy_timeout, std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left), 0ms));
}

void Readers::Pool::spend(Nanoseconds waited) {
  const std::lock_guard lock{m_mutex};
  m_waited += std::min<Nanoseconds>(waited, m_options.busy_timeout + 1s);
}

std::string Readers::Pool::reserve(std::uint64_t bytes) {
  const fs::path parent = staging_parent();
  const std::uint64_t there = free_space(parent);
  const std::lock_guard lock{m_mutex};
  // Half of what is free is for others, as for all that is put there on the way.
  if (bytes > there / 2 || m_reserved > there / 2 - bytes) {
    return fmt::format("a copy of it takes up to {}, and half of what is free in {} is {}", format_size(bytes),
                       quote(parent.native()), format_size(there / 2));
  }
  m_reserved += bytes;
  return {};
}

void Readers::Pool::free(std::uint64_t bytes) {
  const std::lock_guard lock{m_mutex};
  m_reserved -= bytes;
}

// One database on its way.
class Readers::Attempt {
 public:
  Attempt(std::shared_ptr<Pool> pool, const DatabasePlace& place, Round round)
      : m_pool(std::move(pool)), m_place(place), m_round(round) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { m_pool->free(m_reserved); }

  std::unique_ptr<PageImage> open();

 private:
  using Reach = OpenRequest::Reach;

  // A child that has it open, or the room that its copy takes.
  class Hold : public DatabaseHold {
   public:
    Hold(std::shared_ptr<Pool> pool, Pool::Key key, std::unique_ptr<ReaderProcess> child, std::string shown,
         std::uint64_t reserved)
        : m_pool(std::move(pool)),
          m_key(std::move(key)),
          m_child(std::move(child)),
          m_shown(std::move(shown)),
          m_reserved(reserved) {}
    ~Hold() override { m_pool->free(m_reserved); }
    Released release() override;

   private:
    std::shared_ptr<Pool> m_pool;
    Pool::Key m_key;
    std::unique_ptr<ReaderProcess> m_child;  // null: nothing is held
    std::string m_shown;
    std::uint64_t m_reserved;
  };

  std::unique_ptr<PageImage> open_as_root(const struct stat& database);
  std::unique_ptr<PageImage> open_by_name(const Identity& identity, bool demanding);
  std::unique_ptr<PageImage> open_by_descriptor();
  std::unique_ptr<PageImage> ask(const Identity& identity, OpenRequest request, const std::vector<int>& descriptors);
  void give_temporary_file(ReaderProcess& child, std::uint64_t bytes);
  std::unique_ptr<PageImage> make_image(Opened opened, std::vector<UniqueFd> descriptors, const Pool::Key& key,
                                        std::unique_ptr<ReaderProcess> child);
  [[noreturn]] static void fail(const Failed& failed);

  std::shared_ptr<Pool> m_pool;
  const DatabasePlace& m_place;
  Round m_round;
  uid_t m_owner = 0;
  std::uint64_t m_bytes = 0;  // of all of its files, on the disk
  UniqueFd m_copy;            // the first temporary file
  std::uint64_t m_reserved = 0;
  std::optional<Failed> m_unreachable;
};

Released Readers::Attempt::Hold::release() {
  if (!m_child) return {true, {}};
  m_child->send(MessageWriter{}.number(0).bytes());
  const auto answer = m_child->receive(Clock::now() + k_patience_beside, m_shown);
  const auto* const released = std::get_if<Released>(&answer.reply);
  if (released == nullptr) {
    if (const auto* const failed = std::get_if<Failed>(&answer.reply)) fail(*failed);
    throw ReaderGone(
        ErrorKind::failed,
        fmt::format("unable to read database {}: the process that reads it talks nonsense", quote(m_shown)));
  }
  m_pool->give_back(m_key, std::move(m_child));
  return *released;
}

void Readers::Attempt::fail(const Failed& failed) {
  // Of the kinds that there are, only these can come from a source.
  const bool known = failed.kind == ErrorKind::busy || failed.kind == ErrorKind::usage;
  const auto cause =
      failed.cause == Failed::Cause::content ? DatabaseError::Cause::content : DatabaseError::Cause::other;
  throw DatabaseError(cause, known ? failed.kind : ErrorKind::failed, failed.message, failed.hint);
}

std::unique_ptr<PageImage> Readers::Attempt::open() {
  const auto database = status_of(m_place, "");
  if (!database) sqlite::fail(m_place.shown, errno);
  if (id_of(*database) != m_place.file || !S_ISREG(database->st_mode)) {
    throw SourceError(ErrorKind::failed,
                      fmt::format("unable to open {}: it was replaced meanwhile", quote(m_place.shown)));
  }
  m_owner = database->st_uid;
  for (const char* suffix : k_files_of_state) {
    if (const auto status = status_of(m_place, suffix)) m_bytes += static_cast<std::uint64_t>(status->st_blocks) * 512;
  }
  std::unique_ptr<PageImage> image;
  try {
    if (::geteuid() != 0) {
      image = open_by_name(own_identity(), false);
    } else {
      image = open_as_root(*database);
    }
  } catch (const ReaderNotStarted&) {
    // This process may not become others: what it may read itself can be copied all the same.
  }
  return image ? std::move(image) : open_by_descriptor();
}

// Null where nobody who should has the rights.
std::unique_ptr<PageImage> Readers::Attempt::open_as_root(const struct stat& database) {
  // Root without capabilities still owns the system's files: it reads nothing that others have a hand in.
  if (m_owner == 0 && !is_roots_alone(m_place)) return nullptr;
  const Identity owner = m_pool->identity_of(m_owner, database.st_gid);
  const auto index = status_of(m_place, k_index);
  const bool another = index && index->st_uid != m_owner && index->st_uid != 0;
  auto image = open_by_name(owner, another);
  if (image || !another) return image;
  image = open_by_name(m_pool->identity_of(index->st_uid, index->st_gid), true);
  return image ? std::move(image) : open_by_name(owner, false);
}

// Null where that identity cannot reach it.
std::unique_ptr<PageImage> Readers::Attempt::open_by_name(const Identity& identity, bool demanding) {
  OpenRequest request;
  request.name = m_place.name;
  request.demanding = demanding;
  return ask(identity, std::move(request), {m_place.directory});
}

std::unique_ptr<PageImage> Readers::Attempt::open_by_descriptor() {
  OpenRequest request;
  request.reach = Reach::by_descriptor;
  std::vector<UniqueFd> files;
  std::vector<FileId> ids;
  std::vector<int> descriptors;
  for (const char* suffix : k_files_of_state) {
    if (!status_of(m_place, suffix) && *suffix != '\0') {
      ids.emplace_back();
      continue;
    }
    files.push_back(open_regular(m_place, suffix));
    struct stat status {};
    if (::fstat(files.back().get(), &status) != 0) sqlite::fail(m_place.shown, errno);
    ids.push_back(id_of(status));
    descriptors.push_back(files.back().get());
    if (*suffix == '\0') continue;
    (std::string_view{suffix} == k_log ? request.has_wal : request.has_journal) = true;
  }
  if (ids.front() != m_place.file) {
    throw SourceError(ErrorKind::failed,
                      fmt::format("unable to open {}: it was replaced meanwhile", quote(m_place.shown)));
  }
  std::unique_ptr<PageImage> image;
  if (::geteuid() == 0) {
    try {
      image = ask(m_pool->identity_of(m_owner != 0 || is_roots_alone(m_place) ? m_owner : k_nobody, 0), request,
                  descriptors);
    } catch (const ReaderNotStarted&) {
    }
  }
  if (!image) image = ask(own_identity(), request, descriptors);
  if (!image) fail(*m_unreachable);
  // Descriptors do not tell of a name that is another file's by now.
  std::size_t i = 0;
  for (const char* suffix : k_files_of_state) {
    const auto now = status_of(m_place, suffix);
    if ((now ? id_of(*now) : FileId{}) != ids[i++]) {
      throw SourceError(ErrorKind::busy, fmt::format("unable to copy database {}: its files were replaced meanwhile",
                                                     quote(m_place.shown)));
    }
  }
  return image;
}

std::unique_ptr<PageImage> Readers::Attempt::ask(const Identity& identity, OpenRequest request,
                                                 const std::vector<int>& descriptors) {
  const Pool::Key key{identity, m_owner};
  auto child = m_pool->take(key);
  request.name = m_place.name;
  request.file = m_place.file;
  request.shown = m_place.shown;
  request.patience = m_pool->time_for_locks(m_round);
  request.assume_local = m_pool->options().assume_local;
  const auto deadline =
      Clock::now() + request.patience + k_patience_beside + std::chrono::seconds{m_bytes / k_slowest_copy};
  m_copy.reset();
  child->send(encode(request), descriptors);
  while (true) {
    auto answer = child->receive(deadline, m_place.shown);
    if (const auto* const wanted = std::get_if<TemporaryWanted>(&answer.reply)) {
      give_temporary_file(*child, wanted->bytes);
    } else if (const auto* const failed = std::get_if<Failed>(&answer.reply)) {
      m_pool->free(std::exchange(m_reserved, 0));
      m_pool->spend(failed->waited);
      m_pool->give_back(key, std::move(child));
      if (failed->cause != Failed::Cause::unreachable) fail(*failed);
      m_unreachable = *failed;
      return nullptr;
    } else if (auto* const opened = std::get_if<Opened>(&answer.reply)) {
      m_pool->spend(opened->waited);
      return make_image(std::move(*opened), std::move(answer.descriptors), key, std::move(child));
    }
  }
}

void Readers::Attempt::give_temporary_file(ReaderProcess& child, std::uint64_t bytes) {
  const std::string refused = m_pool->reserve(bytes);
  if (!refused.empty()) {
    child.send(
        MessageWriter{}.text(fmt::format("unable to copy database {}: {}", quote(m_place.shown), refused)).bytes());
    return;
  }
  m_reserved += bytes;
  UniqueFd file = open_nameless_file(m_pool->staging_parent());
  child.send(MessageWriter{}.text("").bytes(), {file.get()});
  if (!m_copy) m_copy = std::move(file);
}

std::unique_ptr<PageImage> Readers::Attempt::make_image(Opened opened, std::vector<UniqueFd> descriptors,
                                                        const Pool::Key& key, std::unique_ptr<ReaderProcess> child) {
  constexpr std::array<std::string_view, 3> k_modes{"wal", "backup", "staged"};
  if (std::find(k_modes.begin(), k_modes.end(), opened.mode) == k_modes.end()) opened.mode = "staged";
  if (opened.kind != Opened::Kind::overlay) m_pool->give_back(key, std::move(child));
  auto hold = std::make_unique<Hold>(m_pool, key, std::move(child), m_place.shown, std::exchange(m_reserved, 0));
  if (opened.kind == Opened::Kind::staged) {
    descriptors.clear();
    if (m_copy) descriptors.push_back(std::move(m_copy));
  }
  return std::make_unique<CapturedImage>(opened, std::move(descriptors), m_place.file, m_place.shown, std::move(hold));
}

Readers::Readers(SqliteOptions options) : m_pool(std::make_shared<Pool>(std::move(options))) {}

Readers::~Readers() = default;

std::unique_ptr<PageImage> Readers::open(const DatabasePlace& place, Round round) {
  return Attempt{m_pool, place, round}.open();
}

}  // namespace cairn::sqlite
