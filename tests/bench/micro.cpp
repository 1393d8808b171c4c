// The hot pure functions, one by one: cairn_microbench --help. Bytes a second are of raw bytes.
#include "codec/chunker.hpp"
#include "codec/digest.hpp"
#include "codec/zstd.hpp"
#include "engine/snapshot/dedup_index.hpp"
#include "repo/entry_text.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"
#include "util/file.hpp"

#include <benchmark/benchmark.h>
#include <random>

#include <fmt/format.h>

namespace {

using namespace cairn;

constexpr std::size_t k_frame = 1U << 20;
constexpr std::size_t k_page = 4096;

// Half text of uneven words, half noise in lines: compresses about two to one, as real rows do.
Bytes sample(std::size_t size) {
  std::mt19937_64 random{1};
  std::vector<std::string> words(2000);
  for (auto& word : words) {
    for (std::size_t i = 2 + random() % 8; i > 0; --i) word += "etaoinshrdlucmfw"[random() % 16];
  }
  std::string text;
  while (text.size() < size) {
    for (int i = 0; i < 12; ++i)
      text += words[random() % words.size() * (random() % words.size()) / words.size()] + ' ';
    text += fmt::format("{:016x}\n", random());
  }
  const ByteView bytes = as_bytes(text).first(size);
  return {bytes.begin(), bytes.end()};
}

Digest digest_of(std::uint64_t number) {
  return sha256(fmt::format("{}", number));
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(each));
}

void chunk_files(benchmark::State& state) {
  const Bytes data = sample(4 * k_frame);
  for (auto _ : state) benchmark::DoNotOptimize(cdc_lengths(data, k_cdc_files));
  count_bytes(state, data.size());
}
BENCHMARK(chunk_files);

void chunk_stream(benchmark::State& state) {
  const Bytes data = sample(4 * k_frame);
  for (auto _ : state) benchmark::DoNotOptimize(cdc_lengths(data, k_cdc_stream));
  count_bytes(state, data.size());
}
BENCHMARK(chunk_stream);

void digest(benchmark::State& state) {
  const Bytes data = sample(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
  count_bytes(state, data.size());
}
BENCHMARK(digest)->Arg(64)->Arg(4096)->Arg(32768)->Arg(1 << 20);

void frame_encode(benchmark::State& state) {
  const Bytes data = sample(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(zstd_compress(data));
  count_bytes(state, data.size());
}
BENCHMARK(frame_encode)->Arg(256 << 10)->Arg(k_frame);

void frame_decode(benchmark::State& state) {
  const Bytes data = sample(static_cast<std::size_t>(state.range(0)));
  const Bytes stored = zstd_compress(data);
  Bytes raw(data.size());
  for (auto _ : state) zstd_decompress_into(stored, raw);
  count_bytes(state, data.size());
}
BENCHMARK(frame_decode)->Arg(256 << 10)->Arg(k_frame);

// A frame of pages in a pack: its hash and its directory. Nothing is compressed.
void pack_append(benchmark::State& state) {
  const Bytes data = sample(k_frame);
  const Bytes stored = zstd_compress(data);
  std::vector<PackBuilder::Chunk> chunks;
  for (std::size_t at = 0; at < data.size(); at += k_page) {
    chunks.push_back({sha256(ByteView{data}.subspan(at, k_page)), static_cast<std::uint32_t>(k_page)});
  }
  for (auto _ : state) {
    PackBuilder builder{std::nullopt};
    for (int i = 0; i < 16; ++i) builder.add_frame(stored, chunks);
    benchmark::DoNotOptimize(builder.finish());
  }
  count_bytes(state, 16 * data.size());
}
BENCHMARK(pack_append);

void index_insert(benchmark::State& state) {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < 200'000; ++i) digests.push_back(digest_of(i));
  for (auto _ : state) {
    DedupIndex index{directory.path()};
    for (std::uint32_t i = 0; i < digests.size(); ++i) index.insert(digests[i], {k_own_frame | i / 256, i % 256});
    benchmark::DoNotOptimize(index.table_size());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(digests.size()));
}
BENCHMARK(index_insert);

// 0: none is there; 1: in the order of insertion; 2: in any order.
void index_find(benchmark::State& state) {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  constexpr std::uint64_t k_chunks = 200'000;
  DedupIndex index{directory.path()};
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < k_chunks; ++i) {
    digests.push_back(digest_of(i));
    index.insert(digests.back(), {0, static_cast<std::uint32_t>(i)});
  }
  if (state.range(0) == 0) {
    for (std::uint64_t i = 0; i < k_chunks; ++i) digests[i] = digest_of(k_chunks + i);
  } else if (state.range(0) == 2) {
    std::shuffle(digests.begin(), digests.end(), std::mt19937_64{1});
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(index.find(digests[next]));
    if (++next == digests.size()) next = 0;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(index_find)->Arg(0)->Arg(1)->Arg(2);

Entry sample_entry() {
  Entry entry;
  entry.path = "drivers/net/ethernet/intel/ice/ice_txrx_lib.c";
  entry.mode = 0644;
  entry.user = entry.group = "root";
  entry.mtime = entry.ctime = Time{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
  entry.inode = 1234567;
  entry.size = 34567;
  return entry;
}

void entry_write(benchmark::State& state) {
  const Entry entry = sample_entry();
  const std::vector<Extent> extents{{0x0123456789abcdef, 1234, 2}};
  for (auto _ : state) benchmark::DoNotOptimize(finish_entry_line(write_entry_head(entry), extents, 0));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(entry_write);

void entry_parse(benchmark::State& state) {
  const std::string line = finish_entry_line(write_entry_head(sample_entry()), {{0x0123456789abcdef, 1234, 2}}, 0);
  EntryLineParser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(line));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(entry_parse);

Manifest sample_manifest(std::size_t packs) {
  Record record;
  record.series = "series";
  Facts facts;
  facts.salt = std::string(32, '0');
  facts.host = "host";
  facts.kind = "directory";
  facts.source = "/srv/data";
  Root root;
  root.salt = std::string(32, '1');
  std::vector<PackRef> refs;
  for (std::uint64_t i = 0; i < packs; ++i) {
    PackRef ref;
    ref.name = digest_of(2 * i);
    ref.logical_id = digest_of(2 * i + 1);
    ref.size = 512U << 20;
    ref.directory_offset = 511U << 20;
    ref.directory_size = ref.size - k_pack_trailer_size - ref.directory_offset;
    ref.raw_bytes = ref.live_bytes = 1U << 30;
    refs.push_back(ref);
  }
  root.extents = {{refs.front().prefix(), 0, 1}};
  return Manifest::make(std::move(record), std::move(facts), std::move(root), std::move(refs));
}

void manifest_write(benchmark::State& state) {
  const Manifest manifest = sample_manifest(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(manifest.text());
}
BENCHMARK(manifest_write)->Arg(100)->Arg(10'000);

void manifest_parse(benchmark::State& state) {
  const std::string text = sample_manifest(static_cast<std::size_t>(state.range(0))).text();
  for (auto _ : state) benchmark::DoNotOptimize(Manifest::parse(text, "sample"));
  count_bytes(state, text.size());
}
BENCHMARK(manifest_parse)->Arg(100)->Arg(10'000);

void directory_decode(benchmark::State& state) {
  PackDirectory directory;
  for (std::uint64_t frame = 0; frame < 64; ++frame) {
    directory.add_frame(500'000, 256);
    for (std::uint64_t i = 0; i < 256; ++i) directory.add_chunk(digest_of(frame * 256 + i), k_page);
  }
  const Bytes stored = directory.encode();
  for (auto _ : state) benchmark::DoNotOptimize(PackDirectory::decode(stored).logical_id());
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * directory.chunk_count());
}
BENCHMARK(directory_decode);

}  // namespace

BENCHMARK_MAIN();
