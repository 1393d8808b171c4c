// Snapshots of one store that are looked into together, so that what they share is read once.
#pragma once

#include "engine/context.hpp"
#include "engine/inside/inside_file.hpp"
#include "repo/file_reader.hpp"
#include "repo/manifest.hpp"
#include "repo/snapshot_frames.hpp"
#include "repo/tree_index.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn {

// A file that is open for reading.
struct InsideFile {
  std::unique_ptr<TreeIndex> index;
  std::unique_ptr<FileReader> reader;
};

// Used by one thread.
class Looker {
 public:
  // manifests: outlive this. keep: bytes of decoded frames that are kept for all of them. Error(no_key) where one is
  // closed.
  Looker(Context& context, std::span<const Manifest* const> manifests, std::uint64_t keep);

  // The manifest: one of them. The file is used no longer than this lives. Throws what find_file() does.
  InsideFile open(const Manifest& manifest, const std::optional<std::string>& path);
  SnapshotFrames& frames(const Manifest& manifest);

 private:
  std::span<const Manifest* const> m_manifests;
  // One for all, or one for each where a pack's name means two packs.
  std::vector<std::unique_ptr<SnapshotFrames>> m_frames;
};

}  // namespace cairn
