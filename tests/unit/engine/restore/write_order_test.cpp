#include "engine/restore/write_order.hpp"

#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// "A0@0 B3@1": frame 0 of pack A at 0, frame 3 of pack B at 1.
std::string text_of(const std::vector<Write>& writes) {
  std::string out;
  for (const auto& w : writes) {
    if (!out.empty()) out += ' ';
    out += static_cast<char>(w.frame.pack);
    out += std::to_string(w.frame.frame) + '@' + std::to_string(w.offset);
  }
  return out;
}

std::vector<Write> writes_of(const std::string& frames) {
  std::vector<Write> out;
  for (std::size_t i = 0; i + 1 < frames.size(); i += 3) {
    Write w;
    w.frame.pack = static_cast<std::uint64_t>(frames[i]);
    w.frame.frame = static_cast<std::uint32_t>(frames[i + 1] - '0');
    w.offset = out.size();
    out.push_back(w);
  }
  return out;
}

}  // namespace

TEST_CASE("content that comes pack by pack is written as it comes") {
  for (const char* frames : {"", "Z0", "Z0 Z0 Z1 A9 A9", "B1 A1"}) {
    auto writes = writes_of(frames);
    const std::string before = text_of(writes);
    order_by_pack(writes);
    CHECK(text_of(writes) == before);
  }
}

TEST_CASE("what a pack holds is written together, packs in the order of their first use") {
  auto writes = writes_of("Z1 A7 Z1 B1 A8 Z0 Z1 A7 B1 Z0");
  order_by_pack(writes);
  CHECK(text_of(writes) == "Z0@5 Z0@9 Z1@0 Z1@2 Z1@6 A7@1 A7@7 A8@4 B1@3 B1@8");
  const std::string before = text_of(writes);
  order_by_pack(writes);
  CHECK(text_of(writes) == before);
}

TEST_CASE("a write is taken apart by the frames that hold its chunks") {
  PackDirectory directory;
  for (const std::uint32_t chunks : {2U, 3U, 1U}) {
    for (std::uint32_t i = 0; i < chunks; ++i) directory.add_chunk({}, 10 + directory.chunk_count());
    directory.add_frame(100, chunks);
  }
  const auto pieces = [&](const ChunkRange& source) {
    std::vector<Write> out(1);  // it is appended
    append_by_frame(out, {1000, 0, source}, directory);
    std::string text;
    for (std::size_t i = 1; i < out.size(); ++i) {
      const Write& w = out[i];
      CHECK(w.frame.pack == 'A');
      text += std::to_string(w.frame.frame) + ':' + std::to_string(w.first) + '+' + std::to_string(w.count) + '@' +
              std::to_string(w.offset) + '=' + std::to_string(w.bytes) + ' ';
    }
    return text;
  };
  CHECK(pieces({'A', 0, 1}) == "0:0+1@1000=10 ");
  CHECK(pieces({'A', 2, 3}) == "1:2+3@1000=39 ");
  CHECK(pieces({'A', 1, 5}) == "0:1+1@1000=11 1:2+3@1011=39 2:5+1@1050=15 ");
  CHECK(test::failure_of([&] { pieces({'A', 5, 2}); }) == ErrorKind::damaged);
  CHECK(test::failure_of([&] { pieces({'A', UINT32_MAX, UINT32_MAX}); }) == ErrorKind::damaged);
}
