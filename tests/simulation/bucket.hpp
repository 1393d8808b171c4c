// The servers' side of a simulated store: objects, their times, what listings show. Hosts reach it through a
// Connection.
#pragma once

#include "random.hpp"
#include "store/object_store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::sim {

// How a store is for the length of a schedule.
struct BucketNature {
  std::size_t page_size = 1000;  // keys in one page of a listing
  bool create_only = true;
  bool locked = false;       // Object Lock: deletes and overwrites are refused
  Nanoseconds list_lag{};    // listings show the store as it was so long ago
  unsigned cut_listings{};   // so many listings, no more, end early without a word
  std::string cut_prefix{};  // only of keys that begin so
  // While it lasts, the store's clock is off: what is put gets its time from it.
  struct WrongClock {
    Time begin;
    Time end;
    Nanoseconds ahead{};          // may be negative
    std::optional<Time> instead;  // else: a clock that begins anew there, as one without a battery does
  };
  std::vector<WrongClock> wrong_clocks{};
};

class Bucket {
 public:
  using Content = std::shared_ptr<const Bytes>;
  struct Object {
    Content bytes;
    Time modified;  // by the store's clock
    Time born;      // by the world's: when the key came into being
  };

  Bucket(std::string name, BucketNature nature) : m_name(std::move(name)), m_nature(std::move(nature)) {}

  const std::string& name() const noexcept { return m_name; }
  const BucketNature& nature() const noexcept { return m_nature; }
  void set_nature(BucketNature nature) { m_nature = std::move(nature); }
  const std::map<std::string, Object>& objects() const noexcept { return m_objects; }
  Time clock(Time now) const;

  // now: the world's.
  const Object* find(const std::string& key) const;
  // Nothing where the key is taken and must not be.
  PutOutcome put(const std::string& key, Content bytes, PutMode mode, Time now);
  void remove(const std::string& key, Time now);

  // PUTs that nobody waits for any more, and that are still on their way to the servers.
  struct LatePut {
    Time at;  // the world's, when it takes effect
    std::string key;
    Content bytes;
    PutMode mode;
    std::optional<Time> marks_listed;  // by its writer, see Ledger::put()
    std::size_t run;
  };
  void delay(LatePut late) { m_late.push_back(std::move(late)); }
  // The one that takes effect first, if it has by now.
  std::optional<LatePut> take_late(Time now);
  // When the last of them will have.
  std::optional<Time> last_late() const;
  // One page of a listing behind a key; `more`: there is another one.
  struct Page {
    std::vector<ObjectInfo> objects;
    bool more = false;
  };
  Page page(const std::string& prefix, const std::string& after, Time now) const;
  // Whether this listing is to be cut short; each that is counts.
  bool take_cut(Random& random, const std::string& prefix, unsigned per_mille);

 private:
  struct Ghost {  // removed, and still seen by a listing that lags
    Object object;
    Time removed;
  };
  std::string m_name;
  BucketNature m_nature;
  std::map<std::string, Object> m_objects;
  std::map<std::string, Ghost> m_ghosts;
  std::vector<LatePut> m_late;
};

}  // namespace cairn::sim
