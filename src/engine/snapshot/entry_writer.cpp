#include "engine/snapshot/entry_writer.hpp"

#include "engine/snapshot/list_cut.hpp"
#include "repo/entry_text.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

// Extents of the list itself that the manifest holds as they are.
constexpr std::size_t k_root_text_max = 64 * 1024;
constexpr std::size_t k_extents_per_line = 64;

class LineChunker {
 public:
  LineChunker(ChunkStore& store, DedupIndex& index) : m_store(store), m_index(index) {}

  void add(std::string_view line) {
    m_size += line.size();
    m_text += line;
    if (ends_list_chunk(line, m_text.size())) flush();
  }
  void flush() {
    std::string_view rest = m_text;
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, k_max_chunk);
      rest.remove_prefix(piece.size());
      const Digest digest = sha256(piece);
      auto place = m_index.find(digest);
      if (!place) {
        place = m_store.add(digest, as_bytes(piece));
        m_index.insert(digest, *place);
      }
      append_place(m_places, *place);
    }
    m_text.clear();
  }
  std::uint64_t size() const noexcept { return m_size; }
  const std::vector<LocalExtent>& places() const noexcept { return m_places; }

 private:
  ChunkStore& m_store;
  DedupIndex& m_index;
  std::string m_text;
  std::uint64_t m_size = 0;
  std::vector<LocalExtent> m_places;
};

}  // namespace

void PlaceResolver::note(const PackRef& ref, std::uint32_t chunk_count, std::uint32_t first, std::uint32_t count) {
  Use& use = m_uses[ref.logical_id];
  if (use.chunks.empty()) {
    use.ref = ref;
    use.chunks.resize(chunk_count);
  }
  if (std::uint64_t{first} + count > use.chunks.size()) {
    throw Error(ErrorKind::damaged, "damaged entry list: an extent out of its pack");
  }
  std::fill_n(use.chunks.begin() + first, count, true);
}

std::vector<Extent> PlaceResolver::resolve(const std::vector<LocalExtent>& local) {
  std::vector<Extent> out;
  for (const auto& e : local) {
    if (e.source == k_hole_source) {
      append_extent(out, Extent::make_hole(hole_bytes(e)));
    } else if ((e.source & k_own_frame) != 0) {
      const auto place = m_store.place_of({e.source, e.first});
      const PackRef& ref = m_store.packs()[place.pack];
      note(ref, m_store.chunk_count(place.pack), place.chunk, e.count);
      append_extent(out, {ref.prefix(), place.chunk, e.count, 0});
    } else {
      const PackRef& ref = m_lean[e.source];
      note(ref, m_lean.chunk_count(e.source), e.first, e.count);
      append_extent(out, {ref.prefix(), e.first, e.count, 0});
    }
  }
  return out;
}

std::vector<PackRef> PlaceResolver::used_packs() const {
  std::vector<PackRef> out;
  std::unordered_map<std::uint64_t, const PackRef*> prefixes;
  for (const auto& [logical_id, use] : m_uses) {
    if (!prefixes.emplace(use.ref.prefix(), &use.ref).second) {
      throw Error(ErrorKind::failed, "unable to take the snapshot: two packs have names that begin alike",
                  "run it again: the packs will be cut anew with --reread");
    }
    out.push_back(use.ref);
    const auto used = static_cast<double>(std::count(use.chunks.begin(), use.chunks.end(), true));
    out.back().live_bytes = static_cast<std::uint64_t>(static_cast<double>(use.ref.raw_bytes) * used /
                                                       static_cast<double>(use.chunks.size()));
  }
  std::sort(out.begin(), out.end(), [](const PackRef& a, const PackRef& b) { return a.name < b.name; });
  return out;
}

Root write_entry_list(EntrySpool& spool, ChunkStore& store, DedupIndex& index, PlaceResolver& resolver) {
  Root root;
  root.salt = random_name(16);
  store.begin_lists();
  std::vector<Extent> extents;
  {
    LineChunker lines{store, index};
    spool.rewind();
    EntrySpool::Stored entry;
    LocalPart part;
    while (spool.next_entry(entry)) {
      check_interrupted();
      if (!entry.is_file) {
        lines.add(entry.head + "}\n");
        continue;
      }
      if (entry.parts <= 1) {
        part.extents.clear();
        if (entry.parts == 1) spool.next_part(part);
        lines.add(finish_entry_line(entry.head, resolver.resolve(part.extents), 0));
        continue;
      }
      lines.add(finish_entry_line(entry.head, {}, entry.parts));
      for (std::uint64_t i = 0; i < entry.parts; ++i) {
        spool.next_part(part);
        lines.add(write_part_line(part.size, resolver.resolve(part.extents)));
      }
    }
    lines.flush();
    store.close_pack();
    root.size = lines.size();
    extents = resolver.resolve(lines.places());
  }
  for (;;) {
    std::string text;
    append_extents_text(text, extents);
    if (text.size() <= k_root_text_max) break;
    LineChunker lines{store, index};
    std::vector<Extent> line;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      line.push_back(extents[i]);
      // Cut by content here too: an extent that ends a line does so wherever it stands.
      const std::uint64_t mixed = (extents[i].pack ^ extents[i].first) * 0x9e3779b97f4a7c15;
      if (line.size() == k_extents_per_line || mixed >> 59 == 0 || i + 1 == extents.size()) {
        std::uint64_t bytes = 0;
        for (const auto& e : line) bytes += e.count;
        lines.add(write_part_line(bytes, line));
        line.clear();
      }
    }
    lines.flush();
    store.close_pack();
    extents = resolver.resolve(lines.places());
    ++root.levels;
  }
  root.extents = std::move(extents);
  return root;
}

}  // namespace cairn
