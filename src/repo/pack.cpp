#include "repo/pack.hpp"

#include "repo/format.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace cairn {

namespace {

constexpr std::string_view k_header_magic = "CAIRNPAK";
constexpr std::string_view k_trailer_magic = "CAIRNEND";
constexpr std::ptrdiff_t k_nonce_offset = 16;
constexpr std::size_t k_nonce_size = 16;
constexpr std::size_t k_memory_reserve = 4 * 1024 * 1024;

}  // namespace

std::uint64_t PackRef::prefix_of(const Digest& logical_id) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | logical_id.bytes[i];
  return value;
}

PackBuilder::PackBuilder(std::optional<fs::path> spool) {
  if (spool) {
    m_path = *spool / (".tmp-pack-" + random_name());
    m_fd = open_file(*m_path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  } else {
    m_memory.reserve(k_memory_reserve);
  }
  Bytes header;
  append(header, as_bytes(k_header_magic));
  put_u32(header, static_cast<std::uint32_t>(k_format_version));
  put_u32(header, 0);  // seal: none
  append(header, random_bytes(k_nonce_size));
  emit(header);
}

PackBuilder::~PackBuilder() {
  if (m_path) ::unlink(m_path->c_str());
}

void PackBuilder::emit(ByteView bytes) {
  m_hash.update(bytes);
  if (m_path) {
    write_all(m_fd.get(), bytes, *m_path);
  } else {
    append(m_memory, bytes);
  }
  m_size += bytes.size();
}

std::uint64_t PackBuilder::expected_size() const noexcept {
  return m_size + PackDirectory::max_encoded_size(m_directory.frames().size(), m_directory.chunk_count()) +
         k_pack_trailer_size;
}

std::uint32_t PackBuilder::add_frame(ByteView stored, const std::vector<Chunk>& chunks) {
  const std::uint32_t first = m_directory.chunk_count();
  std::uint64_t raw_size = 0;
  bool fits = !stored.empty() && stored.size() <= k_max_frame_stored && !chunks.empty() &&
              chunks.size() <= k_max_pack_chunks - first;
  for (const auto& chunk : chunks) {
    raw_size += chunk.length;
    fits = fits && chunk.length != 0 && chunk.length <= k_max_chunk;
  }
  if (!fits || raw_size > k_max_frame_raw) {
    throw Error(ErrorKind::failed, "unable to build a pack: a frame is outside the limits of the format");
  }
  for (const auto& chunk : chunks) m_directory.add_chunk(chunk.digest, chunk.length);
  m_directory.add_frame(static_cast<std::uint32_t>(stored.size()), static_cast<std::uint32_t>(chunks.size()));
  emit(stored);
  return first;
}

PackBuilder::Built PackBuilder::finish() {
  Built built;
  const Bytes directory = m_directory.encode();
  built.ref.directory_offset = m_size;
  built.ref.directory_size = directory.size();
  emit(directory);
  Bytes trailer;
  put_u64(trailer, built.ref.directory_offset);
  put_u64(trailer, built.ref.directory_size);
  put_u32(trailer, static_cast<std::uint32_t>(k_format_version));
  put_u32(trailer, 0);
  append(trailer, as_bytes(k_trailer_magic));
  emit(trailer);
  built.ref.name = m_hash.finish();
  built.ref.size = m_size;
  built.ref.logical_id = m_directory.logical_id();
  built.ref.raw_bytes = m_directory.raw_size();
  built.directory = std::move(m_directory);
  built.memory = std::move(m_memory);
  if (m_path) {
    if (::close(m_fd.release()) != 0) throw_errno("close", m_path->native(), errno);
    built.file = std::move(*m_path);
    m_path.reset();
  }
  return built;
}

void check_pack_ref(const PackRef& ref) {
  if (ref.size < k_pack_header_size + k_pack_trailer_size || ref.directory_offset < k_pack_header_size ||
      ref.directory_offset > ref.size - k_pack_trailer_size ||
      ref.directory_size != ref.size - k_pack_trailer_size - ref.directory_offset ||
      ref.directory_size > PackDirectory::k_max_stored_size) {
    throw Error(ErrorKind::damaged, "directory range outside its pack");
  }
  if (ref.seal != k_seal_none) {
    throw Error(ErrorKind::failed,
                "unable to read pack " + ref.name.hex() + ": it is sealed in a way this program does not know",
                "use a newer version of cairn");
  }
}

PackTrailer parse_pack_trailer(ByteView trailer, std::uint64_t pack_size) {
  const auto damaged = [](const char* cause) -> Error {
    return {ErrorKind::damaged, std::string{"damaged pack trailer: "} + cause};
  };
  if (trailer.size() != k_pack_trailer_size || as_text(trailer.subspan(24)) != k_trailer_magic) {
    throw damaged("no magic");
  }
  if (get_u32(trailer.data() + 16) != k_format_version) throw damaged("unknown version");
  if (get_u32(trailer.data() + 20) != 0) throw damaged("a reserved field is set");
  if (pack_size < k_pack_header_size + k_pack_trailer_size) throw damaged("the pack is too short");
  const PackTrailer out{get_u64(trailer.data()), get_u64(trailer.data() + 8)};
  const std::uint64_t end = pack_size - k_pack_trailer_size;
  if (out.directory_offset < k_pack_header_size || out.directory_offset > end ||
      out.directory_size != end - out.directory_offset) {
    throw damaged("directory out of range");
  }
  return out;
}

void check_pack_header(ByteView header) {
  if (header.size() != k_pack_header_size || as_text(header.first(8)) != k_header_magic) {
    throw Error(ErrorKind::damaged, "damaged pack header: no magic");
  }
  if (get_u32(header.data() + 8) != k_format_version) {
    throw Error(ErrorKind::failed, "unable to read pack: unknown version", "use a newer version of cairn");
  }
  if (get_u32(header.data() + 12) != 0) {
    throw Error(ErrorKind::failed, "unable to read pack: it is sealed in a way this program does not know",
                "use a newer version of cairn");
  }
}

void renew_pack_header(ByteSpan header) {
  check_pack_header(header.first(k_pack_header_size));
  const Bytes nonce = random_bytes(k_nonce_size);
  std::copy(nonce.begin(), nonce.end(), header.begin() + k_nonce_offset);
}

}  // namespace cairn
