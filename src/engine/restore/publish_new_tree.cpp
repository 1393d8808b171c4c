// The publisher of a tree where nothing is yet.
#include "engine/restore/publisher.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"

#include <cerrno>

#include <sys/stat.h>

namespace cairn {

namespace {

class NewTreePublisher : public Publisher {
 public:
  explicit NewTreePublisher(const PublishParts& parts) : Publisher(parts) {}

 private:
  // The rename itself finds out whether something is there.
  void look() override {}

  bool has_directory(const std::string&) const override { return false; }

  void sync() override {
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
  }

  void move() override {
    const UniqueFd parent = make_parent_of(target());
    const std::string& name = target().name();
    staging().mark_as_whole(snapshot());
    if (rename_new_at(target().anchor(), staging().name(), parent.get(), name) != 0) {
      if (errno == EEXIST || errno == ENOTEMPTY) throw_appeared(target().path());
      throw_errno("create directory", target().path().native(), errno);
    }
    // Staging may have lost its name to something else, which then is what was moved.
    if (id_at(parent.get(), name) != id_of(staging().fd())) throw_replaced(target().path());
    staging().release();
    for (const StagedDirectory& directory : tree().directories) {
      if (directory.path != ".") close_moved(staging().fd(), directory);
    }
    finish_root(staging().fd());
    sync_file(staging().fd(), target().path());
    sync_names(parent.get(), target().path().parent_path());
  }

  void finish_root(int root) {
    const StagedDirectory* const directory = described(".");
    if (directory != nullptr) return put_metadata(root, *directory, target().path().native());
    if (::fchmod(root, staging().default_mode()) != 0 || ::futimens(root, nullptr) != 0) {
      throw_errno("set the mode of", target().path().native(), errno);
    }
  }
};

}  // namespace

std::unique_ptr<Publisher> make_new_tree_publisher(const PublishParts& parts) {
  return std::make_unique<NewTreePublisher>(parts);
}

}  // namespace cairn
