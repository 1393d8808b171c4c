#include "engine/restore/tree_in_use.hpp"

#include "engine/restore/restore_target.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/held_files.hpp"
#include "util/interrupt.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

class TreeLook {
 public:
  TreeLook(int root, const fs::path& shown, const std::vector<fs::path>& own) : m_root(root), m_shown(shown) {
    for (const fs::path& place : own) {
      struct stat status {};
      if (::stat(place.c_str(), &status) == 0) m_own.insert(id_of(status));
    }
  }

  std::size_t run() {
    const std::size_t hidden = for_each_held_file(HeldKinds::all, [&](const HeldFile& held) {
      m_held.emplace(held.file, std::pair{held.pid, held.how});
    });
    const auto top = see(m_root, "");
    if (!top) throw_errno("stat", m_shown.native(), errno);
    m_top = *top;
    if (const auto id = id_of(m_root)) require_not_held(*id, m_shown);
    m_todo.emplace_back(".");
    while (!m_todo.empty()) {
      check_interrupted();
      const std::string path = std::move(m_todo.back());
      m_todo.pop_back();
      look_at(path);
    }
    return hidden;
  }

 private:
  void look_at(const std::string& path) {
    const UniqueFd directory = open_directory_below(m_root, path, (m_shown / path).native());
    for (const std::string& name : names_in(directory.get(), (m_shown / path).native())) {
      const std::string entry = join_path(path, name);
      const auto there = see(directory.get(), name);
      // It was removed meanwhile: nobody uses it.
      if (!there) continue;
      require_within_reach(*there, m_top, m_shown / entry);
      if (const auto id = id_at(directory.get(), name)) require_not_held(*id, m_shown / entry);
      if (S_ISDIR(there->mode)) m_todo.push_back(entry);
    }
  }

  void require_not_held(FileId id, const fs::path& shown) const {
    if (m_own.contains(id)) {
      throw Error(ErrorKind::usage,
                  fmt::format("unable to swap {}: this restore itself needs {}, which lies in it",
                              quote(m_shown.native()), quote(shown.native())),
                  "restore to another directory");
    }
    const auto at = m_held.find(id);
    if (at == m_held.end()) return;
    const auto [pid, how] = at->second;
    const char* const holds = how == HeldFile::How::working_directory ? "has its working directory there"
                              : how == HeldFile::How::root            ? "has its root directory there"
                                                                      : "has it open";
    throw Error(ErrorKind::busy,
                fmt::format("unable to swap {}: {}: {} {}", quote(m_shown.native()), quote(shown.native()),
                            describe_process(pid), holds),
                "stop it first: it would go on with the old directory");
  }

  int m_root;
  const fs::path& m_shown;
  SeenThere m_top;
  std::map<FileId, std::pair<pid_t, HeldFile::How>> m_held;
  std::set<FileId> m_own;
  std::vector<std::string> m_todo;
};

}  // namespace

std::size_t require_unused_tree(int directory, const fs::path& shown, const std::vector<fs::path>& own) {
  return TreeLook{directory, shown, own}.run();
}

}  // namespace cairn
