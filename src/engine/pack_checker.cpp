#include "engine/pack_checker.hpp"

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "repo/pack_directory.hpp"
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

}  // namespace

PackCheck check_pack(ObjectStore& store, const PackRef& ref) {
  PackCheck out;
  const std::string key = layout::pack_key(ref.name);
  // The directory first: it says where the frames are.
  PackDirectory directory;
  const bool readable = passes(out, [&] {
    const auto bytes = store.get(key, ByteRange{ref.directory_offset, ref.directory_size});
    if (!bytes) throw Error(ErrorKind::damaged, "it is missing");
    if (bytes->size() != ref.directory_size) throw Error(ErrorKind::damaged, "it is shorter than its manifest says");
    directory = PackDirectory::decode(*bytes);
    if (directory.logical_id() != ref.logical_id) {
      throw Error(ErrorKind::damaged, "its directory does not fit its manifest");
    }
    if (directory.data_size() != ref.directory_offset - k_pack_header_size) {
      throw Error(ErrorKind::damaged, "its directory does not fit its size");
    }
  });
  if (!readable) {
    out.all_bad = true;
    return out;
  }
  PackStream stream{store, ref};
  passes(out, [&] { check_pack_header(stream.take(k_pack_header_size)); });
  for (std::uint32_t i = 0; i < directory.frames().size(); ++i) {
    check_interrupted();
    check_frame(stream.take(directory.frames()[i].stored_size), directory, i, out);
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
  }
  return out;
}

}  // namespace cairn
