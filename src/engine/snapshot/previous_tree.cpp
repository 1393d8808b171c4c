#include "engine/snapshot/previous_tree.hpp"

#include "util/interrupt.hpp"

#include <chrono>
#include <utility>

namespace cairn {

namespace {

constexpr std::chrono::seconds k_racy_window{2};

}  // namespace

bool is_unchanged(const Entry& before, const Entry& now, Time last_read) {
  if (before.size != now.size || before.mtime != now.mtime || before.ctime != now.ctime || before.inode != now.inode) {
    return false;
  }
  return now.mtime <= last_read - k_racy_window && now.ctime <= last_read - k_racy_window;
}

PreviousTree::PreviousTree(Context& context, const Manifest& previous, const LeanSet& lean, Reread reread)
    : m_context(context),
      m_previous(previous),
      m_lean(lean),
      m_reread(reread),
      m_entries(std::make_unique<PreviousEntries>(context, previous)) {}

bool PreviousTree::looks_unchanged(const SourceItem& item) {
  const Entry* before = m_entries->seek(item.entry.path);
  if (before == nullptr || before->type != EntryType::file || m_reread == Reread::yes || item.content->always_read()) {
    return false;
  }
  return is_unchanged(*before, item.entry, m_previous.facts.started);
}

// Nothing where not all of its packs may be referred to.
std::optional<LocalPart> PreviousTree::local(const PreviousEntries::ContentPart& part) const {
  LocalPart local;
  local.size = part.size;
  local.extents.reserve(part.extents.size());
  for (const auto& e : part.extents) {
    if (e.is_hole()) {
      local.extents.push_back(local_hole(e.hole));
      continue;
    }
    const auto lean = m_lean.find(e.pack);
    if (!lean) return std::nullopt;
    local.extents.push_back({*lean, e.first, e.count});
  }
  return local;
}

bool PreviousTree::reuse(CapturedItem& item) {
  std::uint64_t total = 0;
  bool known = true;
  while (auto part = m_entries->next_part()) {
    auto place = local(*part);
    item.previous.push_back(std::move(*part));
    if (!place) {
      known = false;
      break;
    }
    total += place->size;
    item.reuse.push_back(std::move(*place));
  }
  if (known && total == item.source.entry.size) {
    item.previous.clear();
    return true;
  }
  item.reuse.clear();
  return false;
}

bool PreviousTree::reuse_large(const Entry& entry, EntrySpool& spool) {
  std::uint64_t total = 0;
  while (const auto part = m_entries->next_part()) {
    check_interrupted();
    const auto place = local(*part);
    if (!place) {
      // It is read, and compared with all of what it was: from the beginning.
      m_entries = std::make_unique<PreviousEntries>(m_context, m_previous);
      total = 0;
      break;
    }
    total += place->size;
    spool.add_part(*place);
  }
  if (total == entry.size) return true;
  spool.drop_parts();
  return false;
}

std::optional<PreviousChunks> PreviousTree::chunks_of(std::string_view path,
                                                      std::deque<PreviousEntries::ContentPart> looked_at) {
  if (m_entries->seek(path) == nullptr) return std::nullopt;
  return std::optional<PreviousChunks>{std::in_place, *m_entries, std::move(looked_at)};
}

}  // namespace cairn
