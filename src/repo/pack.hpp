// A pack: header, data part (zstd frames), directory, trailer. Byte layout: cairn-format(5), PACKS.
#pragma once

#include "codec/digest.hpp"
#include "repo/keyring.hpp"
#include "repo/pack_directory.hpp"
#include "repo/pack_output.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

inline constexpr std::size_t k_pack_header_size = 32;
inline constexpr std::size_t k_pack_trailer_size = 32;

// The kind of a pack: content of files, or (parts of) entry lists. The writing host can open sealed lists, not content.
enum class PackContent { files, list };

// A pack as a manifest lists it: where its bytes are in one store, and what they are whatever the store.
struct PackRef {
  Digest name;                         // SHA-256 of the stored bytes: the object's name
  std::uint64_t size = 0;              // stored bytes
  std::uint64_t directory_offset = 0;  // from the start of the pack
  std::uint64_t directory_size = 0;
  std::string seal = k_seal_none;
  Digest logical_id;  // zero where it is sealed and no key opens it
  // Advice for the next snapshot's choice of packs to lean on, nothing a reader relies on: raw bytes of all chunks, and
  // of those that the snapshot refers to.
  std::uint64_t raw_bytes = 0;
  std::uint64_t live_bytes = 0;
  PackContent content = PackContent::files;

  auto operator<=>(const PackRef&) const = default;
  // The name that extents have for it.
  std::uint64_t prefix() const noexcept { return prefix_of(logical_id); }
  static std::uint64_t prefix_of(const Digest& logical_id) noexcept;
};

// Builds one pack, in memory or in a file. Used by one thread.
class PackBuilder {
 public:
  // spool: where to put the file; nothing: in memory. keys: to seal with, if they seal; outlive the builder.
  explicit PackBuilder(const std::optional<Spool>& spool, const Keyring& keys = no_keys(),
                       PackContent content = PackContent::files);
  PackBuilder(const PackBuilder&) = delete;
  PackBuilder& operator=(const PackBuilder&) = delete;

  // A compressed frame and its chunks (digest and length each).
  struct Chunk {
    Digest digest;
    std::uint32_t length;
  };
  // Returns the index of its first chunk. Error(failed) for what no reader would take (limits in repo/format.hpp).
  std::uint32_t add_frame(ByteView stored, const std::vector<Chunk>& chunks);

  // Bytes so far: header and frames, before they are sealed.
  std::uint64_t size() const noexcept { return k_pack_header_size + m_directory.data_size(); }
  // The most that finish() would make of it, the directory included: of small, well compressible chunks the directory
  // is the larger part. Decides when a pack is full; a pack that is full by k_max_pack_target keeps all limits.
  std::uint64_t expected_size() const noexcept;
  const PackDirectory& directory() const noexcept { return m_directory; }

  struct Built {
    PackRef ref;
    PackDirectory directory;
    Bytes memory;                  // the whole pack, where it was built in memory
    std::optional<fs::path> file;  // or its file; whoever takes Built removes it
  };
  // Ends the pack. At least one frame was added. The builder is spent afterwards.
  Built finish();

 private:
  void emit(ByteView bytes);
  void emit_data(ByteView bytes);
  Bytes stored_directory();

  PackOutput m_output;
  Sha256 m_hash;
  PackDirectory m_directory;
  std::uint64_t m_size = 0;  // emitted
  const Keyring& m_keys;
  PackContent m_content;
  std::optional<age::Encryptor> m_encryptor;
  std::string m_sealed;  // scratch
};

// Refuses a pack of a list that cannot be one: sizes and ranges (Error(damaged)), an unknown seal (Error(failed)).
void check_pack_ref(const PackRef& ref);

// Where the directory is, from the last k_pack_trailer_size bytes of a pack of the given size. Error(damaged).
struct PackTrailer {
  std::uint64_t directory_offset = 0;
  std::uint64_t directory_size = 0;
};
PackTrailer parse_pack_trailer(ByteView trailer, std::uint64_t pack_size);
// Checks magic and version of the first k_pack_header_size bytes, and that they say what the reference says of the
// seal. Error(damaged), newer version Error(failed).
void check_pack_header(ByteView header, const PackRef& ref);

// The stored directory of a pack, decrypted where it is sealed, decoded, and checked against the reference: logical id,
// and that the frames are what the data part has room for. Error(damaged); Error(no_key) where no key opens it.
PackDirectory open_pack_directory(ByteView stored, const PackRef& ref, const Keyring& keys);
// The checks alone, for a directory that was kept.
void check_pack_directory(const PackDirectory& directory, const PackRef& ref);

// Where bytes of the data part are stored, counted from the start of the pack: in a sealed pack the segments that hold
// them.
struct StoredRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
StoredRange stored_range(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                         std::uint64_t length);
// The key to the data part of a sealed pack. Error(no_key), Error(damaged).
age::Decryptor open_pack_data(const PackRef& ref, const PackDirectory& directory, const Keyring& keys);
// The bytes that were asked for, from those of their stored_range(). Error(damaged).
Bytes unseal_range(const age::Decryptor& key, const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                   std::uint64_t length, ByteView stored);

// Gives the first k_pack_header_size bytes of a pack a fresh nonce: the pack becomes another object with the same
// content, under a name of its own.
void renew_pack_header(ByteSpan header);

}  // namespace cairn
