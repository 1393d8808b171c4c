// The overlay of a database by its log: a log is built as the input says, with right checksums, and then one thing is
// done to it or to its index. Without that the overlay is what a simple reading of the frames gives.
#include "capture/sqlite/wal_overlay.hpp"

#include "target.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include <sqlite3.h>

namespace {

using namespace cairn;
using fuzz::require;

constexpr std::size_t k_max_frames = 40;
constexpr int k_max_faults = 3;

// A file in memory behind SQLite's interface, as far as a reader goes.
struct MemoryFile : sqlite3_file {
  std::string_view bytes;
};

int read_memory(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  const auto& bytes = static_cast<MemoryFile*>(file)->bytes;
  const auto wanted = static_cast<std::size_t>(size);
  const auto begin = std::min(static_cast<std::size_t>(offset), bytes.size());
  const auto there = std::min(wanted, bytes.size() - begin);
  std::memcpy(to, bytes.data() + begin, there);
  std::memset(static_cast<char*>(to) + there, 0, wanted - there);
  return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int size_of_memory(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(static_cast<MemoryFile*>(file)->bytes.size());
  return SQLITE_OK;
}

MemoryFile make_file(std::string_view bytes) {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 1;
    m.xRead = read_memory;
    m.xFileSize = size_of_memory;
    return m;
  }();
  MemoryFile file{};
  file.pMethods = &methods;
  file.bytes = bytes;
  return file;
}

void put_be32(std::string& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xff);
}

struct Log {
  std::string bytes;
  sqlite::WalIndexHeader index;
  std::vector<std::uint32_t> pages;  // of each frame
};

Log build(fuzz::Numbers& numbers) {
  Log log;
  sqlite::WalIndexHeader& index = log.index;
  const unsigned shape = numbers.byte();
  index.page_size = 512U << (shape % 3);
  index.order = (shape & 0x80) != 0 ? sqlite::Checksum::Order::big : sqlite::Checksum::Order::little;
  index.page_count = numbers.byte() % 32;
  index.salt = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::string salt(index.salt.begin(), index.salt.end());
  put_be32(log.bytes, (shape & 0x80) != 0 ? 0x377f0683 : 0x377f0682);
  put_be32(log.bytes, 3007000);
  put_be32(log.bytes, index.page_size);
  put_be32(log.bytes, 0);
  log.bytes += salt;
  sqlite::Checksum sum;
  sum.update(as_bytes(log.bytes), index.order);
  put_be32(log.bytes, sum.s0);
  put_be32(log.bytes, sum.s1);
  for (std::size_t frames = numbers.byte() % k_max_frames; frames > 0; --frames) {
    const std::uint32_t page = numbers.byte() % 40 + 1;
    std::string head;
    put_be32(head, page);
    put_be32(head, numbers.byte() % 2 == 0 ? 0 : index.page_count);
    const std::string content(index.page_size, static_cast<char>(page));
    sum.update(as_bytes(head), index.order);
    sum.update(as_bytes(content), index.order);
    head += salt;
    put_be32(head, sum.s0);
    put_be32(head, sum.s1);
    log.bytes += head + content;
    log.pages.push_back(page);
  }
  index.max_frame = static_cast<std::uint32_t>(log.pages.size());
  index.frame_checksum = sum;
  return log;
}

// One thing that might be wrong with a log or its index.
void damage(Log& log, fuzz::Numbers& numbers) {
  switch (numbers.byte() % 6) {
    case 0:
      log.bytes[numbers.below(log.bytes.size())] ^= static_cast<char>(numbers.byte());
      break;
    case 1:
      log.bytes.resize(numbers.below(log.bytes.size()) + 1);
      break;
    case 2:
      log.index.max_frame = static_cast<std::uint32_t>(numbers.below(1U << 24)) << (numbers.byte() % 9);
      break;
    case 3:
      log.index.page_size = 512U << (numbers.byte() % 8);
      break;
    case 4:
      log.index.salt[numbers.byte() % 8] ^= static_cast<std::uint8_t>(numbers.byte());
      break;
    default:
      log.bytes += numbers.rest();
      break;
  }
}

void run(std::string_view input) {
  fuzz::Numbers numbers{input};
  Log log = build(numbers);
  const Log original = log;
  auto backfilled = static_cast<std::uint32_t>(numbers.below(log.pages.size() + 1));
  for (int i = 0; i < k_max_faults && !numbers.empty(); ++i) damage(log, numbers);
  backfilled = std::min(backfilled, log.index.max_frame);
  const bool same = log.index == original.index && log.bytes.starts_with(original.bytes);

  MemoryFile memory = make_file(log.bytes);
  const sqlite::SqliteFile file{&memory, "app.db-wal"};
  const bool read = fuzz::accepted({ErrorKind::failed}, [&] {
    const auto overlay = sqlite::read_overlay(file, log.index, backfilled);
    std::map<std::uint32_t, std::uint32_t> expected;
    for (std::uint32_t frame = backfilled + 1; frame <= log.index.max_frame; ++frame) {
      require(frame <= original.pages.size(), "no frame is made up");
      const std::uint32_t page = original.pages[frame - 1];
      if (page <= log.index.page_count) expected[page] = frame;
    }
    require(overlay.size() == expected.size() && std::equal(overlay.begin(), overlay.end(), expected.begin(),
                                                            [](const sqlite::OverlayPage& a, const auto& b) {
                                                              return a.page == b.first && a.frame == b.second;
                                                            }),
            "the newest frame of each page overlays it");
  });
  require(read || !same, "a log that nobody touched is read");
}

std::vector<std::string> seeds() {
  const std::string frames("\x01\x10\x05\x01\x00\x02\x00\x01\x01\x09\x00\x01\x01", 13);
  return {frames + std::string(3, '\0'),
          frames + std::string("\x00\x00\x02", 3),
          "\x80" + frames.substr(1) + std::string(3, '\0'),
          frames + std::string("\x00\x00\x00\x00\x00\x02\x30\x01", 8),
          frames + std::string("\x00\x00\x00\x01\x00\x05\x10", 7),
          frames + std::string("\x00\x00\x00\x02\xff\xff\xff\x08", 8),
          frames + std::string("\x00\x00\x00\x03\x02", 5)};
}

const fuzz::Registration k_registration{{"wal_overlay", run, seeds}};

}  // namespace
