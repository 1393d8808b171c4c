// A snapshot in a store in memory, built by hand: its packs, the cut of its entry list and what is wrong with it are
// the test's to choose.
#pragma once

#include "repo/entry_text.hpp"
#include "repo/layout.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"
#include "repo/snapshot_frames.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/packs.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn::test {

struct HandMadeSnapshot {
  explicit HandMadeSnapshot(std::shared_ptr<const Keyring> keys = {}) : engine(store, {}, "host", std::move(keys)) {}

  MemoryStore store;
  EngineFixture engine;
  std::vector<PackRef> packs;
  std::vector<PackRef> spares;

  // One chunk a text, `a_frame` chunks a frame; sealed where the keys seal.
  PackRef make_pack(const std::vector<std::string>& texts, std::size_t a_frame = 2) {
    return put_pack(store, engine.repository.keys(), texts, a_frame);
  }
  PackRef add_pack(const std::vector<std::string>& texts, std::size_t a_frame = 2) {
    packs.push_back(make_pack(texts, a_frame));
    return packs.back();
  }

  // With the list of entries that these chunks are, and `levels` lists of extents above it.
  Manifest manifest(const std::vector<std::string>& list, std::uint64_t levels = 0, bool single_file = false) {
    Root root;
    root.salt = random_name(16);
    root.levels = levels;
    for (const auto& text : list) root.size += text.size();
    list_pack = add_pack(list, 4);
    root.extents = {{list_pack.prefix(), 0, static_cast<std::uint32_t>(list.size()), 0}};
    for (std::uint64_t level = 0; level < levels; ++level) {
      std::vector<std::string> lines;
      const Extent whole = root.extents.front();
      for (std::uint32_t i = 0; i < whole.count; ++i) {
        lines.push_back(write_part_line(1, {{whole.pack, whole.first + i, 1, 0}}));
      }
      root.extents = {{add_pack(lines, 64).prefix(), 0, static_cast<std::uint32_t>(lines.size()), 0}};
    }
    Record record;
    record.series = "s";
    record.cut_point = store.now();
    record.sequence = 1;
    Facts facts;
    facts.salt = random_name(16);
    facts.host = "host";
    facts.kind = "directory";
    facts.source = "/source";
    facts.single_file = single_file;
    Manifest out = Manifest::make(std::move(record), std::move(facts), std::move(root), packs);
    out.spare_packs = spares;
    return out;
  }
  PackRef list_pack;

  std::unique_ptr<SnapshotFrames> frames(const Manifest& manifest, std::uint64_t keep_bytes = 1 << 20) {
    return std::make_unique<SnapshotFrames>(engine.repository.packs(), engine.io, engine.pool, manifest, keep_bytes);
  }

  // Flips a bit in the frame of that pack, as stored.
  void damage_frame(const PackRef& ref, std::uint32_t frame) {
    const auto directory = engine.repository.packs().directory(ref);
    const Frame& at = directory->frames()[frame];
    const StoredRange range = stored_range(ref, *directory, at.offset, at.stored_size);
    const std::string key = layout::pack_key(ref.name);
    Bytes bytes = store.objects().at(key).bytes;
    bytes[range.offset + range.length / 2] ^= 1;
    store.overwrite(key, as_text(bytes));
  }
};

// One text cut into chunks of so many bytes, wherever that is.
inline std::vector<std::string> cut_anywhere(const std::string& text, std::size_t size) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size(); at += size) out.push_back(text.substr(at, size));
  return out;
}

// Cut at ends of lines, into chunks of at least so many bytes.
inline std::vector<std::string> cut_at_lines(const std::string& text, std::size_t size) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at + size), text.size() - 1) + 1;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

inline std::string directory_line(const std::string& path) {
  Entry entry;
  entry.path = path;
  entry.type = EntryType::directory;
  return write_entry_head(entry) + "}\n";
}

inline std::string file_line(const std::string& path, std::uint64_t size, const std::vector<Extent>& extents,
                             std::uint64_t parts = 0) {
  Entry entry;
  entry.path = path;
  entry.size = size;
  return finish_entry_line(write_entry_head(entry), extents, parts);
}

}  // namespace cairn::test
