// The publisher of a snapshot that is one file.
#include "engine/restore/publisher.hpp"
#include "engine/restore/replace_file.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>

namespace cairn {

namespace {

class FilePublisher : public Publisher {
 public:
  explicit FilePublisher(const PublishParts& parts) : Publisher(parts) {}

 private:
  void look() override {
    if (target().directory() < 0) return;
    const auto parent = see(target().directory(), "");
    const auto there = see(target().directory(), target().name());
    if (parent && there) require_within_reach(*there, *parent, target().path());
    check_database(target().directory(), target().name(), target().path());
  }

  bool has_directory(const std::string&) const override { return false; }

  void sync() override {
    // Only a regular file has anything to lose; opening another one may block or do something.
    const auto status = status_at(staging().fd(), k_single_name);
    if (!status || !S_ISREG(status->st_mode)) return;
    const UniqueFd fd{::openat(staging().fd(), k_single_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (fd) return sync_file(fd.get(), target().path());
    // A mode without read permission for its owner, and not root: then the whole file system has to be synced.
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
  }

  void move() override {
    const UniqueFd directory = make_parent_of(target());
    const std::string& name = target().name();
    // A file that came there since it was looked at is not ours to replace.
    if (!target().exists() && status_at(directory.get(), name)) throw_appeared(target().path());
    replace_file({staging().fd(), k_single_name, directory.get(), name, target().path().native(), keep_as(), false},
                 reporter());
    sync_names(directory.get(), target().path().parent_path());
    staging().discard();
  }
};

}  // namespace

std::unique_ptr<Publisher> make_file_publisher(const PublishParts& parts) {
  return std::make_unique<FilePublisher>(parts);
}

}  // namespace cairn
