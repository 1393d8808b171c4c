#include "cli/file_listing.hpp"

#include "cli/output.hpp"
#include "repo/entry_list.hpp"
#include "repo/entry_text.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_keep_bytes = 16 * k_mib;

char type_letter(EntryType type) noexcept {
  switch (type) {
    case EntryType::file:
      return '-';
    case EntryType::directory:
      return 'd';
    case EntryType::symlink:
      return 'l';
    case EntryType::hard_link:
      return 'h';
    case EntryType::fifo:
      return 'p';
    case EntryType::socket:
      return 's';
    case EntryType::char_device:
      return 'c';
    case EntryType::block_device:
      return 'b';
  }
  return '?';
}

std::string size_text(const Entry& entry) {
  switch (entry.type) {
    case EntryType::file:
      return format_size(entry.size);
    case EntryType::char_device:
    case EntryType::block_device:
      return fmt::format("{}, {}", entry.device_major, entry.device_minor);
    default:
      return "-";
  }
}

std::string for_people(const Entry& entry) {
  if (entry.type == EntryType::hard_link) {
    // All that there is to say of a second name is in the entry of the first.
    return fmt::format("{:<10} {:<8} {:<8} {:>9} {:<23} {} = {}\n", "h", "", "", "", "", terminal_safe(entry.path),
                       terminal_safe(entry.link_target));
  }
  const std::string user = entry.user.empty() ? fmt::format("{}", entry.uid) : entry.user;
  const std::string group = entry.group.empty() ? fmt::format("{}", entry.gid) : entry.group;
  std::string name = terminal_safe(entry.path);
  if (entry.type == EntryType::symlink) name += " -> " + terminal_safe(entry.link_target);
  // Entries stream, so the columns are aligned for the usual widths, not for the widest.
  return fmt::format("{} {:<8} {:<8} {:>9} {} {}\n", mode_text(entry.type, entry.mode), terminal_safe(user),
                     terminal_safe(group), size_text(entry), format_time_short(entry.mtime), name);
}

}  // namespace

std::string mode_text(EntryType type, std::uint32_t mode) {
  std::string out(1, type_letter(type));
  for (const unsigned shift : {6U, 3U, 0U}) {
    const std::uint32_t bits = mode >> shift;
    out += (bits & 4U) != 0 ? 'r' : '-';
    out += (bits & 2U) != 0 ? 'w' : '-';
    out += (bits & 1U) != 0 ? 'x' : '-';
  }
  const auto special = [&](std::uint32_t bit, std::size_t at, char with_x, char without) {
    if ((mode & bit) != 0) out[at] = out[at] == 'x' ? with_x : without;
  };
  special(04000, 3, 's', 'S');
  special(02000, 6, 's', 'S');
  special(01000, 9, 't', 'T');
  return out;
}

void print_files(Session& session, OpenStore& store, const Manifest& manifest) {
  Context context = session.context(store);
  const PackTable packs{manifest};
  FrameFetcher fetcher{store.repository->packs(), context.io, context.cpu, packs, k_keep_bytes};
  EntryListReader reader{fetcher, manifest};
  while (const auto line = reader.next()) {
    check_interrupted();
    reader.skip_parts();
    if (session.json()) {
      session.out() << R"({"schema":"cairn.list/1",)" << entry_members(*line->entry) << "}\n";
    } else {
      session.out() << for_people(*line->entry);
    }
    session.check_output();
  }
}

}  // namespace cairn
