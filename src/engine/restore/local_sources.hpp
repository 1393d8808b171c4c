// Where a restore looks for content before it fetches it.
#pragma once

#include "engine/restore/local_content.hpp"
#include "engine/restore/local_files.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/entry.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cairn {

// Found once, before a restore is planned. Nothing of it is ever changed, but for the mode of what an earlier run of
// this user left.
class LocalPlaces {
 public:
  // Pinned places, best first. Each is a directory in which a path of the snapshot may lie, or one file.
  struct Place {
    std::size_t root = 0;
    std::string file;  // of a place that is one file: its name in the root
  };

  // The staging of an earlier run, open. kind: staging, other or spare.
  void add_staging(LocalRoot::Kind kind, int directory, const std::string& shown);
  // The content that is there, if any.
  void add_target(const RestoreTarget& target);
  // A directory or a regular file, which the path leads to. Throws Error(usage) where it is neither, or not there.
  void add_seed(const fs::path& seed);

  bool empty() const noexcept { return m_places.empty(); }
  // Others write what is at the target meanwhile.
  bool is_target_live() const noexcept { return m_target_live; }
  const std::vector<Place>& places() const noexcept { return m_places; }
  const std::shared_ptr<LocalRoots>& roots() const noexcept { return m_roots; }

 private:
  std::size_t add_root(LocalRoot::Kind kind, UniqueFd directory, std::string shown);

  std::shared_ptr<LocalRoots> m_roots = std::make_shared<LocalRoots>();
  std::vector<Place> m_places;
  bool m_target_live = false;
};

class TargetMemory;

// Candidates for the content of files, one planning long. One thread.
class LocalSources {
 public:
  // single_name: in staging, what the one file of a snapshot is called; empty where it is a tree. target_name: of that
  // file at the target. rule: how content that is not paged was cut. memory: of the target; null: nothing is known.
  LocalSources(const LocalPlaces& places, LocalFiles& files, ThreadPool& pool, ChunkRule rule, std::string single_name,
               std::string target_name, TargetMemory* memory = nullptr);

  // Opens what may have content of the file; null where nothing does.
  std::shared_ptr<LocalContent> find(const Entry& file);

 private:
  void add(std::vector<LocalCandidate>& to, std::size_t root, const std::string& path, const Entry& file);
  void recall(LocalCandidate& candidate, const Entry& file);
  void add_seed_file(std::vector<LocalCandidate>& to, const LocalPlaces::Place& place, const Entry& file);

  const LocalPlaces& m_places;
  LocalFiles& m_files;
  ThreadPool& m_pool;
  ChunkRule m_rule;
  std::string m_single_name;
  std::string m_target_name;
  TargetMemory* m_memory;
  // Chunks of seeds that are one file, by the place: cut once, whichever file they are looked for.
  std::map<std::size_t, std::shared_ptr<std::optional<CutIndex>>> m_seed_cuts;
};

}  // namespace cairn
