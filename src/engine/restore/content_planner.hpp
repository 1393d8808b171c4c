// The content of files, planned: what is written where and in which order, and what of the packs is fetched for it.
#pragma once

#include "engine/restore/content_layout.hpp"
#include "engine/restore/content_steps.hpp"
#include "engine/restore/known_extents.hpp"
#include "engine/restore/local_content.hpp"
#include "engine/restore/planning_order.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_steps.hpp"
#include "repo/extent.hpp"
#include "repo/fetch_plan.hpp"
#include "repo/pack.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

// Facts of packs that planning needs; extents name packs. All calls may throw Error(damaged), which concerns this pack
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
// end_file(). What is wrong with a file becomes its last step; only a StoreError and what is no damage are thrown. One
// thread. Here is decided whether what the entry list says fits, and where each chunk belongs; ContentSteps decides how
// that is written. Where content may lie in local files, it is looked for in the pool, and files are planned some way
// ahead of their steps: whoever adds entries to the steps does so in the same order.
class ContentPlanner {
 public:
  // Whether take_extents() will be asked for.
  enum class Noting { no, yes };
  // stripe: bytes, not 0. steps: the entry is there before its content.
  ContentPlanner(PlannedPacks& packs, FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe, PlanningOrder& order,
                 Noting noting = Noting::no);

  // local: where content of it may lie; null: nowhere.
  void begin_file(const Entry& file, std::shared_ptr<LocalContent> local = {});
  void extent(const Extent& extent);
  void end_part(std::uint64_t size);
  // damage: its parts could not be read. Returns the space that the file takes, which is less than its size where it
  // has holes.
  std::uint64_t end_file(const std::optional<Error>& damage);

  // After end_file(): what of which packs the file has where. Nothing where that is not known, and of one that is
  // damaged.
  std::optional<KnownExtents> take_extents();

  // Packs that cannot be read, as far as that is known, in the order of their names.
  std::vector<UnreadablePack> take_unreadable();

 private:
  struct Unreadable {
    UnreadablePack known;
    std::uint64_t last_file = 0;  // that needs it, counted from 1
  };
  using Directory = std::shared_ptr<const PackDirectory>;
  // Neighbouring stretches of a file: one job looks for them in local files. Where a file changed here and there they
  // are short, and a job for each would take longer than to read and hash it.
  struct Sought {
    std::uint64_t part_at = 0;
    PlannedWrite write;
    Directory directory;
  };
  struct Search {
    std::vector<Sought> sought;
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
  };
  void hole(std::uint64_t bytes);
  Directory look_up(const ChunkRange& chunks);
  void note_unreadable(std::uint64_t pack, const Error& e);
  void add_write(const PlannedWrite& write, const Directory& directory);
  void look_for(const PlannedWrite& write, const Directory& directory);
  // Has what is wanted of local files looked for. Whatever else is added to the order comes after it.
  void send_search();
  template <class F>
  void add(F then) {
    send_search();
    m_order.add(std::move(then));
  }
  void add_pending(const ContentStep& step, const Directory& directory = {});
  void go_pending();
  void go_to_part();

  PlannedPacks& m_packs;
  FetchPlan& m_fetch;
  PlanningOrder& m_order;
  Noting m_noting;
  ContentSteps m_steps;
  std::map<std::uint64_t, Unreadable> m_unreadable;
  std::uint64_t m_files = 0;  // begun so far
  std::string m_path;         // of the last one

  // Of the file:
  std::optional<ContentLayout> m_layout;
  std::shared_ptr<LocalContent> m_local;
  std::uint64_t m_size = 0;
  std::uint64_t m_part_at = 0;  // bytes before the part
  std::uint64_t m_holes = 0;    // bytes of them
  Search m_search;              // not sent yet
  KnownExtents m_extents;
  bool m_pending = false;  // from here on nobody knows where the bytes are
  std::optional<Error> m_damage;
};

}  // namespace cairn
