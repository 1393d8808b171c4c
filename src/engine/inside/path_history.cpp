#include "engine/inside/path_history.hpp"

namespace cairn {

namespace {

bool same_version(const Entry& a, const Entry& b) {
  return a.type == b.type && a.size == b.size && a.mtime == b.mtime && a.link_target == b.link_target;
}

}  // namespace

void PathHistory::begin_snapshot(const SeenIn& snapshot) {
  m_snapshot = snapshot;
  ++m_number;
}

void PathHistory::add(const Entry& entry) {
  auto& versions = m_paths[entry.path];
  // One that was gone meanwhile is another one.
  if (versions.empty() || versions.back().last_number + 1 != m_number ||
      !same_version(versions.back().version.entry, entry)) {
    versions.push_back({{.entry = entry, .first = m_snapshot, .last = {}, .snapshots = 0, .in_newest = false}, 0});
  }
  Counted& counted = versions.back();
  counted.version.last = m_snapshot;
  ++counted.version.snapshots;
  counted.last_number = m_number;
}

PathHistory::Versions PathHistory::versions() const {
  Versions out;
  for (const auto& [path, versions] : m_paths) {
    for (const Counted& counted : versions) {
      out[path].push_back(counted.version);
      out[path].back().in_newest = counted.last_number == m_number;
    }
  }
  return out;
}

}  // namespace cairn
