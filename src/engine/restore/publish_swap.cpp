// The publisher of a tree that takes the place of another one as a whole.
#include "engine/restore/publisher.hpp"
#include "engine/restore/target_names.hpp"
#include "engine/restore/tree_in_use.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint32_t k_private_mode = 0700;

class SwapPublisher : public Publisher {
 public:
  explicit SwapPublisher(const PublishParts& parts)
      : Publisher(parts), m_aside(RestoreTarget::k_replaced_prefix + random_name()) {}

 private:
  int anchor() const noexcept { return target().anchor(); }

  void look() override { require_swappable(); }

  void require_swappable() const {
    if (id_at(anchor(), target().name()) != id_of(target().swapped())) throw_replaced(target().path());
    const auto there = see(anchor(), target().name());
    const auto above = see(anchor(), "");
    if (!there || !above) throw_errno("stat", target().path().native(), errno);
    require_within_reach(*there, *above, target().path());
    require_unused_tree(target().swapped(), target().path());
  }

  bool has_directory(const std::string&) const override { return false; }

  // All of the metadata is there before the exchange; but for the root's, as staging is private until then.
  void sync() override {
    for (const StagedDirectory& directory : tree().directories) {
      if (directory.path != ".") close_moved(staging().fd(), directory);
    }
    if (const int error = staging().early_sync().finish()) throw_errno("sync", staging().path().native(), error);
  }

  void move() override {
    try {
      exchange();
    } catch (...) {
      open_again();
      throw;
    }
    staging().release();
    sync_names(anchor(), target().anchor_path());
    if (keep_as().empty()) {
      remove_old();
    } else {
      keep_old();
    }
  }

  // Under the name of staging the old directory would be taken for something to go on with.
  void exchange() {
    // It took a while to write everything.
    require_swappable();
    if (rename_new_at(anchor(), staging().name(), anchor(), m_aside) != 0) {
      throw_errno("rename", staging().path().native(), errno);
    }
    try {
      if (id_at(anchor(), m_aside) != id_of(staging().fd())) throw_replaced(target().path());
      finish_root();
      sync_file(staging().fd(), staging().path());
      exchange_names();
    } catch (...) {
      rename_new_at(anchor(), m_aside, anchor(), staging().name());
      throw;
    }
  }

  void exchange_names() const {
    const char* const name = target().name().c_str();
    if (::renameat2(anchor(), m_aside.c_str(), anchor(), name, RENAME_EXCHANGE) != 0) {
      // An overlay says so of what comes from a lower layer.
      if (errno != EXDEV) throw_errno("swap", target().path().native(), errno);
      throw Error(ErrorKind::failed,
                  fmt::format("unable to swap {}: {}", quote(target().path().native()), errno_text(errno)),
                  "a layer below holds it: restore with --overwrite, or to a directory beside it");
    }
    const bool right =
        id_at(anchor(), name) == id_of(staging().fd()) && id_at(anchor(), m_aside) == id_of(target().swapped());
    if (right) return;
    ::renameat2(anchor(), m_aside.c_str(), anchor(), name, RENAME_EXCHANGE);
    throw_replaced(target().path());
  }

  void finish_root() const {
    const StagedDirectory* const directory = described(".");
    if (directory != nullptr) return put_metadata(staging().fd(), *directory, target().path().native());
    if (::fchmod(staging().fd(), staging().default_mode()) != 0) {
      throw_errno("set the mode of", target().path().native(), errno);
    }
  }

  // Staging has to be removed again, by somebody who may be no more than its owner.
  void open_again() const noexcept {
    ::fchmod(staging().fd(), k_private_mode);
    try {
      const auto& all = tree().directories;
      for (auto at = all.rbegin(); at != all.rend(); ++at) {
        if (at->path == "." || (at->mode & k_private_mode) == k_private_mode) continue;
        const UniqueFd fd = open_directory_below(staging().fd(), at->path, at->path);
        ::fchmod(fd.get(), k_private_mode);
      }
    } catch (const std::exception&) {
      // Something is left then, which the next restore removes.
    }
  }

  void keep_old() const {
    if (rename_new_at(anchor(), m_aside, anchor(), keep_as()) == 0) {
      return sync_names(anchor(), target().anchor_path());
    }
    reporter().warning(fmt::format("unable to rename what was there before to {}: {}; it is {}",
                                   quote((target().anchor_path() / keep_as()).native()), errno_text(errno),
                                   quote((target().anchor_path() / m_aside).native())));
  }

  void remove_old() const {
    const int error = remove_directory_at(anchor(), m_aside, target().swapped());
    if (error == 0) return;
    reporter().warning(fmt::format("unable to remove what was there before: {}; what is left of it is {}",
                                   errno_text(error), quote((target().anchor_path() / m_aside).native())));
  }

  std::string m_aside;
};

}  // namespace

std::unique_ptr<Publisher> make_swap_publisher(const PublishParts& parts) {
  return std::make_unique<SwapPublisher>(parts);
}

}  // namespace cairn
