// The duties of a store, so that the format is safe on it. Two implementations (local directory, S3), and decorators
// (retrying, test faults) around them; one conformance suite holds all of them to this text.
#pragma once

#include "codec/digest.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  Time modified;  // by the store's clock; whole seconds on S3
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// The bytes of an object to be put: memory, or a file that stays unchanged until put() returns. Can be read any number
// of times (a retry starts again). `sha256`, where the caller knows it already, saves the store from computing it.
struct ObjectBody {
  ByteView memory;
  std::optional<fs::path> file;
  std::uint64_t size = 0;
  std::optional<Digest> sha256;
  // The store may rename the file into its place instead of copying; the caller does not need it afterwards.
  bool consume_file = false;
  // Its content grows old: tried again for no longer than a retry's budget from the beginning, however long the
  // attempts take.
  bool ages = false;

  static ObjectBody from_memory(ByteView bytes);
  static ObjectBody from_text(std::string_view text) { return from_memory(as_bytes(text)); }
  static ObjectBody from_file(fs::path path, std::uint64_t size);
};

enum class PutMode {
  replace,      // last writer wins
  create_only,  // PutOutcome::exists, nothing changed, where the key is taken; only if capabilities().create_only
};
enum class PutOutcome { stored, exists };

struct Capabilities {
  bool create_only = false;  // probed, not assumed
};

// How long a request to the store takes before its first byte comes.
enum class Distance {
  near,  // it is answered at once, and the system reads ahead by itself
  far,   // a network lies between
};

// The users who may read and change objects, where those are files: all whom the umask of their writer lets (stores
// made before this was recorded), the writer alone, or his group, too.
enum class Permissions { umask, owner, group };

struct RemoveFailure {
  std::string key;
  std::string message;
};

// Keys are relative to the store's root: ASCII [A-Za-z0-9._/-], no empty, "." or ".." component. All methods may be
// called from several threads at once. Failure is a StoreError (kind not_found for a missing bucket or root, failed
// for the rest, damaged for a body that fails its checksum), and means that the effect may or may not have taken place.
class ObjectStore {
 public:
  ObjectStore() = default;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  virtual ~ObjectStore() = default;

  // For messages: the URL, no secrets.
  virtual std::string describe() const = 0;
  virtual Capabilities capabilities() = 0;
  // Finds out whether create-only PUT is honoured, and makes capabilities() say so. On S3 it takes two PUTs of a tiny
  // object below "probe/", which stays behind where nothing may be deleted: for init only. Other runs hand over what
  // init recorded.
  virtual bool probe_create_only() { return capabilities().create_only; }
  virtual void set_create_only(bool probed) { static_cast<void>(probed); }
  // Tells the permissions that the store's descriptor names, before anything is put.
  virtual void set_permissions(Permissions permissions) { static_cast<void>(permissions); }
  // Whether other users of this machine may read the object. False where that is not seen.
  virtual bool readable_by_others(const std::string& key) {
    static_cast<void>(key);
    return false;
  }

  // Returns only when the object is durable and visible to get, head and list of every client. Atomic: a reader sees
  // the whole object or none of it. The transfer is checked by the store (checksum).
  virtual PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) = 0;

  // Nothing where the object does not exist; Error(damaged), no StoreError, where the medium does not give its bytes
  // back, though it may those of others. A range is cut at the end of the object; one that begins at or past the
  // end gives no bytes. Never returns fewer bytes than the object has in the range.
  virtual std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) = 0;
  virtual std::optional<ObjectInfo> head(const std::string& key) = 0;

  // Every object whose key starts with prefix (any text, not only whole components), ascending bytewise by key.
  // Objects put or removed during the listing may or may not be seen; all others are seen exactly once.
  virtual void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) = 0;

  // The same from the first key greater than `after` on: how a listing that broke off is taken up again. Stores that
  // can begin in the middle do; others skip.
  virtual void list_after(const std::string& prefix, const std::string& after,
                          const std::function<void(const ObjectInfo&)>& visit);

  // For what somebody else put or removed and that was only seen, or seen to be gone, perhaps before his call returned:
  // returns when that is as durable as after it. To be called before something that must not be lost relies on it.
  virtual void make_durable(std::span<const std::string> keys) { static_cast<void>(keys); }

  // Removes the keys; a key that is not there counts as removed. Returns those that could not be removed.
  virtual std::vector<RemoveFailure> remove(std::span<const std::string> keys) = 0;

  // The store's own clock, not this machine's: what object times are compared with. Resolution 1 s or better.
  virtual Time now() = 0;

  // The directory that the store is, where it is one here; nothing where it is reached in another way.
  virtual std::optional<fs::path> root() const { return std::nullopt; }
  // Whether a request takes longer on its way than its bytes do: then it pays to ask for much at a time, and ahead.
  virtual Distance distance() const { return Distance::far; }
  // Makes, where there is none yet, a directory on the store's own file system for preparing large objects, so that
  // put() of a consumed file is a rename. Nothing where the store has no such place, or this process may not write
  // there. For who is about to put: a plan and a reader leave the store as it is.
  virtual std::optional<fs::path> make_staging() { return std::nullopt; }

  // Removes what interrupted writers left that no listing shows and that is older than age by the store's clock.
  // directories: first components that keys have; nothing is looked for below others, which may be somebody else's.
  // Returns how many; what cannot be opened or removed is left.
  virtual std::size_t sweep_temporaries(std::span<const std::string_view> directories,
                                        std::chrono::nanoseconds age = std::chrono::hours{24}) {
    static_cast<void>(directories);
    static_cast<void>(age);
    return 0;
  }

  // Requests sent so far, for statistics. A local store counts calls.
  virtual std::uint64_t requests() const { return 0; }
};

}  // namespace cairn
