// The previous snapshot beside the source: which files look unchanged, and where their content is.
#pragma once

#include "engine/context.hpp"
#include "engine/snapshot/captured_item.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/lean_set.hpp"
#include "engine/snapshot/previous_entries.hpp"
#include "repo/manifest.hpp"
#include "util/time.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string_view>

namespace cairn {

// Whether a file is taken for the one that was read before, by its metadata. last_read: when that reading began; what
// was touched shortly before that may have changed again within the clock's resolution. Pure.
bool is_unchanged(const Entry& before, const Entry& now, Time last_read);

// Asked in ascending order of paths. One thread. A previous snapshot that turns out damaged has nothing of what
// follows, which a warning says. Throws StoreError.
class PreviousTree {
 public:
  enum class Reread { no, yes };  // yes: nothing looks unchanged
  // previous and lean outlive it. lean: the packs that may be referred to.
  PreviousTree(Context& context, const Manifest& previous, const LeanSet& lean, Reread reread);
  PreviousTree(const PreviousTree&) = delete;
  PreviousTree& operator=(const PreviousTree&) = delete;

  bool looks_unchanged(const SourceItem& item);
  // Of the file that looked unchanged last: notes where its content is (CapturedItem::reuse). False where that may not
  // be referred to; the parts that were looked at are in CapturedItem::previous then.
  bool reuse(CapturedItem& item);
  // The same of one whose extents are too many to be held: its parts go to the spool. False: none did, and the file may
  // be asked for again.
  bool reuse_large(const Entry& entry, EntrySpool& spool);
  // The chunks of the file's previous version, for a comparison by position; looked_at: its parts that were taken
  // already. Nothing where there was no such path. The tree is not used for anything else meanwhile.
  std::optional<PreviousChunks> chunks_of(std::string_view path, std::deque<PreviousEntries::ContentPart> looked_at);

 private:
  std::optional<LocalPart> local(const PreviousEntries::ContentPart& part) const;

  Context& m_context;
  const Manifest& m_previous;
  const LeanSet& m_lean;
  Reread m_reread;
  std::unique_ptr<PreviousEntries> m_entries;
};

}  // namespace cairn
