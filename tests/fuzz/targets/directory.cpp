// A pack's directory, before it is compressed.
#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "repo/pack_directory.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::damaged}, [&] {
    const PackDirectory directory = PackDirectory::decode(zstd_compress(as_bytes(input), 1));
    std::uint64_t raw = 0;
    std::uint64_t data = 0;
    for (std::uint32_t f = 0; f < directory.frames().size(); ++f) {
      const Frame& frame = directory.frames()[f];
      require(frame.offset == data, "frames stand one behind another");
      data += frame.stored_size;
      raw += frame.raw_size;
      for (std::uint32_t c = frame.first_chunk; c < frame.first_chunk + frame.chunk_count; ++c) {
        require(directory.frame_of(c) == f, "a chunk is in its frame");
        require(directory.offset_in_frame(c) + directory.length(c) <= frame.raw_size, "a chunk lies in its frame");
      }
    }
    require(raw == directory.raw_size() && data == directory.data_size(), "sums are right");
    require(directory.logical_id().bytes != Digest{}.bytes, "there is a logical id");
    const Bytes stored = directory.encode();
    require(zstd_decompress_bounded(stored, input.size()).size() == input.size(), "it is written as it was read");
    require(as_text(zstd_decompress(stored, input.size())) == input, "it is written as it was read");
  });
}

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const Keyring* keys : {&no_keys(), &fuzz::fixed_keyring()}) {
    const Bytes stored = fuzz::sample_pack(*keys).directory.encode();
    out.emplace_back(as_text(zstd_decompress_bounded(stored, 1 << 20)));
  }
  return out;
}

const fuzz::Registration k_registration{{"directory", run, seeds}};

}  // namespace
