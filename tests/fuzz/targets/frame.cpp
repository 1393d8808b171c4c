// zstd frames: what is decoded has the size that was announced, and never more than the limit.
#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "repo/padding.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

constexpr std::size_t k_limit = 1 << 20;

void run(std::string_view input) {
  const ByteView stored = as_bytes(input);
  const bool bounded = fuzz::accepted({ErrorKind::damaged}, [&] {
    const Bytes raw = zstd_decompress_bounded(stored, k_limit);
    require(raw.size() <= k_limit, "the limit is kept");
    require(zstd_frame_length(stored) == stored.size(), "it is one frame");
    require(zstd_decompress(stored, raw.size()) == raw, "both ways read the same");
    require(zstd_decompress(zstd_compress(raw, 1), raw.size()) == raw, "what is compressed comes back");
    require(!fuzz::accepted({ErrorKind::damaged}, [&] { zstd_decompress(stored, raw.size() + 1); }),
            "another size is refused");
  });
  fuzz::accepted({ErrorKind::damaged}, [&] {
    const std::size_t length = zstd_frame_length(stored);
    require(length > 0 && length <= stored.size(), "a frame ends within what was given");
    require(!bounded || length == stored.size(), "one frame is all of it");
    static_cast<void>(is_padding(stored.subspan(length)));
  });
  static_cast<void>(is_padding(stored));
}

std::vector<std::string> seeds() {
  std::string noise;
  for (unsigned i = 0; i < 500; ++i) noise += static_cast<char>((i * 2654435761U) >> 13);
  std::vector<std::string> out;
  for (const std::string& raw : {std::string{}, std::string{"abc"}, std::string(70'000, 'a'), noise}) {
    out.emplace_back(as_text(zstd_compress(as_bytes(raw))));
  }
  out.emplace_back(as_text(padding_frame(300)));
  out.push_back(out[1] + out.back());
  return out;
}

const fuzz::Registration k_registration{{"frame", run, seeds}};

}  // namespace
