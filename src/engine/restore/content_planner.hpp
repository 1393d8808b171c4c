// The content of files, planned: what is written where and in which order, and what of the packs is fetched for it.
#pragma once

#include "engine/restore/content_layout.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/write_order.hpp"
#include "repo/extent.hpp"
#include "repo/fetch_plan.hpp"
#include "repo/pack.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace cairn {

// What planning may know of packs, which extents name. All calls may throw Error(damaged), which concerns this pack
// alone, and a StoreError.
class PlannedPacks {
 public:
  virtual ~PlannedPacks() = default;
  // Damaged, too, where the store is known not to have it.
  virtual const PackRef& find(std::uint64_t pack) = 0;
  // It is fetched in one piece, with its directory, which nobody asks for before.
  virtual bool comes_whole(const PackRef& pack) = 0;
  virtual std::shared_ptr<const PackDirectory> directory(std::uint64_t pack) = 0;
};

// One file after the other: begin_file(), its extent()s, end_part() after each part (a file without parts has none),
// end_file(). What is wrong with a file becomes its last step; only a StoreError and what is no damage are thrown.
// One thread.
//
// A large file is taken in stripes. One that jumps from pack to pack very often is written pack by pack, and fetched
// so: else each frame would be fetched and decoded again and again. The rest is written in the order of the file.
class ContentPlanner {
 public:
  // stripe: bytes, not 0. steps: the entry is there before its content.
  ContentPlanner(PlannedPacks& packs, FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe);

  void begin_file(const Entry& file);
  void extent(const Extent& extent);
  void end_part(std::uint64_t size);
  // damage: its parts could not be read. Returns the space that the file takes, which is less than its size where it
  // has holes.
  std::uint64_t end_file(const std::optional<Error>& damage);

  // Packs that cannot be read, as far as that is known, in the order of their names.
  std::vector<UnreadablePack> take_unreadable();

 private:
  struct Unreadable {
    UnreadablePack known;
    std::uint64_t last_file = 0;  // that needs it, counted from 1
  };
  std::shared_ptr<const PackDirectory> look_up(const ChunkRange& chunks);
  void note_unreadable(std::uint64_t pack, const Error& e);
  void want(const ChunkRange& chunks, const PackDirectory& directory);
  void add_write(const ChunkRange& chunks, const PackDirectory& directory);
  void add_pending(const ContentStep& step);
  void go_pending();
  void go_to_stripe();
  void begin_group(std::uint64_t at);
  void end_group(std::uint64_t end);
  void write_group(bool scattered);

  PlannedPacks& m_packs;
  FetchPlan& m_fetch;
  RestoreSteps& m_steps;
  const std::uint64_t m_stripe_size;
  std::map<std::uint64_t, Unreadable> m_unreadable;
  std::uint64_t m_files = 0;    // begun so far
  std::uint64_t m_file_at = 0;  // content before the file
  std::uint64_t m_end = 0;      // content up to the end of the file

  // Of the file:
  std::optional<ContentLayout> m_layout;
  std::uint64_t m_size = 0;
  std::uint64_t m_part_at = 0;  // bytes before the part
  std::uint64_t m_holes = 0;    // bytes of them
  bool m_pending = false;       // from here on nobody knows where the bytes are
  std::optional<Error> m_damage;

  // Of a large file, what is written in one order: a stripe, or less where it has very many writes.
  bool m_grouping = false;
  std::uint64_t m_stripe = 0;    // number of the present stripe
  std::uint64_t m_stripes = 0;   // begun so far
  std::uint64_t m_group_at = 0;  // bytes before it
  bool m_scattered = false;      // the last one was
  std::vector<Write> m_group_writes;
  std::vector<ContentStep> m_group_steps;  // that follow them
};

}  // namespace cairn
