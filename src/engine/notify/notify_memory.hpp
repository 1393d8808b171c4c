// The memory of what was found and told of each thing, from one run of this host to the next.
#pragma once

#include "engine/notify/notice.hpp"
#include "util/file.hpp"

#include <string>

namespace cairn {

// A file for each thing that is not well, replaced as a whole, in one directory; none where it is well. Runs of
// different sources at the same time do not meet there.
class NotifyMemory {
 public:
  // Empty: nothing is remembered, and set() fails.
  explicit NotifyMemory(fs::path directory) : m_directory(std::move(directory)) {}

  // Error(failed) where a file is there and says nothing that can be read.
  KnownState known(const std::string& about) const;
  // Throws Error.
  void set(const std::string& about, const KnownState& state) const;

 private:
  fs::path file_of(const std::string& about) const;
  fs::path m_directory;
};

}  // namespace cairn
