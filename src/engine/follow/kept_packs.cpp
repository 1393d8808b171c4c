#include "engine/follow/kept_packs.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

// A larger one is read as it is needed: not all of it is.
constexpr std::uint64_t k_largest = 4ULL << 20;
constexpr std::uint64_t k_memory = 32ULL << 20;  // of each kind

}  // namespace

void KeptPacks::forget_content() {
  const std::scoped_lock lock{m_mutex};
  m_content = {};
}

// Nothing where it is not kept, and not to be fetched or too large. Throws what read_range() throws.
std::shared_ptr<const Bytes> KeptPacks::whole(const PackRef& ref, Fetch fetch) {
  if (ref.size > k_largest) return nullptr;
  std::promise<std::shared_ptr<const Bytes>> promise;
  Stored stored;
  {
    const std::scoped_lock lock{m_mutex};
    auto& kept = ref.content == PackContent::list ? m_lists : m_content;
    if (const Stored* const found = kept.find(ref.name)) {
      stored = *found;
      fetch = Fetch::no;
    } else if (fetch == Fetch::no) {
      return nullptr;
    } else {
      stored = promise.get_future().share();
      kept.put(ref.name, stored, ref.size);
      kept.shrink(k_memory);
    }
  }
  if (fetch == Fetch::yes) {
    try {
      promise.set_value(std::make_shared<const Bytes>(m_from->read_range(ref, {0, ref.size})));
    } catch (...) {
      drop(ref);
      promise.set_exception(std::current_exception());
    }
  }
  return stored.get();
}

void KeptPacks::drop(const PackRef& ref) {
  const std::scoped_lock lock{m_mutex};
  m_lists.erase(ref.name);
  m_content.erase(ref.name);
}

std::shared_ptr<const PackDirectory> KeptPacks::directory(const PackRef& ref) {
  if (auto known = m_own.cached_directory(ref)) return known;
  const auto bytes = whole(ref, Fetch::yes);
  if (bytes && bytes->size() == ref.size) {
    std::shared_ptr<const PackDirectory> directory;
    const ByteView stored = ByteView{*bytes}.subspan(ref.directory_offset, ref.directory_size);
    if (!damage_of([&] { directory = m_from->take_directory(ref, stored); })) return directory;
  }
  drop(ref);
  return m_from->directory(ref);
}

std::shared_ptr<const PackDirectory> KeptPacks::stored_directory(const PackRef& ref) {
  drop(ref);
  return m_from->stored_directory(ref);
}

std::shared_ptr<const PackDirectory> KeptPacks::take_directory(const PackRef& ref, ByteView stored) {
  return m_from->take_directory(ref, stored);
}

Bytes KeptPacks::read_range(const PackRef& ref, ByteRange range) {
  const auto bytes = whole(ref, ref.content == PackContent::list ? Fetch::yes : Fetch::no);
  if (!bytes) return m_from->read_range(ref, range);
  const std::uint64_t begin = std::min<std::uint64_t>(range.offset, bytes->size());
  const std::uint64_t length = std::min<std::uint64_t>(range.length, bytes->size() - begin);
  const ByteView part = ByteView{*bytes}.subspan(begin, length);
  return {part.begin(), part.end()};
}

Bytes KeptPacks::read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                           std::uint64_t length) {
  // It is asked for what read_range() gave in vain.
  drop(ref);
  return m_from->read_data(ref, directory, offset, length);
}

Bytes KeptPacks::unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                             std::uint64_t length, ByteView stored) {
  return m_from->unseal_data(ref, directory, offset, length, stored);
}

void KeptPacks::note_damaged(const PackRef& ref) {
  drop(ref);
  m_from->note_damaged(ref);
}

}  // namespace cairn
