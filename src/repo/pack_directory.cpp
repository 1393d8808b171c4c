#include "repo/pack_directory.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace cairn {

namespace {

constexpr std::string_view k_magic = "CAIRNDIR";
constexpr std::size_t k_header = 8 + 3 * 4;
constexpr std::size_t k_frame_bytes = 2 * 4;
constexpr std::size_t k_chunk_bytes = 4 + 32;

[[noreturn]] void damaged(const char* cause) {
  throw Error(ErrorKind::damaged, std::string{"damaged pack directory: "} + cause);
}

}  // namespace

void PackDirectory::add_chunk(const Digest& digest, std::uint32_t length) {
  // Chunks come first and add_frame() then says how many of the last ones it holds.
  m_digests.push_back(digest);
  m_lengths.push_back(length);
  m_offsets.push_back(0);
}

void PackDirectory::add_frame(std::uint32_t stored_size, std::uint32_t chunk_count) {
  Frame frame;
  frame.offset = m_data_size;
  frame.stored_size = stored_size;
  frame.first_chunk = m_frames.empty() ? 0 : m_frames.back().first_chunk + m_frames.back().chunk_count;
  frame.chunk_count = chunk_count;
  for (std::uint32_t i = 0; i < chunk_count; ++i) {
    m_offsets[frame.first_chunk + i] = frame.raw_size;
    frame.raw_size += m_lengths[frame.first_chunk + i];
  }
  m_data_size += stored_size;
  m_raw_size += frame.raw_size;
  m_frames.push_back(frame);
}

std::uint32_t PackDirectory::frame_of(std::uint32_t chunk) const {
  const auto after = std::upper_bound(m_frames.begin(), m_frames.end(), chunk,
                                      [](std::uint32_t c, const Frame& f) { return c < f.first_chunk; });
  return static_cast<std::uint32_t>(after - m_frames.begin()) - 1;
}

bool PackDirectory::even_chunks() const noexcept {
  return std::adjacent_find(m_lengths.begin(), m_lengths.end(), std::not_equal_to<>{}) == m_lengths.end();
}

Digest PackDirectory::logical_id() const {
  Bytes text;
  text.reserve(m_digests.size() * k_chunk_bytes);
  for (std::size_t i = 0; i < m_digests.size(); ++i) {
    append(text, m_digests[i].bytes);
    put_u32(text, m_lengths[i]);
  }
  return sha256(text);
}

std::uint64_t PackDirectory::max_encoded_size(std::size_t frames, std::size_t chunks) noexcept {
  const std::uint64_t raw = k_header + std::uint64_t{frames} * k_frame_bytes + std::uint64_t{chunks} * k_chunk_bytes;
  // zstd adds at most 1/256 and some headers (ZSTD_COMPRESSBOUND).
  return raw + raw / 256 + 128;
}

Bytes PackDirectory::encode() const {
  Bytes out;
  out.reserve(k_header + m_frames.size() * k_frame_bytes + m_digests.size() * k_chunk_bytes);
  append(out, as_bytes(k_magic));
  put_u32(out, static_cast<std::uint32_t>(k_format_version));
  put_u32(out, static_cast<std::uint32_t>(m_frames.size()));
  put_u32(out, static_cast<std::uint32_t>(m_digests.size()));
  for (const auto& frame : m_frames) put_u32(out, frame.stored_size);
  for (const auto& frame : m_frames) put_u32(out, frame.chunk_count);
  for (const auto length : m_lengths) put_u32(out, length);
  for (const auto& digest : m_digests) append(out, digest.bytes);
  append(out, as_bytes(m_data_preamble));
  return zstd_compress(out);
}

PackDirectory PackDirectory::decode(ByteView stored) {
  static constexpr std::size_t k_limit =
      k_header + std::size_t{k_max_pack_chunks} * (k_frame_bytes + k_chunk_bytes) + k_max_preamble;
  const Bytes raw = zstd_decompress_bounded(stored, k_limit);
  if (raw.size() < k_header || as_text(ByteView{raw}.first(8)) != k_magic) damaged("no magic");
  if (get_u32(raw.data() + 8) != k_format_version) damaged("unknown version");
  const std::uint32_t frames = get_u32(raw.data() + 12);
  const std::uint32_t chunks = get_u32(raw.data() + 16);
  if (chunks == 0 || chunks > k_max_pack_chunks || frames == 0 || frames > chunks) damaged("impossible counts");
  const std::size_t known = k_header + std::size_t{frames} * k_frame_bytes + std::size_t{chunks} * k_chunk_bytes;
  if (raw.size() < known || raw.size() - known > k_max_preamble) damaged("its size does not fit its counts");
  const std::uint8_t* stored_sizes = raw.data() + k_header;
  const std::uint8_t* counts = stored_sizes + std::size_t{frames} * 4;
  const std::uint8_t* lengths = counts + std::size_t{frames} * 4;
  const std::uint8_t* digests = lengths + std::size_t{chunks} * 4;
  PackDirectory directory;
  directory.m_frames.reserve(frames);
  directory.m_lengths.reserve(chunks);
  directory.m_offsets.reserve(chunks);
  directory.m_digests.reserve(chunks);
  std::uint64_t next = 0;
  for (std::uint32_t f = 0; f < frames; ++f) {
    const std::uint32_t count = get_u32(counts + std::size_t{f} * 4);
    const std::uint32_t stored_size = get_u32(stored_sizes + std::size_t{f} * 4);
    if (count == 0 || count > chunks - next || stored_size == 0 || stored_size > k_max_frame_stored) {
      damaged("impossible frame");
    }
    std::uint64_t raw_size = 0;
    for (std::uint64_t c = next; c < next + count; ++c) {
      const std::uint32_t length = get_u32(lengths + c * 4);
      if (length == 0 || length > k_max_chunk) damaged("impossible chunk length");
      raw_size += length;
      Digest digest;
      std::copy_n(digests + c * 32, 32, digest.bytes.begin());
      directory.add_chunk(digest, length);
    }
    if (raw_size > k_max_frame_raw) damaged("impossible frame size");
    directory.add_frame(stored_size, count);
    next += count;
  }
  if (next != chunks) damaged("chunks outside its frames");
  directory.m_data_preamble = as_text(ByteView{raw}.subspan(known));
  return directory;
}

}  // namespace cairn
