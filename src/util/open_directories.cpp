#include "util/open_directories.hpp"

#include "util/beneath.hpp"

#include <algorithm>
#include <fcntl.h>

namespace cairn {

std::shared_ptr<const UniqueFd> OpenDirectories::find(std::string_view path) {
  const auto found = m_by_path.find(path);
  if (found == m_by_path.end()) return nullptr;
  m_newest_first.splice(m_newest_first.begin(), m_newest_first, found->second);
  return found->second->directory;
}

void OpenDirectories::keep(std::string_view path, const std::shared_ptr<const UniqueFd>& directory) {
  m_newest_first.push_front({std::string{path}, directory});
  m_by_path.emplace(m_newest_first.front().path, m_newest_first.begin());
  if (m_newest_first.size() <= k_kept) return;
  m_by_path.erase(m_newest_first.back().path);
  m_newest_first.pop_back();
}

std::shared_ptr<const UniqueFd> OpenDirectories::open(std::string_view path) {
  const std::scoped_lock lock{m_mutex};
  if (auto known = find(path)) return known;
  constexpr int k_flags = O_PATH | O_DIRECTORY;
  // The nearest directory above that is open; not looked for further up than could be kept.
  std::shared_ptr<const UniqueFd> above;
  std::size_t begin = 0;
  std::size_t slash = path.rfind('/');
  for (std::size_t i = 0; i < k_kept && slash != std::string_view::npos && !above; ++i) {
    above = find(path.substr(0, slash));
    if (above) {
      begin = slash + 1;
    } else {
      slash = slash == 0 ? std::string_view::npos : path.rfind('/', slash - 1);
    }
  }
  const auto depth_left =
      static_cast<std::size_t>(std::count(path.begin() + static_cast<std::ptrdiff_t>(begin), path.end(), '/'));
  for (std::size_t left = depth_left;; --left) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const int directory = above ? above->get() : m_root;
    UniqueFd next = open_beneath(directory, path.substr(begin, end - begin), k_flags);
    if (!next) return nullptr;
    above = std::make_shared<const UniqueFd>(std::move(next));
    if (left < k_kept) keep(path.substr(0, end), above);
    if (left == 0) return above;
    begin = end + 1;
  }
}

}  // namespace cairn
