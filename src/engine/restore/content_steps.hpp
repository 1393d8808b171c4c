// The second half of planning content: steps in the order in which they are carried out, and what of the packs is
// fetched for them.
#pragma once

#include "engine/restore/local_content.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/write_order.hpp"
#include "repo/fetch_plan.hpp"
#include "repo/pack_directory.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn {

// One file after the other: begin_file(), its content in order, end_file(). Nothing is checked here: ContentPlanner has
// done that. One thread. A large file is taken in stripes. One that jumps from pack to pack very often is written pack
// by pack, and fetched so: else each frame would be fetched and decoded again and again. The rest is written in the
// order of the file. What comes from local files is written as it comes, and no part of that.
class ContentSteps {
 public:
  // stripe: bytes, not 0. steps: the entry is there before its content.
  ContentSteps(FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe);

  // local: where content of it may lie; null: nowhere.
  void begin_file(std::uint64_t size, std::shared_ptr<LocalContent> local);
  // The next extents are of the part that begins there. Before anything of it is wanted.
  void go_to_part(std::uint64_t part_at);
  // A stretch of the file whose chunks are fetched.
  void write(const PlannedWrite& write, const PackDirectory& directory);
  // The same, where some of its chunks lie in local files. found: of each of them.
  void write_found(const PlannedWrite& write, const PackDirectory& directory, std::span<const std::uint8_t> found);
  void hole(std::uint64_t offset, std::uint64_t length);
  // directory: of the chunks, where they are of a pending write and it is known.
  void pending(const ContentStep& step, const PackDirectory* directory);
  // Pending, too.
  void pending_part(std::uint64_t part_end);
  void end_file(const std::optional<std::string>& damage);

 private:
  void want(const ChunkRange& chunks, const PackDirectory& directory);
  void add(const ContentStep& step);
  void add_local(const LocalContent::Place& place, std::uint64_t offset, std::uint64_t length, const Digest& digest);
  void flush_local();
  void decide_base(std::optional<std::size_t> candidate);
  void begin_group(std::uint64_t at);
  void end_group(std::uint64_t end);
  void write_group(bool scattered);

  FetchPlan& m_fetch;
  RestoreSteps& m_steps;
  const std::uint64_t m_stripe_size;
  std::uint64_t m_file_at = 0;  // content before the file
  std::uint64_t m_end = 0;      // content up to the end of the file

  // Of the file:
  std::uint64_t m_size = 0;
  std::shared_ptr<LocalContent> m_local;
  LocalWrite m_last_local;  // what follows it may be one with it; no length: there is none
  // Whether the file begins as a local one is decided with the first range that is taken from one; until then its steps
  // wait, but not many.
  bool m_undecided = false;
  bool m_based = false;
  std::vector<ContentStep> m_waiting;

  // Of a large file, what is written in one order: a stripe, or less where it has very many writes.
  bool m_grouping = false;
  std::uint64_t m_stripe = 0;    // number of the present stripe
  std::uint64_t m_stripes = 0;   // begun so far
  std::uint64_t m_group_at = 0;  // bytes before it
  std::uint64_t m_written = 0;   // how far its writes go
  bool m_scattered = false;      // the last one was
  std::vector<Write> m_group_writes;
  std::vector<ContentStep> m_group_steps;  // that follow them
};

}  // namespace cairn
