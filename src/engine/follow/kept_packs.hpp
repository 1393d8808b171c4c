// Packs as they were stored, kept in memory from one restore to the next: each checkpoint adds a small pack of entries
// and one of content, and names those before again. A new one is fetched in one piece, an old one not once more.
#pragma once

#include "codec/digest.hpp"
#include "repo/pack_reader.hpp"
#include "repo/pack_source.hpp"
#include "util/lru.hpp"

#include <cstdint>
#include <future>
#include <memory>
#include <mutex>

namespace cairn {

// Thread-safe, but for set_source(). What is kept is checked as if it came from the store each time; what is asked for
// because that failed comes from the store.
class KeptPacks : public PackSource {
 public:
  // own: what has the directories that this host remembers; outlives it.
  explicit KeptPacks(PackReader& own) : m_own(own), m_from(&own) {}

  // Where packs are read from now on. Nobody reads meanwhile.
  void set_source(PackSource& from) noexcept { m_from = &from; }
  // Of content that is in place now nothing is needed any more.
  void forget_content();

  std::shared_ptr<const PackDirectory> directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> stored_directory(const PackRef& ref) override;
  std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored) override;
  Bytes read_range(const PackRef& ref, ByteRange range) override;
  Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                  std::uint64_t length) override;
  Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length,
                    ByteView stored) override;
  void note_damaged(const PackRef& ref) override;
  std::vector<PackElsewhere> elsewhere(const PackRef& ref) override { return m_from->elsewhere(ref); }
  Reporter& reporter() noexcept override { return m_from->reporter(); }

 private:
  using Stored = std::shared_future<std::shared_ptr<const Bytes>>;
  enum class Fetch { no, yes };
  std::shared_ptr<const Bytes> whole(const PackRef& ref, Fetch fetch);
  void drop(const PackRef& ref);

  PackReader& m_own;
  PackSource* m_from;
  std::mutex m_mutex;  // of the rest
  Lru<Digest, Stored, DigestHash> m_lists;
  Lru<Digest, Stored, DigestHash> m_content;
};

}  // namespace cairn
