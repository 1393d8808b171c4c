// The packs of one open store: their directories and data, and what this host keeps of them.
#pragma once

#include "repo/pack_source.hpp"
#include "repo/repository_basis.hpp"
#include "util/lru.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace cairn {

// Everything that is read is checked against what names it before it is returned; what does not pass is read once more
// before it is called damaged, with a warning where that helps. Thread-safe.
class PackReader : public PackSource {
 public:
  // directory_memory: bytes of decoded directories that are kept.
  PackReader(const RepositoryBasis& basis, std::uint64_t directory_memory)
      : m_basis(basis), m_directory_limit(directory_memory) {}

  // From memory, cache or store.
  std::shared_ptr<const PackDirectory> directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> stored_directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored) override;
  // The directory in this host's memory or cache, checked like anything else; nothing where that would take a request.
  std::shared_ptr<const PackDirectory> cached_directory(const PackRef& ref);
  // Many of them side by side, so that directory() has them at hand, in memory or in the host's cache: as many as
  // take 32 MiB, without a cache as many as stay in memory, in this order. Damaged ones are left to whoever needs them.
  // Returns how many, from the first.
  std::size_t fetch_directories(std::span<const PackRef> refs);
  // A directory this process just built, into the cache and not into memory: a later run need not read it back.
  void remember_directory(const PackRef& ref, const PackDirectory& directory);

  Bytes read_range(const PackRef& ref, ByteRange range) override;
  // The same by name alone; nothing where the pack is not there.
  std::optional<Bytes> get(const Digest& name, ByteRange range);
  Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                  std::uint64_t length) override;
  Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length,
                    ByteView stored) override;

  // Puts a pack, through ObjectWriter.
  void store(const PackRef& ref, const ObjectBody& body) { m_basis.writer.put_pack(ref, body); }
  // The object as the store has it now, whatever it holds; nothing where it is not there.
  std::optional<ObjectInfo> find(const Digest& name);
  // All that are listed.
  void list(const std::function<void(const Digest& name, const ObjectInfo& object)>& visit);

  // This host found the pack damaged: it leans on it no more, and stores again what it held.
  void note_damaged(const PackRef& ref) override;
  std::vector<Digest> noted_damaged() const;
  Reporter& reporter() noexcept override { return m_basis.reporter; }

 private:
  struct Kept {
    Digest logical_id;
    std::shared_ptr<const PackDirectory> directory;
  };
  bool fits_name(const PackRef& ref);
  std::shared_ptr<const PackDirectory> recall(const PackRef& ref);
  void keep(const PackRef& ref, std::shared_ptr<const PackDirectory> directory);
  std::shared_ptr<const age::Decryptor> data_key(const PackRef& ref, const PackDirectory& directory);
  std::shared_ptr<const PackDirectory> fetch_directory(const PackRef& ref);
  std::shared_ptr<const PackDirectory> remember(const PackRef& ref, std::shared_ptr<const PackDirectory> directory);

  const RepositoryBasis& m_basis;
  std::uint64_t m_directory_limit;
  std::mutex m_mutex;                                                                         // of the rest
  Lru<Digest, Kept, DigestHash> m_directories;                                                // by pack name
  std::unordered_map<Digest, std::shared_ptr<const age::Decryptor>, DigestHash> m_data_keys;  // by pack name
};

}  // namespace cairn
