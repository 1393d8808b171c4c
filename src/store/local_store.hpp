// A directory as an object store: a key is a path below the root. Any number of processes may use one at once.
//
// An object is written under a temporary name in its own directory, fsynced, renamed, and the directory fsynced (each
// new parent too), so it is there whole and durable or not at all. Directories on the way to an object are never
// reached through a symbolic link; the root itself may be one.
#pragma once

#include "store/object_store.hpp"
#include "store/store_address.hpp"
#include "util/file.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>

namespace cairn {

class LocalStore : public ObjectStore {
 public:
  // The system calls that give a file a name which must not be taken. There are file systems that have neither (exFAT).
  struct NewName {
    using Call = int (*)(int from_directory, const char* from, int to_directory, const char* to);
    Call rename;
    Call link;
    static NewName real();
  };

  // Throws StoreError: not_found where root is not there (CreateRoot::no), failed where it is not a directory.
  explicit LocalStore(fs::path root, CreateRoot create = CreateRoot::no, NewName new_name = NewName::real());

  std::string describe() const override { return m_root.native(); }
  // Tried when it is first asked, with temporary files in the root. Where those cannot be made it counts as there: a
  // put will tell why not.
  Capabilities capabilities() override;
  void set_permissions(Permissions permissions) override;
  // From the root directory of the file system on, by modes; the owner is no other.
  bool readable_by_others(const std::string& key) override;
  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override;
  void make_durable(std::span<const std::string> keys) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  // The mtime that a file just created in the root has, or on a full disk the root itself once it was touched: on a
  // network file system the server's clock. Where this process may not write, this machine's clock: a plan, or a run
  // that stores nothing, needs no better one.
  Time now() override;
  std::optional<fs::path> root() const override { return m_root; }
  // Near, also where it may only be read. Of a directory on a network file system the server is asked, which reads
  // ahead too.
  Distance distance() const override { return Distance::near; }
  // Nothing, too, where it is another user's. Never listed.
  std::optional<fs::path> make_staging() override;
  std::uint64_t requests() const override { return m_requests.load(std::memory_order_relaxed); }

  // In the root and at any depth below the directories, files that have the very names that this class gives to
  // temporary ones; and all in the staging directory. The root may hold other things too.
  std::size_t sweep_temporaries(std::span<const std::string_view> directories,
                                std::chrono::nanoseconds age = std::chrono::hours{24}) override;

 private:
  bool try_create_only();
  std::optional<bool> publish(int from_directory, const std::string& from, int parent, const std::string& to,
                              PutMode mode, const fs::path& path) const;
  UniqueFd parent_for_writing(const std::string& key);
  void make_directory(int parent, const std::string& name, const fs::path& path) const;
  void make_shared_directory(int parent, const std::string& name, const fs::path& path) const;
  PutOutcome put_below(int parent, const std::string& key, const ObjectBody& body, PutMode mode);
  std::optional<Bytes> get_below(const std::string& key, std::optional<ByteRange> range);
  std::string temporary_holding(int parent, const std::string& key, const ObjectBody& body);
  void count() noexcept { m_requests.fetch_add(1, std::memory_order_relaxed); }

  fs::path m_root;
  NewName m_new_name;
  UniqueFd m_root_fd;
  bool m_made_root = false;
  std::atomic<Permissions> m_permissions{Permissions::umask};
  std::atomic<std::uint64_t> m_requests{0};
  std::mutex m_mutex;
  std::optional<bool> m_create_only;  // m_mutex
  // Directories whose own entry is known to be durable: another process may have made one and not yet synced it.
  std::set<std::string> m_durable_directories;
};

}  // namespace cairn
