#include "engine/commit/pack_checker.hpp"

#include "repo/frame_fetcher.hpp"
#include "repo/layout.hpp"
#include "repo/pack_directory.hpp"
#include "repo/padding.hpp"
#include "repo/second_reading.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

// Stored bytes that are fetched, and those that are opened and decoded, at one time; one frame always is.
constexpr std::uint64_t k_read_size = 4ULL << 20;
constexpr std::uint64_t k_max_run = 2ULL << 20;

// The pack's bytes from the beginning, each fetched once and hashed as it passes.
class PackWindow {
 public:
  PackWindow(PackReader& packs, const PackRef& ref) : m_packs(packs), m_name(ref.name), m_size(ref.size) {
    m_bytes.reserve(std::min(m_size, k_read_size + k_max_run));
  }

  // The range, cut short where the object ends. Begins nowhere before the one asked for last. Valid until the next.
  ByteView range(std::uint64_t offset, std::uint64_t length) {
    while (m_begin + m_bytes.size() < offset + length && m_begin + m_bytes.size() < m_size) {
      check_interrupted();
      drop_before(offset);
      const std::uint64_t at = m_begin + m_bytes.size();
      const auto more = m_packs.get(m_name, ByteRange{at, std::min(k_read_size, m_size - at)});
      if (!more || more->empty()) break;
      m_hash.update(*more);
      append(m_bytes, *more);
    }
    const auto end = m_begin + m_bytes.size();
    if (offset >= end) return {};
    return ByteView{m_bytes}.subspan(offset - m_begin, std::min(length, end - offset));
  }
  std::uint64_t read() const noexcept { return m_begin + m_bytes.size(); }
  // Of all that was read.
  Digest digest() { return m_hash.finish(); }

 private:
  void drop_before(std::uint64_t offset) {
    const auto n = std::min<std::uint64_t>(offset - m_begin, m_bytes.size());
    m_bytes.erase(m_bytes.begin(), m_bytes.begin() + static_cast<std::ptrdiff_t>(n));
    m_begin += n;
  }

  PackReader& m_packs;
  Digest m_name;
  std::uint64_t m_size;
  std::uint64_t m_begin = 0;  // of m_bytes, in the pack
  Bytes m_bytes;
  Sha256 m_hash;
};

// Runs a check that throws Error(damaged); notes what it says.
template <class F>
bool passes(PackCheck& out, F check) {
  const auto failure = any_failure_of(check);
  if (failure) out.failures.push_back(failure->message());
  return !failure;
}

ByteView whole_range(PackWindow& pack, const StoredRange& range) {
  const ByteView bytes = pack.range(range.offset, range.length);
  if (bytes.size() != range.length) throw Error(ErrorKind::damaged, "it is shorter than its manifest says");
  return bytes;
}

struct Data {
  PackWindow& pack;
  const PackRef& ref;
  std::shared_ptr<const PackDirectory> directory;
  const age::Decryptor* key;  // of a sealed pack
  Bytes opened = {};

  // Valid until the next.
  ByteView plain(std::uint64_t offset, std::uint64_t length) {
    const ByteView stored = whole_range(pack, stored_range(ref, *directory, offset, length));
    if (key == nullptr) return stored;
    opened = unseal_range(*key, ref, *directory, offset, length, stored);
    return opened;
  }
};

void check_frame(const Data& data, std::uint32_t number, ByteView stored, PackCheck& out) {
  const Frame& frame = data.directory->frames()[number];
  passes(out, [&] {
    const auto decoded = decode_frame(data.directory, number, stored);
    for (std::uint32_t i = 0; i < frame.chunk_count; ++i) {
      passes(out, [&] { decoded->chunk(frame.first_chunk + i); });
    }
  });
}

void check_frames(Data& data, PackCheck& out) {
  const auto& frames = data.directory->frames();
  for (std::uint32_t first = 0; first < frames.size();) {
    check_interrupted();
    const std::uint64_t begin = frames[first].offset;
    std::uint32_t end = first;
    std::uint64_t length = 0;
    do {
      length += frames[end++].stored_size;
    } while (end < frames.size() && length + frames[end].stored_size <= k_max_run);
    passes(out, [&] {
      const ByteView run = data.plain(begin, length);
      for (std::uint32_t i = first; i < end; ++i) {
        check_frame(data, i, run.subspan(frames[i].offset - begin, frames[i].stored_size), out);
      }
    });
    first = end;
  }
}

void check_data(Data data, PackCheck& out) {
  const std::string& preamble = data.directory->data_preamble();
  if (data.key) {
    passes(out, [&] {
      if (as_text(data.pack.range(k_pack_header_size, preamble.size())) != preamble) {
        throw Error(ErrorKind::damaged, "its directory tells of another data part");
      }
    });
  }
  check_frames(data, out);
  if (!data.key) return;
  passes(out, [&] {
    const std::uint64_t end = data.directory->data_size();
    const std::uint64_t size = age::plain_bytes(data.ref.directory_offset - k_pack_header_size - preamble.size());
    if (size > end && !is_padding(data.plain(end, size - end))) {
      throw Error(ErrorKind::damaged, "its frames are followed by something else than padding");
    }
  });
}

PackCheck check_once(Repository& repository, const PackRef& ref) {
  PackCheck out;
  PackReader& packs = repository.packs();
  // The directory first: it says where the frames are. It is the store that is looked at, whatever a cache holds.
  std::shared_ptr<const PackDirectory> directory;
  std::optional<age::Decryptor> key;
  const bool readable = passes(out, [&] {
    const auto bytes = packs.get(ref.name, ByteRange{ref.directory_offset, ref.directory_size});
    if (!bytes) throw Error(ErrorKind::damaged, "it is missing");
    if (bytes->size() != ref.directory_size) throw Error(ErrorKind::damaged, "it is shorter than its manifest says");
    // Of a closed manifest nothing is known that the directory could be held against.
    out.decoded = ref.logical_id != Digest{};
    if (!out.decoded) return;
    try {
      directory = std::make_shared<const PackDirectory>(open_pack_directory(*bytes, ref, repository.keys()));
      if (is_sealed(ref.seal)) key = open_pack_data(ref, *directory, repository.keys());
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::no_key) throw;
      out.decoded = false;
    }
  });
  if (!readable) return out;

  PackWindow pack{packs, ref};
  passes(out, [&] { check_pack_header(pack.range(0, k_pack_header_size), ref); });
  if (out.decoded) check_data({pack, ref, directory, key ? &*key : nullptr}, out);
  passes(out, [&] {
    const std::uint64_t offset = ref.size - k_pack_trailer_size;
    const auto trailer = parse_pack_trailer(whole_range(pack, {offset, k_pack_trailer_size}), ref.size);
    if (trailer.directory_offset != ref.directory_offset) {
      throw Error(ErrorKind::damaged, "damaged pack trailer: it does not fit its manifest");
    }
  });
  const bool fits = pack.digest() == ref.name;
  out.bytes = pack.read();
  if (!fits && out.failures.empty()) out.failures.emplace_back("its bytes do not fit its name");
  return out;
}

}  // namespace

PackCheck check_pack(Repository& repository, const PackRef& ref) {
  PackCheck first = check_once(repository, ref);
  if (first.failures.empty()) return first;
  PackCheck second = check_once(repository, ref);
  if (second.failures.empty()) {
    const std::string cause =
        fmt::format("damaged pack {}: {}", quote(layout::pack_key(ref.name)), first.failures.front());
    repository.reporter().warning(right_when_read_again({ErrorKind::damaged, cause}));
  }
  return second;
}

}  // namespace cairn
