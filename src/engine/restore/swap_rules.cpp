#include "engine/restore/swap_rules.hpp"

#include "engine/restore/replace_file.hpp"
#include "engine/restore/target_names.hpp"
#include "engine/restore/tree_in_use.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_id_digits = 12;  // as list shows them
constexpr std::size_t k_name_max = 255;
constexpr std::size_t k_longest_suffix = 8;  // "-journal"

[[noreturn]] void refuse(const RestoreTarget& target, const std::string& reason, const std::string& hint) {
  throw Error(ErrorKind::usage, fmt::format("unable to keep {}: {}", quote(target.path().native()), reason), hint);
}

}  // namespace

std::string kept_name(const RestoreTarget& target, const Digest& snapshot) {
  return target.path().filename().native() + ".before-" + snapshot.hex().substr(0, k_id_digits);
}

void check_keeping(const RestoreTarget& target, const std::string& kept) {
  const bool tree = target.shape() == RestoreTarget::Shape::tree;
  if (!target.exists()) return;
  if (tree && target.swapped() < 0) {
    refuse(target, "it is a directory, whose files are replaced one by one", "--swap replaces it as a whole");
  }
  if (kept.size() + k_longest_suffix > k_name_max) {
    refuse(target, "with '.before-' and the snapshot's digits its name is too long", "restore to a shorter name");
  }
  const auto taken = id_at(target.anchor(), kept);
  if (!taken || (!tree && taken == id_at(target.anchor(), target.name()))) return;
  refuse(target, fmt::format("{} is there already", quote((target.anchor_path() / kept).native())),
         "it was kept by an earlier restore: rename or remove it");
}

void check_swap(const RestoreTarget& target, const std::vector<fs::path>& own, Reporter& reporter) {
  if (target.swapped() < 0) return;
  const std::size_t hidden = require_unused_tree(target.swapped(), target.path(), own);
  if (hidden == 0) return;
  reporter.warning(fmt::format(
      "{} of other users could not be looked at: whoever of them uses {} would go on with the old directory",
      hidden == 1 ? std::string{"1 process"} : fmt::format("{} processes", hidden), quote(target.path().native())));
}

void check_exchange(const RestoreTarget& target, const Staging& staging, Reporter& reporter) {
  if (target.swapped() < 0) return;
  if (!can_exchange(staging.fd(), staging.path().native())) {
    throw Error(
        ErrorKind::failed,
        fmt::format("unable to swap {}: the file system does not exchange names", quote(target.path().native())),
        "restore with --overwrite, or to a directory beside it");
  }
  for (const std::string& name : names_in(target.anchor(), target.anchor_path().native())) {
    if (!name.starts_with(RestoreTarget::k_replaced_prefix)) continue;
    reporter.warning(
        fmt::format("{} is what a restore with --swap replaced that was interrupted then: remove it if "
                    "nobody needs it",
                    quote((target.anchor_path() / name).native())));
  }
}

}  // namespace cairn
