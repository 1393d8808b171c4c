// A store as many snapshots of large sources leave it, for what list and prune take on it: manifests as they are, packs
// that only have the right names, sizes and ages.
//   cairn_many_snapshots STORE [SNAPSHOTS [SERIES [GIGABYTES]]]
// In a directory packs are files without blocks; in a bucket they are of a few bytes, and the manifests say so.
#include "engine/snapshot/lean_policy.hpp"
#include "repo/layout.hpp"
#include "repo/repository.hpp"
#include "store/open.hpp"
#include "util/error.hpp"
#include "util/thread_pool.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <random>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

// Of a snapshot's raw bytes: what is new in each but the first. Stored bytes are half of the raw ones.
constexpr double k_churn = 0.01;
constexpr std::uint64_t k_compression = 2;
constexpr std::uint64_t k_small_pack = 96;
constexpr std::uint64_t k_list_share = 4096;  // entry lists take one byte of so many
constexpr std::chrono::hours k_interval{24};
constexpr std::chrono::hours k_newest_age{24 * 30};
constexpr unsigned k_puts_at_once = 16;

struct Shape {
  std::uint64_t snapshots = 1000;
  std::uint64_t series = 100;
  std::uint64_t bytes = 100'000'000'000;
};

class Generator {
 public:
  Generator(ObjectStore& store, std::optional<fs::path> directory, const Shape& shape)
      : m_store(store),
        m_directory(std::move(directory)),
        m_shape(shape),
        m_now(store.now()),
        m_repository(store, m_reporter, {}) {}

  void run() {
    const std::uint64_t each = m_shape.snapshots / m_shape.series;
    for (std::uint64_t number = 0; number < m_shape.series; ++number) {
      std::vector<PackRef> packs;
      std::optional<Digest> previous;
      for (std::uint64_t sequence = 1; sequence <= each; ++sequence) {
        const Time taken = m_now - k_newest_age - k_interval * (each - sequence);
        const std::uint64_t fresh = renew(packs, sequence == 1, taken);
        previous = put_manifest(fmt::format("series{:03}", number), taken, sequence, previous, fresh, packs);
      }
    }
    m_puts.drain();
    std::cout << fmt::format("{} snapshots of {} GB, {} packs\n", each * m_shape.series, m_shape.bytes / 1'000'000'000,
                             m_packs);
  }

 private:
  Digest random_digest() {
    Digest digest;
    for (auto& byte : digest.bytes) byte = static_cast<std::uint8_t>(m_random());
    return digest;
  }

  // Drops as much as is new, adds what is new. Returns the new raw bytes.
  std::uint64_t renew(std::vector<PackRef>& packs, bool first, Time taken) {
    const double share = first ? 1.0 : k_churn;
    const auto fresh = static_cast<std::uint64_t>(share * static_cast<double>(m_shape.bytes));
    const std::uint64_t target = pack_target_for(m_shape.bytes);
    if (!first) {
      std::uint64_t dropped = 0;
      while (dropped < fresh && packs.size() > 1) {
        const std::size_t at = m_random() % packs.size();
        dropped += packs[at].raw_bytes;
        packs.erase(packs.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
    for (std::uint64_t stored = fresh / k_compression; stored > 0; stored -= std::min(stored, target)) {
      packs.push_back(make_pack(std::min(stored, target), PackContent::files, taken));
    }
    packs.push_back(make_pack(std::max<std::uint64_t>(fresh / k_list_share, 4096), PackContent::list, taken));
    return fresh;
  }

  PackRef make_pack(std::uint64_t size, PackContent content, Time taken) {
    PackRef ref;
    ref.name = random_digest();
    ref.logical_id = random_digest();
    ref.content = content;
    ref.raw_bytes = ref.live_bytes = size * k_compression;
    ref.size = m_directory ? std::max(size, k_small_pack) : k_small_pack;
    ref.directory_offset = k_pack_header_size;
    if (m_directory) ref.directory_offset += (ref.size - k_pack_header_size - k_pack_trailer_size) / 100 * 99;
    ref.directory_size = ref.size - k_pack_trailer_size - ref.directory_offset;
    ++m_packs;
    if (m_directory) {
      make_file(layout::pack_key(ref.name), ref.size, taken);
    } else {
      m_puts.push(0, [this, ref] {
        m_store.put(layout::pack_key(ref.name), ObjectBody::from_memory(Bytes(ref.size)));
        return 0;
      });
    }
    return ref;
  }

  void make_file(const std::string& key, std::uint64_t size, Time modified) const {
    const fs::path path = *m_directory / key;
    fs::create_directories(path.parent_path());
    const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(modified.time_since_epoch()).count();
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 || ::futimens(fd.get(), times) != 0) {
      throw_errno("make", path.native(), errno);
    }
  }

  Digest put_manifest(const std::string& series, Time taken, std::uint64_t sequence, std::optional<Digest> previous,
                      std::uint64_t fresh, const std::vector<PackRef>& packs) {
    Record record;
    record.series = series;
    record.cut_point = taken;
    record.sequence = sequence;
    record.previous = previous;
    Facts facts;
    facts.salt = random_digest().hex().substr(0, 32);
    facts.host = "host";
    facts.kind = "directory";
    facts.source = "/srv/" + series;
    facts.started = taken;
    facts.stats = {.entries = 100'000,
                   .files = 95'000,
                   .bytes = m_shape.bytes,
                   .new_bytes = fresh,
                   .stored_bytes = fresh / k_compression,
                   .packs_written = 3,
                   .errors = 0};
    Root root;
    root.salt = random_digest().hex().substr(0, 32);
    root.size = m_shape.bytes / k_list_share;
    root.extents = {{packs.back().prefix(), 0, 1}};
    const Manifest manifest = Manifest::make(std::move(record), std::move(facts), std::move(root), packs);
    const std::string key = m_repository.manifests().store(manifest);
    if (m_directory) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(taken.time_since_epoch()).count();
      const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
      if (::utimensat(AT_FDCWD, (*m_directory / key).c_str(), times, 0) != 0) throw_errno("age", key, errno);
    }
    return manifest.id;
  }

  ObjectStore& m_store;
  std::optional<fs::path> m_directory;
  Shape m_shape;
  Time m_now;
  SilentReporter m_reporter;
  Repository m_repository;
  std::mt19937_64 m_random{1};
  std::uint64_t m_packs = 0;
  ThreadPool m_pool{k_puts_at_once};
  OrderedWindow<int> m_puts{m_pool, std::size_t{4} * k_puts_at_once, UINT64_MAX, [](int) {}};
};

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string{name}.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty() || args.size() > 4) {
    std::cerr << "usage: cairn_many_snapshots STORE [SNAPSHOTS [SERIES [GIGABYTES]]]\n";
    return 2;
  }
  try {
    Shape shape;
    if (args.size() > 1) shape.snapshots = std::stoull(args[1]);
    if (args.size() > 2) shape.series = std::stoull(args[2]);
    if (args.size() > 3) shape.bytes = std::stoull(args[3]) * 1'000'000'000;
    const bool bucket = args[0].starts_with("s3:");
    SilentReporter reporter;
    const auto store = open_store({.url = args[0]}, environment, reporter, CreateRoot::yes);
    Descriptor descriptor;
    descriptor.store_id = random_name(16);
    descriptor.created = store->now();
    init_store(*store, descriptor);
    Generator{*store, bucket ? std::nullopt : std::optional<fs::path>{args[0]}, shape}.run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
