// A whole pack that is not sealed: trailer, header, directory, frames, as a reader of it goes.
#include "repo/pack.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void read_frames(ByteView pack, const PackRef& ref, const PackDirectory& directory) {
  for (const auto& frame : directory.frames()) {
    const StoredRange range = stored_range(ref, directory, frame.offset, frame.stored_size);
    require(range.offset >= k_pack_header_size && range.length == frame.stored_size &&
                range.offset + range.length <= ref.directory_offset,
            "a frame lies in the data part");
    require(frame.raw_size <= k_max_frame_raw, "a frame keeps the limit");
    fuzz::accepted({ErrorKind::damaged}, [&] {
      const Bytes raw = zstd_decompress(pack.subspan(range.offset, range.length), frame.raw_size);
      require(raw.size() == frame.raw_size, "a frame has its size");
    });
  }
}

void run(std::string_view input) {
  const ByteView pack = as_bytes(input);
  PackRef ref;
  ref.name = sha256(pack);
  ref.size = pack.size();
  fuzz::accepted({ErrorKind::damaged, ErrorKind::failed}, [&] {
    const PackTrailer trailer =
        parse_pack_trailer(pack.last(std::min<std::size_t>(pack.size(), k_pack_trailer_size)), pack.size());
    ref.directory_offset = trailer.directory_offset;
    ref.directory_size = trailer.directory_size;
    check_pack_ref(ref);
    check_pack_header(pack.first(k_pack_header_size), ref);
    const ByteView stored = pack.subspan(ref.directory_offset, ref.directory_size);
    ref.logical_id = PackDirectory::decode(stored).logical_id();
    const PackDirectory directory = open_pack_directory(stored, ref, no_keys());
    require(directory.data_size() == ref.directory_offset - k_pack_header_size, "frames fill the data part");
    read_frames(pack, ref, directory);

    Bytes renewed(pack.begin(), pack.end());
    renew_pack_header(ByteSpan{renewed}.first(k_pack_header_size));
    check_pack_header(ByteView{renewed}.first(k_pack_header_size), ref);
  });
}

std::vector<std::string> seeds() {
  return {std::string{as_text(fuzz::sample_pack().memory)},
          std::string{as_text(fuzz::sample_pack(fuzz::fixed_keyring()).memory)}};
}

const fuzz::Registration k_registration{{"pack", run, seeds}};

}  // namespace
