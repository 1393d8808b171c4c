#include "engine/inside/inside_file.hpp"

#include "util/error.hpp"

#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Of an id, as people see it.
constexpr std::size_t k_shown_digits = 12;

const char* name_of(EntryType type) {
  switch (type) {
    case EntryType::file:
    case EntryType::hard_link:
      return "a file";
    case EntryType::directory:
      return "a directory";
    case EntryType::symlink:
      return "a symbolic link";
    case EntryType::fifo:
      return "a FIFO";
    case EntryType::socket:
      return "a socket";
    case EntryType::char_device:
    case EntryType::block_device:
      break;
  }
  return "a device";
}

std::optional<IndexedEntry> only_file(const TreeIndex& index) {
  std::optional<IndexedEntry> found;
  index.children(".", [&](const IndexedEntry& entry) {
    found = entry;
    return false;
  });
  return found;
}

}  // namespace

std::string entry_path(std::string_view written) {
  std::string_view path = written;
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.starts_with("/")) path.remove_prefix(1);
  while (path.size() > 1 && path.ends_with("/")) path.remove_suffix(1);
  if (!is_valid_entry_path(path)) {
    throw Error(ErrorKind::usage, fmt::format("{} is not a path in a snapshot", quote(written)),
                "paths are relative to the root of the snapshot; 'cairn list REF --files' shows them");
  }
  return std::string{path};
}

IndexedEntry find_file(const TreeIndex& index, const Manifest& manifest, const std::optional<std::string>& path) {
  const std::string which =
      fmt::format("snapshot {} of {}", manifest.id.hex().substr(0, k_shown_digits), manifest.record.series);
  if (!path && !manifest.facts.single_file) {
    throw Error(ErrorKind::usage, fmt::format("{} is a directory, and no file of it was named", which),
                "give --path; 'cairn list REF --files' shows what is in it");
  }
  auto found = path ? index.find(entry_path(*path)) : only_file(index);
  if (found && found->entry.type == EntryType::hard_link) {
    const std::string target = found->entry.link_target;
    found = index.find(target);
    if (!found) {
      throw Error(ErrorKind::damaged,
                  fmt::format("damaged entry list: {} is a hard link to what is not there", quote(path.value_or("."))));
    }
  }
  if (!found) {
    throw Error(ErrorKind::not_found, fmt::format("no file {} in {}", quote(path.value_or(".")), which),
                "'cairn list REF --files' shows what is in it");
  }
  if (found->entry.type != EntryType::file) {
    throw Error(ErrorKind::usage,
                fmt::format("{} of {} is no file but {}", quote(found->entry.path), which, name_of(found->entry.type)));
  }
  return *std::move(found);
}

}  // namespace cairn
