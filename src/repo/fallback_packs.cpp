#include "repo/fallback_packs.hpp"

#include "repo/layout.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// A store that does not answer is like damage to its packs: they come from the next one.
Error unanswered(const PackRef& ref, const std::string& why) {
  return {ErrorKind::damaged, fmt::format("unable to read pack {}: {}", quote(layout::pack_key(ref.name)), why)};
}

template <class Read>
auto answered(const PackRef& ref, Read read) {
  try {
    return read();
  } catch (const StoreError& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    throw unanswered(ref, e.message());
  }
}

}  // namespace

// Another store's packs, counted as they are read.
class FallbackPacks::Place : public PackSource {
 public:
  Place(FallbackPacks& all, std::size_t number, FallbackStore store)
      : m_all(all), m_number(number), m_store(std::move(store)) {}

  const std::string& name() const noexcept { return m_store.name; }
  std::uint64_t taken() const {
    const std::scoped_lock lock{m_mutex};
    return m_taken.size();
  }

  // The packs there with the same chunks.
  std::vector<PackRef> like(const PackRef& ref) {
    const auto& opened = open();
    std::vector<PackRef> found;
    // Packs of a closed manifest have none.
    if (!opened.packs || ref.logical_id == Digest{}) return found;
    std::copy_if(opened.refs.begin(), opened.refs.end(), std::back_inserter(found),
                 [&](const PackRef& there) { return there.logical_id == ref.logical_id; });
    return found;
  }

  std::shared_ptr<const PackDirectory> directory(const PackRef& ref) override {
    return answered(ref, [&] { return packs().directory(ref); });
  }
  std::shared_ptr<const PackDirectory> stored_directory(const PackRef& ref) override {
    return answered(ref, [&] { return packs().stored_directory(ref); });
  }
  std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored) override {
    return packs().take_directory(ref, stored);
  }
  Bytes read_range(const PackRef& ref, ByteRange range) override {
    Bytes bytes = answered(ref, [&] { return packs().read_range(ref, range); });
    count(ref);
    return bytes;
  }
  Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                  std::uint64_t length) override {
    Bytes bytes = answered(ref, [&] { return packs().read_data(ref, directory, offset, length); });
    count(ref);
    return bytes;
  }
  Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length,
                    ByteView stored) override {
    return packs().unseal_data(ref, directory, offset, length, stored);
  }
  void note_damaged(const PackRef& ref) override { packs().note_damaged(ref); }
  std::vector<PackElsewhere> elsewhere(const PackRef& ref) override { return m_all.counterparts(ref, m_number + 1); }
  Reporter& reporter() noexcept override { return m_all.reporter(); }

 private:
  // Opened by whoever is first; the others wait.
  const FallbackStore::Opened& open() {
    std::call_once(m_once, [this] {
      const auto failure = every_failure_of([this] { m_opened = m_store.open(); });
      if (failure) {
        reporter().warning(fmt::format("nothing can be read from {} instead: {}", quote(name()), failure->message()));
      } else if (m_opened.refs.empty()) {
        reporter().warning(
            fmt::format("nothing can be read from {} instead: the snapshot is not there", quote(name())));
      }
    });
    return m_opened;
  }
  PackSource& packs() { return *open().packs; }
  void count(const PackRef& ref) {
    const std::scoped_lock lock{m_mutex};
    m_taken.insert(ref.name);
  }

  FallbackPacks& m_all;
  std::size_t m_number;
  FallbackStore m_store;
  std::once_flag m_once;
  FallbackStore::Opened m_opened;
  mutable std::mutex m_mutex;
  std::set<Digest> m_taken;
};

FallbackPacks::FallbackPacks(PackSource& first, std::vector<FallbackStore> others) : m_first(first) {
  for (auto& other : others) m_places.push_back(std::make_unique<Place>(*this, m_places.size(), std::move(other)));
}

FallbackPacks::~FallbackPacks() = default;

std::vector<PackElsewhere> FallbackPacks::counterparts(const PackRef& ref, std::size_t from_place) {
  std::vector<PackElsewhere> out;
  for (std::size_t i = from_place; i < m_places.size() && out.empty(); ++i) {
    for (auto& there : m_places[i]->like(ref)) {
      out.push_back({m_places[i].get(), std::move(there), m_places[i]->name()});
    }
  }
  return out;
}

std::vector<PackElsewhere> FallbackPacks::elsewhere(const PackRef& ref) {
  return counterparts(ref, 0);
}

std::optional<std::string> FallbackPacks::away() const {
  const std::scoped_lock lock{m_mutex};
  return m_away;
}

// Of a store that does not answer that is said of each pack that another one has.
template <class Read>
auto FallbackPacks::read(const PackRef& ref, Read read) {
  if (const auto why = away(); why && !elsewhere(ref).empty()) throw unanswered(ref, *why);
  try {
    return read();
  } catch (const StoreError& e) {
    if (e.kind() == ErrorKind::interrupted || elsewhere(ref).empty()) throw;
    {
      const std::scoped_lock lock{m_mutex};
      if (!m_away) m_away = e.message();
    }
    throw unanswered(ref, e.message());
  }
}

std::shared_ptr<const PackDirectory> FallbackPacks::directory(const PackRef& ref) {
  return read(ref, [&] { return m_first.directory(ref); });
}

std::shared_ptr<const PackDirectory> FallbackPacks::stored_directory(const PackRef& ref) {
  return read(ref, [&] { return m_first.stored_directory(ref); });
}

std::shared_ptr<const PackDirectory> FallbackPacks::take_directory(const PackRef& ref, ByteView stored) {
  return m_first.take_directory(ref, stored);
}

Bytes FallbackPacks::read_range(const PackRef& ref, ByteRange range) {
  return read(ref, [&] { return m_first.read_range(ref, range); });
}

Bytes FallbackPacks::read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                               std::uint64_t length) {
  return read(ref, [&] { return m_first.read_data(ref, directory, offset, length); });
}

Bytes FallbackPacks::unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                                 std::uint64_t length, ByteView stored) {
  return m_first.unseal_data(ref, directory, offset, length, stored);
}

void FallbackPacks::note_damaged(const PackRef& ref) {
  // Of one that does not answer nobody knows what it has.
  if (!away()) m_first.note_damaged(ref);
}

std::vector<FallbackPacks::Taken> FallbackPacks::taken() const {
  std::vector<Taken> out;
  for (const auto& place : m_places) {
    if (const std::uint64_t packs = place->taken()) out.push_back({place->name(), packs});
  }
  return out;
}

}  // namespace cairn
