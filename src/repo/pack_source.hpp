// Where a fetcher of frames has its packs from: a store, or another one that has the same.
#pragma once

#include "repo/pack.hpp"
#include "repo/pack_directory.hpp"
#include "store/object_store.hpp"
#include "util/bytes.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn {

class PackSource;

// A pack with the same chunks in another store.
struct PackElsewhere {
  PackSource* from = nullptr;  // lives as long as who named it
  PackRef ref;
  std::string store;  // for messages
};

// Thread-safe. All but the notes throw Error(damaged) naming the pack, also where it is missing; Error(no_key) where it
// is sealed and no key at hand opens it; StoreError.
class PackSource {
 public:
  PackSource() = default;
  PackSource(const PackSource&) = delete;
  PackSource& operator=(const PackSource&) = delete;
  virtual ~PackSource() = default;

  // The directory of a pack, from wherever it is at hand; its logical id was recomputed.
  virtual std::shared_ptr<const PackDirectory> directory(const PackRef& ref) = 0;
  // As the store has it, whatever this host remembers. Read once.
  virtual std::shared_ptr<const PackDirectory> stored_directory(const PackRef& ref) = 0;
  // From bytes of the pack that were read in another way: checked and kept like any.
  virtual std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored) = 0;

  // A pack's stored bytes in the range; fewer, down to none, where it ends before the range does.
  virtual Bytes read_range(const PackRef& ref, ByteRange range) = 0;
  // Part of a pack's data part (offset counts from its start), decrypted where it is sealed. Exactly length bytes, else
  // Error(damaged).
  virtual Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                          std::uint64_t length) = 0;
  // The bytes that read_data() would give of a sealed pack, from those of its stored_range().
  virtual Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                            std::uint64_t length, ByteView stored) = 0;

  // The pack was found damaged.
  virtual void note_damaged(const PackRef& ref) = 0;
  // Asked when this source's own pack is of no use: those of the next store that has any, which is asked for what lies
  // beyond it where they are of no use either. May open stores.
  virtual std::vector<PackElsewhere> elsewhere(const PackRef&) { return {}; }
  // The reporter that is told of it.
  virtual Reporter& reporter() noexcept = 0;
};

}  // namespace cairn
