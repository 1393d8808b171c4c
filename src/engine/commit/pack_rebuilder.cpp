#include "engine/commit/pack_rebuilder.hpp"

#include "repo/frame_fetcher.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Bytes asked for at once.
constexpr std::uint64_t k_read_at_once = 8ULL << 20;

// The chunks of a frame, each of which is right.
std::vector<PackBuilder::Chunk> verified_chunks(const PackRef& pack,
                                                const std::shared_ptr<const PackDirectory>& directory,
                                                std::uint32_t number, ByteView stored) {
  try {
    decode_frame(directory, number, stored)->require_intact();
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("damaged pack {}: {}", quote(layout::pack_key(pack.name)), e.message()));
  }
  const Frame& frame = directory->frames()[number];
  std::vector<PackBuilder::Chunk> chunks;
  chunks.reserve(frame.chunk_count);
  for (std::uint32_t c = frame.first_chunk; c < frame.first_chunk + frame.chunk_count; ++c) {
    chunks.push_back({directory->digest(c), directory->length(c)});
  }
  return chunks;
}

}  // namespace

PackBuilder::Built rebuild_pack(Repository& from, const PackRef& pack, const Keyring& keys,
                                const std::optional<Spool>& spool, const std::function<void(std::uint64_t)>& progress) {
  const auto directory = from.packs().directory(pack);
  // For the recipients alone: nothing proves that a pack which is said to hold entry lists holds no content, and a host
  // that pushes has the list where it comes from.
  PackBuilder builder{spool, keys, PackContent::files};
  const auto& frames = directory->frames();
  for (std::uint32_t i = 0; i < frames.size();) {
    check_interrupted();
    std::uint32_t end = i + 1;
    const std::uint64_t begin = frames[i].offset;
    while (end < frames.size() && frames[end].offset + frames[end].stored_size - begin <= k_read_at_once) ++end;
    const std::uint64_t length = frames[end - 1].offset + frames[end - 1].stored_size - begin;
    const Bytes stored = from.packs().read_data(pack, *directory, begin, length);
    for (; i < end; ++i) {
      const ByteView bytes = ByteView{stored}.subspan(frames[i].offset - begin, frames[i].stored_size);
      builder.add_frame(bytes, verified_chunks(pack, directory, i, bytes));
    }
    if (progress) progress(length);
  }
  auto built = builder.finish();
  built.ref.live_bytes = pack.live_bytes;
  built.ref.content = pack.content;
  return built;
}

PackBuilder::Built copy_pack(Repository& from, const PackRef& pack, const std::optional<Spool>& spool,
                             const std::function<void(std::uint64_t)>& progress) {
  const std::string key = layout::pack_key(pack.name);
  const auto damaged = [&](std::string_view cause) {
    return Error(ErrorKind::damaged, fmt::format("damaged pack {}: {}", quote(key), cause));
  };
  PackBuilder::Built built;
  built.directory = *from.packs().directory(pack);
  built.ref = pack;
  PackOutput output{spool};
  Sha256 before;
  Sha256 after;
  for (std::uint64_t at = 0; at < pack.size;) {
    check_interrupted();
    const std::uint64_t length = std::min(spool ? k_read_at_once : pack.size, pack.size - at);
    Bytes bytes = from.packs().read_range(pack, {at, length});
    if (bytes.size() != length) throw damaged("it is shorter than its manifest says");
    before.update(bytes);
    if (at == 0) renew_pack_header(bytes);
    after.update(bytes);
    output.append(bytes);
    at += length;
    if (progress) progress(length);
  }
  // A longer object has another digest than its first bytes, so the size need not be asked for.
  if (before.finish() != pack.name) throw damaged("its bytes do not fit its name");
  built.ref.name = after.finish();
  auto stored = output.finish();
  built.memory = std::move(stored.memory);
  built.file = std::move(stored.file);
  return built;
}

Spool spool_for(ObjectStore& store, const std::optional<fs::path>& asked) {
  if (const auto staging = store.make_staging()) return {*staging, k_object_mode};
  return {asked ? *asked : temporary_directory()};
}

}  // namespace cairn
