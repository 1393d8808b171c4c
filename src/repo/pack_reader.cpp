#include "repo/pack_reader.hpp"

#include "repo/layout.hpp"
#include "repo/second_reading.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// The bytes of directories that are read ahead, as stored: they go to the cache on disk, whatever of them stays in
// memory. Decoded they take less than twice as much.
constexpr std::uint64_t k_directories_ahead = 32ULL << 20;
// Keys of sealed packs that are kept.
constexpr std::size_t k_data_keys = 4096;

}  // namespace

std::shared_ptr<const PackDirectory> PackReader::recall(const PackRef& ref) {
  const std::scoped_lock lock{m_mutex};
  const Kept* found = m_directories.find(ref.name);
  // Another manifest may have called the same object by another logical id: that is for the checks to refuse.
  return found == nullptr || found->logical_id != ref.logical_id ? nullptr : found->directory;
}

void PackReader::keep(const PackRef& ref, std::shared_ptr<const PackDirectory> directory) {
  const std::scoped_lock lock{m_mutex};
  if (m_directories.find(ref.name) != nullptr) return;
  const std::uint64_t bytes = directory->memory();
  m_directories.put(ref.name, Kept{ref.logical_id, std::move(directory)}, bytes);
  m_directories.shrink(m_directory_limit);
}

std::shared_ptr<const PackDirectory> PackReader::cached_directory(const PackRef& ref) {
  if (auto known = recall(ref)) return known;
  // A cached directory is believed only after the same check as a fetched one.
  const auto cached = m_basis.cache.get("directories", ref.name.hex());
  if (!cached) return nullptr;
  try {
    auto directory = std::make_shared<const PackDirectory>(PackDirectory::decode(*cached));
    check_pack_directory(*directory, ref);
    keep(ref, directory);
    return directory;
  } catch (const Error&) {
    m_basis.reporter.info(
        fmt::format("the cached directory of pack {} is damaged; it is fetched again", ref.name.hex()));
  }
  return nullptr;
}

namespace {

Error damaged_pack(const PackRef& ref, std::string_view cause) {
  return {ErrorKind::damaged, fmt::format("damaged pack {}: {}", quote(layout::pack_key(ref.name)), cause)};
}

// Runs what may find a pack damaged; its name is put before the cause.
template <class F>
auto naming_pack(const PackRef& ref, F check) {
  try {
    return check();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    throw damaged_pack(ref, e.message());
  }
}

Bytes get_up_to(ObjectStore& store, const PackRef& ref, ByteRange range) {
  auto bytes = store.get(layout::pack_key(ref.name), range);
  if (!bytes) throw damaged_pack(ref, "it is missing from the store");
  return std::move(*bytes);
}

Bytes get_range(ObjectStore& store, const PackRef& ref, ByteRange range) {
  Bytes bytes = get_up_to(store, ref, range);
  if (bytes.size() != range.length) throw damaged_pack(ref, "it is shorter than its manifest says");
  return bytes;
}

}  // namespace

void PackReader::note_damaged(const PackRef& ref) {
  m_basis.cache.put("damaged", ref.name.hex(), {});
}

std::vector<Digest> PackReader::noted_damaged() const {
  std::vector<Digest> out;
  for (const auto& name : m_basis.cache.names("damaged")) {
    if (const auto digest = Digest::parse(name)) out.push_back(*digest);
  }
  return out;
}

bool PackReader::fits_name(const PackRef& ref) {
  constexpr std::uint64_t k_piece = 8ULL << 20;
  Sha256 hash;
  for (std::uint64_t at = 0; at < ref.size; at += k_piece) {
    check_interrupted();
    hash.update(get_range(m_basis.store, ref, {at, std::min(k_piece, ref.size - at)}));
  }
  return hash.finish() == ref.name;
}

std::shared_ptr<const PackDirectory> PackReader::directory(const PackRef& ref) {
  if (auto known = cached_directory(ref)) return known;
  return remember(ref, read_again_if_damaged([&] { return fetch_directory(ref); }, telling(m_basis.reporter)));
}

std::shared_ptr<const PackDirectory> PackReader::take_directory(const PackRef& ref, ByteView stored) {
  if (auto known = recall(ref)) return known;
  return remember(ref, naming_pack(ref, [&] {
                    return std::make_shared<const PackDirectory>(open_pack_directory(stored, ref, *m_basis.keys));
                  }));
}

std::shared_ptr<const PackDirectory> PackReader::remember(const PackRef& ref,
                                                          std::shared_ptr<const PackDirectory> directory) {
  remember_directory(ref, *directory);
  keep(ref, directory);
  return directory;
}

std::size_t PackReader::fetch_directories(std::span<const PackRef> refs) {
  if (!m_basis.has_threads) return 0;
  const bool cached = !m_basis.cache.directory().empty();
  std::uint64_t room = cached ? k_directories_ahead : std::min(k_directories_ahead, m_directory_limit / 2);
  OrderedWindow<bool> window{m_basis.io, m_basis.io.size() + 1, UINT64_MAX, [](bool) {}};
  std::size_t taken = 0;
  for (const auto& ref : refs) {
    check_interrupted();
    if (ref.directory_size > room) break;
    room -= ref.directory_size;
    ++taken;
    window.push(0, [this, &ref] { return !any_failure_of([&] { directory(ref); }); });
  }
  window.drain();
  return taken;
}

std::shared_ptr<const PackDirectory> PackReader::fetch_directory(const PackRef& ref) {
  const Bytes bytes = get_range(m_basis.store, ref, {ref.directory_offset, ref.directory_size});
  try {
    return naming_pack(
        ref, [&] { return std::make_shared<const PackDirectory>(open_pack_directory(bytes, ref, *m_basis.keys)); });
  } catch (const Error& e) {
    // A damaged stanza looks like one for somebody else. A host that has keys is told which of the two it is.
    if (e.kind() != ErrorKind::no_key || !m_basis.keys->has_identities() || fits_name(ref)) throw;
    throw damaged_pack(ref, "its bytes do not fit its name");
  }
}

void PackReader::remember_directory(const PackRef& ref, const PackDirectory& directory) {
  m_basis.cache.put("directories", ref.name.hex(), directory.encode());
}

std::shared_ptr<const age::Decryptor> PackReader::data_key(const PackRef& ref, const PackDirectory& directory) {
  {
    const std::scoped_lock lock{m_mutex};
    const auto found = m_data_keys.find(ref.name);
    if (found != m_data_keys.end()) return found->second;
  }
  auto key = std::make_shared<const age::Decryptor>(open_pack_data(ref, directory, *m_basis.keys));
  const std::scoped_lock lock{m_mutex};
  if (m_data_keys.size() >= k_data_keys) m_data_keys.clear();
  m_data_keys.emplace(ref.name, key);
  return key;
}

Bytes PackReader::read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                            std::uint64_t length) {
  const StoredRange range = stored_range(ref, directory, offset, length);
  if (!is_sealed(ref.seal)) return get_range(m_basis.store, ref, {range.offset, range.length});
  // Without the key there is nothing to fetch.
  naming_pack(ref, [&] { return data_key(ref, directory); });
  return unseal_data(ref, directory, offset, length, get_range(m_basis.store, ref, {range.offset, range.length}));
}

Bytes PackReader::read_range(const PackRef& ref, ByteRange range) {
  return get_up_to(m_basis.store, ref, range);
}

std::shared_ptr<const PackDirectory> PackReader::stored_directory(const PackRef& ref) {
  const Bytes bytes = read_range(ref, {ref.directory_offset, ref.directory_size});
  return naming_pack(
      ref, [&] { return std::make_shared<const PackDirectory>(open_pack_directory(bytes, ref, *m_basis.keys)); });
}

std::optional<Bytes> PackReader::get(const Digest& name, ByteRange range) {
  return m_basis.store.get(layout::pack_key(name), range);
}

std::optional<ObjectInfo> PackReader::find(const Digest& name) {
  return m_basis.store.head(layout::pack_key(name));
}

void PackReader::list(const std::function<void(const Digest& name, const ObjectInfo& object)>& visit) {
  m_basis.store.list(layout::k_packs, [&](const ObjectInfo& info) {
    if (const auto name = layout::parse_pack_key(info.key)) visit(*name, info);
  });
}

Bytes PackReader::unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                              std::uint64_t length, ByteView stored) {
  return naming_pack(ref,
                     [&] { return unseal_range(*data_key(ref, directory), ref, directory, offset, length, stored); });
}

}  // namespace cairn
