// The directory at the end of a pack: which chunks it holds, in which frames. Binary form: cairn-format(5), PACKS.
#pragma once

#include "codec/digest.hpp"
#include "util/bytes.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

struct Frame {
  std::uint64_t offset = 0;       // of the zstd frame, from the start of the data part
  std::uint32_t stored_size = 0;  // of the zstd frame
  std::uint32_t raw_size = 0;     // sum of its chunks' lengths
  std::uint32_t first_chunk = 0;
  std::uint32_t chunk_count = 0;
};

// Immutable once built; then safe to share between threads.
class PackDirectory {
 public:
  void add_frame(std::uint32_t stored_size, std::uint32_t chunk_count);
  void add_chunk(const Digest& digest, std::uint32_t length);

  std::uint32_t chunk_count() const noexcept { return static_cast<std::uint32_t>(m_digests.size()); }
  const Digest& digest(std::uint32_t chunk) const { return m_digests[chunk]; }
  std::uint32_t length(std::uint32_t chunk) const { return m_lengths[chunk]; }
  // All of one length, as pages are.
  bool even_chunks() const noexcept;
  // Of the chunk, in its decoded frame.
  std::uint32_t offset_in_frame(std::uint32_t chunk) const { return m_offsets[chunk]; }
  const std::vector<Frame>& frames() const noexcept { return m_frames; }
  // Index of the frame that holds the chunk.
  std::uint32_t frame_of(std::uint32_t chunk) const;
  std::uint64_t raw_size() const noexcept { return m_raw_size; }
  std::uint64_t data_size() const noexcept { return m_data_size; }
  std::uint64_t memory() const noexcept { return m_digests.size() * 40 + m_frames.size() * sizeof(Frame); }

  // Of a sealed pack: the beginning of its data part, which is an age file, up to the first segment. A reader of the
  // directory can read any range then. Empty in a pack that is not sealed; no part of the logical id.
  void set_data_preamble(std::string preamble) { m_data_preamble = std::move(preamble); }
  const std::string& data_preamble() const noexcept { return m_data_preamble; }

  // SHA-256 over each chunk's digest and its length (32-bit little-endian), in order: the pack's content, however it
  // is stored.
  Digest logical_id() const;

  // Of the stored form, at most, for so many frames and chunks: digests do not compress.
  static std::uint64_t max_encoded_size(std::size_t frames, std::size_t chunks) noexcept;
  // No directory within the limits is stored in more.
  static constexpr std::uint64_t k_max_stored_size = 1ULL << 30;

  // The stored form: one zstd frame. decode() checks everything against the limits in repo/format.hpp and throws
  // Error(damaged).
  Bytes encode() const;
  static PackDirectory decode(ByteView stored);

 private:
  std::vector<Frame> m_frames;
  std::vector<std::uint32_t> m_lengths;
  std::vector<std::uint32_t> m_offsets;
  std::vector<Digest> m_digests;
  std::uint64_t m_raw_size = 0;
  std::uint64_t m_data_size = 0;
  std::string m_data_preamble;
};

}  // namespace cairn
