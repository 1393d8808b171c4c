// Directories that are read-only even for their owner, opened for the time of a restore by him.
#pragma once

#include "util/file.hpp"
#include "util/file_id.hpp"
#include "util/log.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace cairn {

// It closes again every directory that it opened, whatever happens but SIGKILL: the destructor puts back what is left.
// One thread.
class MendedDirectories {
 public:
  explicit MendedDirectories(Reporter& reporter) : m_reporter(reporter) {}
  MendedDirectories(const MendedDirectories&) = delete;
  MendedDirectories& operator=(const MendedDirectories&) = delete;
  ~MendedDirectories();

  // Gives the owner all rights to the directory at path ("." or entries below it) in an open one, if it is the one with
  // that id. root: duplicated, once. From the top down: to put one back, those above it must be open still. Throws
  // Error(failed), naming `shown`.
  void mend(int root, const std::string& path, const FileId& id, const std::string& shown);
  // It got the mode that it is to have.
  void settle(const FileId& id);

  // Deepest first; those for which `keep` says so stay open. Warns of what cannot be put back.
  void put_back_but(const std::function<bool(const std::string& path)>& keep);
  void put_back() noexcept;

 private:
  struct Mended {
    std::string path;
    FileId id;
    mode_t mode = 0;
    std::string shown;
  };
  void put_back(const Mended& mended);

  Reporter& m_reporter;
  UniqueFd m_root;
  std::vector<Mended> m_mended;  // from the top down
};

}  // namespace cairn
