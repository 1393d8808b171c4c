// The content of one file, looked for in local files.
#pragma once

#include "capture/source.hpp"
#include "engine/restore/cut_index.hpp"
#include "engine/restore/known_extents.hpp"
#include "engine/restore/local_files.hpp"
#include "engine/restore/restore_steps.hpp"
#include "util/file.hpp"
#include "util/thread_pool.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn {

// A local file that may have some of the content.
struct LocalCandidate {
  std::size_t root = 0;  // of LocalRoots
  LocalRoot::Kind kind = LocalRoot::Kind::seed;
  std::string path;
  std::string shown;
  FileStamp stamp;  // before it was read
  struct stat status {};
  UniqueFd fd;
  bool at_offsets = true;  // it is compared where the file has its chunks
  // Somebody may write it who may not write the file that is restored: what is taken from it is held against the
  // digests once more, where nobody else gets at it.
  bool in_other_hands = false;
  std::shared_ptr<const KnownExtents> known{};      // what it has, as it has not been touched; null: nobody knows
  std::shared_ptr<std::optional<CutIndex>> cuts{};  // shared where one local file serves many; null: it is not cut
  LocalFiles::Id id = LocalFiles::k_none;           // once something of it is used
};

// A chunk of a file, and where it belongs.
struct PlacedChunk {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  Digest digest{};
};

// By chunk: the candidate that has it at the same offset, counted from zero.
using FoundAt = std::vector<std::uint8_t>;
inline constexpr std::uint8_t k_not_found = UINT8_MAX;
inline constexpr std::size_t k_max_candidates = 16;

// Of the chunks of a write, those that a candidate is known to have where they belong. found: of each chunk; what is
// not found stays as it is. directory: of their pack.
void find_known_places(const std::vector<LocalCandidate>& candidates, const PlannedWrite& write,
                       const PackDirectory& directory, std::span<std::uint8_t> found);
// Reads the chunks that are not found yet, which ascend, from each candidate in turn, where they belong in the file,
// and holds them against their digests. A candidate that cannot be read does not have them. Any thread, pool or not.
// Throws Error(interrupted).
void find_at_offsets(const std::vector<LocalCandidate>& candidates, std::span<const PlacedChunk> chunks,
                     FoundAt& found);
// Whether the candidate has nothing but zeros there. False, too, where it ends before.
bool is_zero(const LocalCandidate& candidate, std::uint64_t offset, std::uint64_t length);

// Candidates are fixed once it is made, and may be read by jobs; the rest is the planning thread's.
class LocalContent {
 public:
  // At most k_max_candidates of them, the first one best. rule: how content of this kind is cut unless it is paged.
  LocalContent(std::vector<LocalCandidate> candidates, ChunkRule rule, LocalFiles& files, ThreadPool& pool)
      : m_candidates(std::move(candidates)), m_rule(rule), m_files(files), m_pool(pool) {}

  const std::vector<LocalCandidate>& candidates() const noexcept { return m_candidates; }
  // The one at the target.
  const LocalCandidate* target() const noexcept;
  // The one that is there to be mended, if any.
  std::optional<std::size_t> spare() const noexcept;

  // Where a chunk lies that no candidate has at its offset, which is told, too: looked for among their own chunks. What
  // lies beyond the end of a candidate is no reason to cut it: the file was appended to.
  struct Place {
    std::size_t candidate = 0;
    std::uint64_t offset = 0;
  };
  std::optional<Place> find_moved(std::uint64_t offset, const Digest& digest, std::uint32_t length);
  // For steps.
  LocalFiles::Id id_of(std::size_t candidate);

  // The places found, told in the order of the file.
  void note(std::size_t candidate, std::uint64_t length);
  // From elsewhere in a local file.
  void note_copied(std::uint64_t length) noexcept { m_reused += length; }
  void note_missing() noexcept { m_whole = false; }
  // Whether all that was told of is at the target, in its place.
  bool is_target_whole() const noexcept { return m_whole; }
  std::uint64_t reused() const noexcept { return m_reused; }
  // Of them, bytes that need no more space than they take already.
  std::uint64_t moved() const noexcept { return m_moved; }

  // Called when all is told and the steps are complete but for what it changes.
  std::function<void(LocalContent&)> settled;

 private:
  std::vector<LocalCandidate> m_candidates;
  ChunkRule m_rule;
  LocalFiles& m_files;
  ThreadPool& m_pool;
  bool m_whole = true;
  std::uint64_t m_reused = 0;
  std::uint64_t m_moved = 0;
};

}  // namespace cairn
