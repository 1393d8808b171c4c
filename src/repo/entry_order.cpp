#include "repo/entry_order.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

[[noreturn]] void damaged(std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged entry list: {}", cause));
}

}  // namespace

void EntryOrder::check(const Entry& entry) {
  const std::string& path = entry.path;
  if (m_shape == Shape::single_file) {
    if (m_any) damaged("a second entry where one file should be");
    if (entry.type != EntryType::file || path == "." || path.find('/') != std::string::npos) {
      damaged("the one entry is not a file");
    }
  } else if (!m_any) {
    if (path != "." || entry.type != EntryType::directory) damaged("it does not begin with a directory '.'");
  } else {
    if (compare_paths(m_last, path) >= 0) damaged(fmt::format("entry {} is out of order", quote(path)));
    check_parent(entry);
    if (entry.type == EntryType::hard_link && compare_paths(entry.link_target, path) >= 0) {
      damaged(fmt::format("hard link {} comes before its target", quote(path)));
    }
  }
  m_any = true;
  m_last = path;
}

void EntryOrder::check_parent(const Entry& entry) {
  const std::string& path = entry.path;
  // m_open are prefixes of m_last; those that are prefixes of this path too stay open.
  while (!m_open.empty()) {
    const std::size_t n = m_open.back();
    if (path.size() > n && path[n] == '/' && path.compare(0, n, m_last, 0, n) == 0) break;
    m_open.pop_back();
  }
  const std::size_t slash = path.rfind('/');
  const std::size_t parent = slash == std::string::npos ? 0 : slash;
  if (parent != (m_open.empty() ? 0 : m_open.back())) {
    damaged(fmt::format("entry {} is in no directory of the list", quote(path)));
  }
  if (entry.type == EntryType::directory) m_open.push_back(path.size());
}

void EntryOrder::check_end() const {
  if (!m_any) damaged("it has no entries");
}

}  // namespace cairn
