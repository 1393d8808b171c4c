#include "engine/pack_checker.hpp"

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "repo/pack_directory.hpp"
#include "repo/padding.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_read_size = 8ULL << 20;

// The pack's bytes from the beginning, hashed as they pass.
class PackStream {
 public:
  PackStream(ObjectStore& store, const PackRef& ref)
      : m_store(store), m_key(layout::pack_key(ref.name)), m_size(ref.size) {}

  // The next n bytes; fewer where the object ends.
  Bytes take(std::uint64_t n) {
    while (m_buffer.size() - m_position < n && m_read < m_size) {
      m_buffer.erase(m_buffer.begin(), m_buffer.begin() + static_cast<std::ptrdiff_t>(m_position));
      m_position = 0;
      const auto bytes = m_store.get(m_key, ByteRange{m_read, std::min(k_read_size, m_size - m_read)});
      if (!bytes || bytes->empty()) break;
      m_hash.update(*bytes);
      m_read += bytes->size();
      append(m_buffer, *bytes);
    }
    const auto have = std::min<std::uint64_t>(n, m_buffer.size() - m_position);
    const auto begin = m_buffer.begin() + static_cast<std::ptrdiff_t>(m_position);
    Bytes out(begin, begin + static_cast<std::ptrdiff_t>(have));
    m_position += have;
    return out;
  }
  std::uint64_t read() const noexcept { return m_read; }
  Digest digest() { return m_hash.finish(); }

 private:
  ObjectStore& m_store;
  std::string m_key;
  std::uint64_t m_size;
  std::uint64_t m_read = 0;
  Bytes m_buffer;
  std::size_t m_position = 0;
  Sha256 m_hash;
};

// Runs a check that throws Error(damaged); notes what it says.
template <class F>
bool passes(PackCheck& out, F check) {
  try {
    check();
    return true;
  } catch (const StoreError&) {
    throw;
  } catch (const Error& e) {
    out.failures.push_back(e.message());
    return false;
  }
}

void check_frame(ByteView stored, const PackDirectory& directory, std::uint32_t number, PackCheck& out) {
  const Frame& frame = directory.frames()[number];
  Bytes raw;
  const bool decoded = passes(out, [&] {
    try {
      raw = zstd_decompress(stored, frame.raw_size);
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("frame {}: {}", number, e.message()));
    }
  });
  for (std::uint32_t chunk = frame.first_chunk; chunk < frame.first_chunk + frame.chunk_count; ++chunk) {
    if (!decoded) {
      out.bad_chunks.push_back(chunk);
      continue;
    }
    const ByteView bytes = ByteView{raw}.subspan(directory.offset_in_frame(chunk), directory.length(chunk));
    if (sha256(bytes) != directory.digest(chunk)) {
      out.failures.push_back(fmt::format("frame {}: chunk {} does not fit its digest", number, chunk));
      out.bad_chunks.push_back(chunk);
    }
  }
}

// The plaintext of a data part, from the bytes of its pack in their order.
class DataStream {
 public:
  DataStream(PackStream& stream, const PackRef& ref, const PackDirectory& directory,
             const std::optional<age::Decryptor>& key)
      : m_stream(stream), m_key(key) {
    const std::uint64_t preamble = directory.data_preamble().size();
    if (key && as_text(stream.take(preamble)) != directory.data_preamble()) {
      throw Error(ErrorKind::damaged, "its directory tells of another data part");
    }
    m_left = ref.directory_offset - k_pack_header_size - preamble;
  }
  // The next n bytes. Throws Error(damaged).
  Bytes take(std::uint64_t n) {
    if (!m_key) return m_stream.take(n);
    while (m_buffer.size() - m_position < n && m_left != 0) next_segment();
    const auto have = std::min<std::uint64_t>(n, m_buffer.size() - m_position);
    const auto begin = m_buffer.begin() + static_cast<std::ptrdiff_t>(m_position);
    Bytes out(begin, begin + static_cast<std::ptrdiff_t>(have));
    m_position += have;
    return out;
  }
  // What is left must be padding.
  void end() {
    if (!m_key) return;
    Bytes rest = take(m_buffer.size() - m_position);
    while (m_left != 0) {
      next_segment();
      append(rest, take(m_buffer.size() - m_position));
    }
    if (!is_padding(rest)) throw Error(ErrorKind::damaged, "its frames are followed by something else than padding");
  }

 private:
  void next_segment() {
    m_buffer.erase(m_buffer.begin(), m_buffer.begin() + static_cast<std::ptrdiff_t>(m_position));
    m_position = 0;
    const Bytes sealed = m_stream.take(std::min<std::uint64_t>(age::k_sealed_segment_bytes, m_left));
    if (sealed.size() < age::k_tag_bytes) throw Error(ErrorKind::damaged, "its data part is cut short");
    m_left -= sealed.size();
    const std::size_t old = m_buffer.size();
    m_buffer.resize(old + sealed.size() - age::k_tag_bytes);
    m_key->segment(m_index++, m_left == 0, as_text(sealed), ByteSpan{m_buffer}.subspan(old));
  }

  PackStream& m_stream;
  const std::optional<age::Decryptor>& m_key;
  std::uint64_t m_left = 0;  // sealed bytes
  std::uint64_t m_index = 0;
  Bytes m_buffer;
  std::size_t m_position = 0;
};

// All frames. A sealed segment that is wrong ends it: the frames from there on are bad.
void check_data(PackStream& stream, const PackRef& ref, const PackDirectory& directory,
                const std::optional<age::Decryptor>& key, PackCheck& out) {
  std::uint32_t next = 0;
  const bool whole = passes(out, [&] {
    DataStream data{stream, ref, directory, key};
    for (; next < directory.frames().size(); ++next) {
      check_interrupted();
      check_frame(data.take(directory.frames()[next].stored_size), directory, next, out);
    }
    data.end();
  });
  if (whole) return;
  const auto& frames = directory.frames();
  const std::uint32_t first = next < frames.size() ? frames[next].first_chunk : directory.chunk_count();
  for (std::uint32_t chunk = first; chunk < directory.chunk_count(); ++chunk) out.bad_chunks.push_back(chunk);
}

}  // namespace

PackCheck check_pack(Repository& repository, const PackRef& ref) {
  PackCheck out;
  ObjectStore& store = repository.store();
  const std::string key = layout::pack_key(ref.name);
  // The directory first: it says where the frames are. Whatever a cache holds, it is the store that is looked at.
  PackDirectory directory;
  std::optional<age::Decryptor> data_key;
  const bool readable = passes(out, [&] {
    const auto bytes = store.get(key, ByteRange{ref.directory_offset, ref.directory_size});
    if (!bytes) throw Error(ErrorKind::damaged, "it is missing");
    if (bytes->size() != ref.directory_size) throw Error(ErrorKind::damaged, "it is shorter than its manifest says");
    // Of a closed manifest nothing is known that the directory could be held against.
    out.decoded = ref.logical_id != Digest{};
    if (!out.decoded) return;
    try {
      directory = open_pack_directory(*bytes, ref, repository.keys());
      if (is_sealed(ref.seal)) data_key = open_pack_data(ref, directory, repository.keys());
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::no_key) throw;
      out.decoded = false;
    }
  });
  if (!readable) {
    out.all_bad = true;
    return out;
  }
  PackStream stream{store, ref};
  passes(out, [&] { check_pack_header(stream.take(k_pack_header_size), ref); });
  if (out.decoded) {
    check_data(stream, ref, directory, data_key, out);
  } else {
    for (std::uint64_t rest = ref.directory_offset - k_pack_header_size; rest != 0;) {
      check_interrupted();
      const auto piece = stream.take(std::min(rest, k_read_size)).size();
      if (piece == 0) break;
      rest -= piece;
    }
  }
  stream.take(ref.directory_size);
  passes(out, [&] {
    const auto trailer = parse_pack_trailer(stream.take(k_pack_trailer_size), ref.size);
    if (trailer.directory_offset != ref.directory_offset) {
      throw Error(ErrorKind::damaged, "damaged pack trailer: it does not fit its manifest");
    }
  });
  out.bytes = stream.read();
  if (stream.digest() != ref.name && out.failures.empty()) {
    out.failures.emplace_back("its bytes do not fit its name");
    // Which of them is wrong cannot be told without the key.
    out.all_bad = !out.decoded;
  }
  return out;
}

}  // namespace cairn
