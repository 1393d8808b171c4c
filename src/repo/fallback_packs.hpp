// Packs of one store, and of others where it has lost them, has damaged ones, or does not answer.
#pragma once

#include "repo/pack_source.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// A store to fall back on, opened when it is first needed.
struct FallbackStore {
  struct Opened {
    std::shared_ptr<PackSource> packs;
    std::vector<PackRef> refs;  // of the same snapshot there; none: it has no such snapshot
  };
  std::string name;
  // Throws Error; then nothing is taken from it, and a warning says why. Called once, by any thread.
  std::function<Opened()> open;
};

// Reads a pack from the first store. Where that fails, for whatever reason but a missing key, it is for the caller to
// ask for elsewhere(): packs of the other stores with the same logical id, store by store in their order. Since
// directories and chunks are checked by digests, it does not matter what another store is trusted with. A first store
// that did not answer once is not asked any more for what another has. Thread-safe.
class FallbackPacks : public PackSource {
 public:
  // first: outlives it.
  FallbackPacks(PackSource& first, std::vector<FallbackStore> others);
  ~FallbackPacks() override;

  std::shared_ptr<const PackDirectory> directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> stored_directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored) override;
  Bytes read_range(const PackRef& ref, ByteRange range) override;
  Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                  std::uint64_t length) override;
  Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length,
                    ByteView stored) override;
  void note_damaged(const PackRef& ref) override;
  std::vector<PackElsewhere> elsewhere(const PackRef& ref) override;
  Reporter& reporter() noexcept override { return m_first.reporter(); }

  // Of each store that something was read from: how many packs.
  struct Taken {
    std::string store;
    std::uint64_t packs = 0;
  };
  std::vector<Taken> taken() const;
  // Why the first store is not asked any more; nothing where it is.
  std::optional<std::string> away() const;

 private:
  class Place;
  template <class Read>
  auto read(const PackRef& ref, Read read);
  std::vector<PackElsewhere> counterparts(const PackRef& ref, std::size_t from_place);

  PackSource& m_first;
  std::vector<std::unique_ptr<Place>> m_places;
  mutable std::mutex m_mutex;
  std::optional<std::string> m_away;
};

}  // namespace cairn
