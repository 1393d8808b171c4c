#include "repo/pack.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "repo/padding.hpp"
#include "util/error.hpp"

#include <algorithm>

namespace cairn {

namespace {

constexpr std::string_view k_header_magic = "CAIRNPAK";
constexpr std::string_view k_trailer_magic = "CAIRNEND";
constexpr std::ptrdiff_t k_nonce_offset = 16;
constexpr std::size_t k_nonce_size = 16;
constexpr std::size_t k_memory_reserve = 4 * 1024 * 1024;
// The header's seal field.
constexpr std::uint32_t k_header_none = 0;
constexpr std::uint32_t k_header_age = 1;
// The bytes that one more recipient adds to an age header.
constexpr std::size_t k_writer_stanza = 128;

}  // namespace

std::uint64_t PackRef::prefix_of(const Digest& logical_id) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | logical_id.bytes[i];
  return value;
}

PackBuilder::PackBuilder(const std::optional<Spool>& spool, const Keyring& keys, PackContent content)
    : m_output(spool, k_memory_reserve), m_keys(keys), m_content(content) {
  Bytes header;
  append(header, as_bytes(k_header_magic));
  put_u32(header, static_cast<std::uint32_t>(k_format_version));
  put_u32(header, keys.seals() ? k_header_age : k_header_none);
  append(header, random_bytes(k_nonce_size));
  emit(header);
  if (!keys.seals()) return;
  m_encryptor.emplace(
      keys.encryptor(content == PackContent::list ? Keyring::For::recipients_and_writer : Keyring::For::recipients));
  m_directory.set_data_preamble(m_encryptor->preamble());
  emit(as_bytes(m_encryptor->preamble()));
}

void PackBuilder::emit(ByteView bytes) {
  m_hash.update(bytes);
  m_output.append(bytes);
  m_size += bytes.size();
}

void PackBuilder::emit_data(ByteView bytes) {
  if (!m_encryptor) {
    emit(bytes);
    return;
  }
  m_sealed.clear();
  m_encryptor->append(as_text(bytes), m_sealed);
  emit(as_bytes(m_sealed));
}

std::uint64_t PackBuilder::expected_size() const noexcept {
  const std::uint64_t data = m_directory.data_size();
  const std::uint64_t directory =
      PackDirectory::max_encoded_size(m_directory.frames().size(), m_directory.chunk_count());
  if (!m_encryptor) return k_pack_header_size + data + directory + k_pack_trailer_size;
  const std::uint64_t preambles = 3 * m_directory.data_preamble().size() + k_writer_stanza;
  return k_pack_header_size + age::sealed_payload_bytes(data + padding_for(data)) + preambles +
         age::sealed_payload_bytes(directory + padding_for(directory)) + k_pack_trailer_size;
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
  emit_data(stored);
  return first;
}

// The directory as it stands in the pack.
Bytes PackBuilder::stored_directory() {
  Bytes plain = m_directory.encode();
  if (!m_encryptor) return plain;
  append(plain, padding_frame(padding_for(plain.size())));
  Bytes out;
  append(out, as_bytes(m_keys.encryptor(Keyring::For::recipients_and_writer).seal(as_text(plain))));
  return out;
}

PackBuilder::Built PackBuilder::finish() {
  Built built;
  if (m_encryptor) {
    emit_data(padding_frame(padding_for(m_directory.data_size())));
    m_sealed.clear();
    m_encryptor->finish(m_sealed);
    emit(as_bytes(m_sealed));
    built.ref.seal = m_keys.seal();
  }
  built.ref.content = m_content;
  const Bytes directory = stored_directory();
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
  auto stored = m_output.finish();
  built.memory = std::move(stored.memory);
  built.file = std::move(stored.file);
  return built;
}

void check_pack_ref(const PackRef& ref) {
  if (ref.size < k_pack_header_size + k_pack_trailer_size || ref.directory_offset < k_pack_header_size ||
      ref.directory_offset > ref.size - k_pack_trailer_size ||
      ref.directory_size != ref.size - k_pack_trailer_size - ref.directory_offset ||
      ref.directory_size > PackDirectory::k_max_stored_size) {
    throw Error(ErrorKind::damaged, "directory range outside its pack");
  }
  if (!is_valid_seal(ref.seal)) {
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

namespace {

void check_magic(ByteView header) {
  if (header.size() != k_pack_header_size || as_text(header.first(k_header_magic.size())) != k_header_magic) {
    throw Error(ErrorKind::damaged, "damaged pack header: no magic");
  }
}

// The header's word on the seal.
std::uint32_t check_header(ByteView header) {
  check_magic(header);
  if (get_u32(header.data() + 8) != k_format_version) {
    throw Error(ErrorKind::failed, "unable to read pack: unknown version", "use a newer version of cairn");
  }
  const std::uint32_t seal = get_u32(header.data() + 12);
  if (seal > k_header_age) {
    throw Error(ErrorKind::failed, "unable to read pack: it is sealed in a way this program does not know",
                "use a newer version of cairn");
  }
  return seal;
}

[[noreturn]] void directory_damaged(const char* cause) {
  throw Error(ErrorKind::damaged, std::string{"its directory "} + cause);
}

Error no_key(const PackRef& ref) {
  return {ErrorKind::no_key, "unable to open pack " + ref.name.hex() + ": no key at hand fits its seal", k_no_key_hint};
}

}  // namespace

void check_pack_header(ByteView header, const PackRef& ref) {
  if (check_header(header) != (is_sealed(ref.seal) ? k_header_age : k_header_none)) {
    throw Error(ErrorKind::damaged, "damaged pack header: it does not fit its manifest");
  }
}

PackDirectory open_pack_directory(ByteView stored, const PackRef& ref, const Keyring& keys) {
  std::string plain;
  ByteView encoded = stored;
  if (is_sealed(ref.seal)) {
    auto opened = keys.open_file(as_text(stored));
    if (!opened) throw no_key(ref);
    plain = std::move(*opened);
    encoded = as_bytes(plain);
    const std::size_t length = zstd_frame_length(encoded);
    if (!is_padding(encoded.subspan(length))) directory_damaged("is followed by something else than padding");
    encoded = encoded.first(length);
  }
  PackDirectory directory = PackDirectory::decode(encoded);
  check_pack_directory(directory, ref);
  return directory;
}

void check_pack_directory(const PackDirectory& directory, const PackRef& ref) {
  if (directory.logical_id() != ref.logical_id) directory_damaged("does not fit its manifest");
  const std::uint64_t room = ref.directory_offset - k_pack_header_size;
  if (!is_sealed(ref.seal)) {
    if (!directory.data_preamble().empty()) directory_damaged("does not fit its seal");
    if (directory.data_size() != room) directory_damaged("does not fit its size");
    return;
  }
  const std::uint64_t preamble = directory.data_preamble().size();
  if (preamble == 0) directory_damaged("does not fit its seal");
  if (preamble >= room || age::plain_bytes(room - preamble) < directory.data_size()) {
    directory_damaged("does not fit its size");
  }
}

StoredRange stored_range(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                         std::uint64_t length) {
  const std::uint64_t begin = k_pack_header_size + directory.data_preamble().size();
  if (!is_sealed(ref.seal)) return {begin + offset, length};
  const std::uint64_t first = offset / age::k_segment_bytes;
  const std::uint64_t end = (offset + length - 1) / age::k_segment_bytes + 1;
  const std::uint64_t from = begin + first * age::k_sealed_segment_bytes;
  return {from, std::min(begin + end * age::k_sealed_segment_bytes, ref.directory_offset) - from};
}

age::Decryptor open_pack_data(const PackRef& ref, const PackDirectory& directory, const Keyring& keys) {
  auto key = keys.open(directory.data_preamble());
  if (!key) throw no_key(ref);
  return std::move(*key);
}

Bytes unseal_range(const age::Decryptor& key, const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                   std::uint64_t length, ByteView stored) {
  const std::uint64_t payload = ref.directory_offset - k_pack_header_size - directory.data_preamble().size();
  const std::uint64_t segments = (payload + age::k_sealed_segment_bytes - 1) / age::k_sealed_segment_bytes;
  std::uint64_t index = offset / age::k_segment_bytes;
  const std::uint64_t skip = offset - index * age::k_segment_bytes;
  Bytes plain(stored.size());
  std::size_t filled = 0;
  while (!stored.empty()) {
    const ByteView sealed = stored.first(std::min<std::size_t>(age::k_sealed_segment_bytes, stored.size()));
    if (sealed.size() < age::k_tag_bytes) throw Error(ErrorKind::damaged, "a sealed range is cut short");
    const std::size_t bytes = sealed.size() - age::k_tag_bytes;
    key.segment(index, index + 1 == segments, as_text(sealed), ByteSpan{plain}.subspan(filled, bytes));
    filled += bytes;
    stored = stored.subspan(sealed.size());
    ++index;
  }
  if (filled < skip + length) throw Error(ErrorKind::damaged, "a sealed range is cut short");
  plain.resize(skip + length);
  if (skip != 0) plain.erase(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(skip));
  return plain;
}

void renew_pack_header(ByteSpan header) {
  // Whether the rest of it is right, the pack's digest tells.
  check_magic(header.first(std::min(header.size(), k_pack_header_size)));
  const Bytes nonce = random_bytes(k_nonce_size);
  std::copy(nonce.begin(), nonce.end(), header.begin() + k_nonce_offset);
}

}  // namespace cairn
