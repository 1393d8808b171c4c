// Has databases checked by a child process that has no rights of its own: what SQLite makes of a file never happens in
// this process.
#pragma once

#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/reader_process.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace cairn::sqlite {

// One thread. The child is started for the first database and kept for the next. As root it is nobody, to whom files
// are handed as descriptors; else it has this process's own rights.
class ImageChecker {
 public:
  // Of the database that is one open file, which nobody changes meanwhile; its log, if it has one, is left out of
  // account. It is not changed. read: told how many of its bytes were read so far (some more than once). A child that
  // dies over it says that it is broken; one that cannot be started, that nothing is known. Throws Error(interrupted).
  Checked check(int file, const std::string& shown, const std::function<void(std::uint64_t bytes)>& read);
  // The same, thoroughly (image_check.hpp). item: told of what the database holds; whoever broke into the child may
  // have sent anything.
  Checked examine(int file, const std::string& shown, const std::function<void(std::uint64_t bytes)>& read,
                  const std::function<void(const CheckedItem&)>& item);

 private:
  void start();
  Checked ask(const OpenRequest& request, int file, const std::function<void(std::uint64_t bytes)>& read,
              const std::function<void(const CheckedItem&)>& item);

  std::unique_ptr<ReaderProcess> m_child;
};

}  // namespace cairn::sqlite
