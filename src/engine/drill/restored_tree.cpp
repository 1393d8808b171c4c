#include "engine/drill/restored_tree.hpp"

#include "capture/file_kind.hpp"
#include "engine/drill/drill_comparison.hpp"
#include "engine/drill/dump_survey.hpp"
#include "repo/file_reader.hpp"
#include "repo/pack_table.hpp"
#include "repo/snapshot_frames.hpp"
#include "repo/tree_index.hpp"
#include "repo/tree_reader.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <random>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_kept_frames = 16ULL << 20;
constexpr std::size_t k_sampled_files = 16;
constexpr std::uint64_t k_sampled_bytes = 256ULL << 10;
constexpr std::size_t k_named = 5;

const char* type_name(EntryType type) {
  switch (type) {
    case EntryType::directory:
      return "directory";
    case EntryType::symlink:
      return "symbolic link";
    default:
      return "file";
  }
}

class Survey : public TreeVisitor {
 public:
  Survey(int directory, bool single_file, const std::set<std::string>& left_out)
      : m_directory(directory), m_single_file(single_file), m_left_out(left_out) {}

  bool entry(const Entry& entry) override {
    if ((++m_seen & 0xff) == 0) check_interrupted();
    if (m_left_out.contains(entry.path)) return false;
    if (entry.type == EntryType::file || entry.type == EntryType::directory || entry.type == EntryType::symlink ||
        entry.type == EntryType::hard_link) {
      look(entry);
    }
    return false;
  }
  void run(const ContentRun&) override {}
  void end_file(const std::optional<Error>&) override {}

  RestoredTree take() {
    DrillCheck check{"tree", DrillCheck::Result::passed, {}};
    if (m_wrong_count != 0) {
      check.result = DrillCheck::Result::failed;
      for (const auto& text : m_wrong) check.message += (check.message.empty() ? "" : "; ") + text;
      if (m_wrong_count > m_wrong.size()) {
        check.message += fmt::format("; and {} more", m_wrong_count - m_wrong.size());
      }
    }
    m_tree.checks.push_back(std::move(check));
    m_tree.inventory.path = ".";
    m_tree.inventory.kind = "tree";
    m_tree.inventory.counts = {{"entries", m_entries}, {"files", m_files}, {"files with content", m_with_content}};
    return std::move(m_tree);
  }
  const std::vector<RestoredFile>& sample() const noexcept { return m_sample; }

 private:
  void look(const Entry& entry) {
    const UniqueFd file = open_beneath(m_directory, entry.path, O_PATH);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) {
      return wrong(fmt::format("{} is not there: {}", quote(entry.path), errno_text(errno)));
    }
    ++m_entries;
    const bool regular = entry.type == EntryType::file || entry.type == EntryType::hard_link;
    const bool fits = regular                              ? !S_ISDIR(status.st_mode)
                      : entry.type == EntryType::directory ? S_ISDIR(status.st_mode)
                                                           : S_ISLNK(status.st_mode);
    if (!fits) return wrong(fmt::format("{} is no {}", quote(entry.path), type_name(entry.type)));
    if (entry.type != EntryType::file) return;
    if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != entry.size) {
      return wrong(fmt::format("{} has {} bytes instead of {}", quote(entry.path), status.st_size, entry.size));
    }
    add_file({entry.path, entry.size, entry.mtime});
  }

  void add_file(RestoredFile file) {
    ++m_files;
    auto& held = m_tree.inventory;
    held.bytes = saturating_add(held.bytes, file.size);
    held.newest = std::max(held.newest.value_or(file.mtime), file.mtime);
    if (file.size != 0) ++m_with_content;
    if (file.size != 0) sample_file(file);
    Bytes head(k_file_head_size);
    const UniqueFd content = open_for_capture(m_directory, file.path);
    // A user who is not root may not read everything that is his.
    if (!content) return;
    head.resize(read_at(content.get(), head, 0, file.path));
    if (is_sqlite_database(head, file.size)) {
      m_tree.databases.push_back(std::move(file));
    } else if (dump_kind(head) != DumpKind::none) {
      m_tree.dumps.push_back(std::move(file));
    } else if (m_single_file) {
      m_tree.others.push_back(std::move(file));
    }
  }

  // Each file with the same chance, however many there are.
  void sample_file(const RestoredFile& file) {
    if (m_sample.size() < k_sampled_files) {
      m_sample.push_back(file);
    } else if (const auto at = std::uniform_int_distribution<std::uint64_t>{0, m_offered}(m_random);
               at < k_sampled_files) {
      m_sample[at] = file;
    }
    ++m_offered;
  }

  void wrong(std::string text) {
    if (++m_wrong_count <= k_named) m_wrong.push_back(std::move(text));
  }

  int m_directory;
  bool m_single_file;
  const std::set<std::string>& m_left_out;
  RestoredTree m_tree;
  std::uint64_t m_seen = 0;
  std::uint64_t m_entries = 0;
  std::uint64_t m_files = 0;
  std::uint64_t m_with_content = 0;
  std::size_t m_wrong_count = 0;
  std::vector<std::string> m_wrong;
  std::vector<RestoredFile> m_sample;
  std::uint64_t m_offered = 0;
  std::mt19937_64 m_random{std::random_device{}()};
};

// One piece of the file, from a page's beginning.
bool same_content(int directory, const RestoredFile& file, FileReader& stored, std::uint64_t offset) {
  const UniqueFd restored = open_for_capture(directory, file.path);
  if (!restored) return true;
  const Bytes expected = stored.read_at(offset, k_sampled_bytes);
  Bytes there(expected.size());
  there.resize(read_at(restored.get(), there, offset, file.path));
  return there == expected;
}

DrillCheck check_content(Context& context, const Manifest& manifest, int directory,
                         const std::vector<RestoredFile>& sample) {
  DrillCheck check{"content", DrillCheck::Result::passed, {}};
  SnapshotFrames frames{context.repository.packs(), context.io, context.cpu, manifest, k_kept_frames};
  const TreeIndex index{frames, manifest};
  std::mt19937_64 random{std::random_device{}()};
  for (const auto& file : sample) {
    check_interrupted();
    const auto failure = damage_of([&] {
      const auto found = index.find(file.path);
      if (!found) throw Error(ErrorKind::damaged, fmt::format("{} is not in the list of entries", quote(file.path)));
      FileReader stored{frames, index, *found};
      const std::uint64_t last = file.size > k_sampled_bytes ? file.size - k_sampled_bytes : 0;
      const std::uint64_t offset = std::uniform_int_distribution<std::uint64_t>{0, last}(random);
      if (!same_content(directory, file, stored, offset)) {
        throw Error(ErrorKind::damaged, fmt::format("{} is not what the store has", quote(file.path)));
      }
    });
    if (!failure) continue;
    check.result = DrillCheck::Result::failed;
    check.message += (check.message.empty() ? "" : "; ") + failure->message();
  }
  return check;
}

}  // namespace

RestoredTree survey_restored(Context& context, const Manifest& manifest, const fs::path& directory,
                             const std::set<std::string>& left_out) {
  const UniqueFd open = open_file(directory, O_RDONLY | O_DIRECTORY);
  const PackTable packs{manifest};
  FrameFetcher lists{context.repository.packs(), context.io, context.cpu, packs, k_kept_frames};
  Survey survey{open.get(), manifest.facts.single_file, left_out};
  walk_tree(manifest, lists, lists, survey);
  RestoredTree tree = survey.take();
  tree.checks.push_back(check_content(context, manifest, open.get(), survey.sample()));
  return tree;
}

std::string single_file_name(Context& context, const Manifest& manifest) {
  SnapshotFrames frames{context.repository.packs(), context.io, context.cpu, manifest, k_kept_frames};
  const TreeIndex index{frames, manifest};
  std::string name;
  index.children(".", [&](const IndexedEntry& found) {
    name = found.entry.path;
    return false;
  });
  if (name.empty()) throw Error(ErrorKind::damaged, "the snapshot of one file has no entry");
  return name;
}

}  // namespace cairn
