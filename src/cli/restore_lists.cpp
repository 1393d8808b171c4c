#include "cli/restore_lists.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <fcntl.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_read = 1 << 16;

// Takes a list apart as it comes, so that what is none is found before all of it was read.
class PathList {
 public:
  PathList(std::string shown, char separator) : m_shown(std::move(shown)), m_separator(separator) {}

  void add(std::string_view text) {
    if (m_separator != '\0' && text.find('\0') != std::string_view::npos) {
      throw Error(ErrorKind::usage, fmt::format("unable to read paths from {}: it is no text", m_shown),
                  "--null takes paths that end with a NUL each");
    }
    for (const char c : text) {
      if (c == m_separator) {
        end_path();
      } else {
        m_path += c;
      }
    }
  }
  std::vector<std::string> finish() {
    end_path();
    // No path at all would mean everything.
    if (m_paths.empty())
      throw Error(ErrorKind::usage, fmt::format("unable to restore: there is no path in {}", m_shown));
    return std::move(m_paths);
  }

 private:
  void end_path() {
    if (!m_path.empty()) m_paths.push_back(std::move(m_path));
    m_path.clear();
  }
  std::string m_shown;
  char m_separator;
  std::string m_path;
  std::vector<std::string> m_paths;
};

}  // namespace

void RestoreLists::declare(OptionSet& options) {
  options.values("--exclude", "PATTERN", m_excludes, "leave out what matches (syntax of gitignore)");
  options.value("--files-from", "FILE", m_files_from,
                "only the paths that this file has, one a line (-: standard input)");
  options.flag("--null", m_null, "paths of --files-from end with a NUL instead of a line's end");
  options.flag("--no-owner", m_no_owner, "do not restore owners: all belongs to who restores");
  options.flag("--numeric-owner", m_numeric_owner, "restore owners by their numbers, whatever their names");
}

void RestoreLists::check(bool tar) const {
  if (m_null && !m_files_from) throw Error(ErrorKind::usage, "--null needs --files-from");
  if (m_no_owner && m_numeric_owner) {
    throw Error(ErrorKind::usage, "--no-owner and --numeric-owner do not go together");
  }
  if (m_no_owner && tar) {
    throw Error(ErrorKind::usage, "--no-owner and --tar do not go together: an archive tells owners",
                "tar has --no-same-owner for who unpacks it");
  }
}

std::vector<std::string> RestoreLists::read_paths(Io& io) const {
  if (!m_files_from) return {};
  const bool input = *m_files_from == "-";
  PathList list{input ? "standard input" : quote(*m_files_from), m_null ? '\0' : '\n'};
  std::string buffer(k_read, '\0');
  if (input) {
    while (io.in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || io.in.gcount() > 0) {
      check_interrupted();
      list.add(std::string_view{buffer}.substr(0, static_cast<std::size_t>(io.in.gcount())));
    }
    if (io.in.bad()) throw Error(ErrorKind::failed, "unable to read standard input");
    return list.finish();
  }
  const UniqueFd fd = open_file(*m_files_from, O_RDONLY);
  const ByteSpan room{reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()};
  while (const std::size_t n = read_some(fd.get(), room, *m_files_from)) {
    check_interrupted();
    list.add(std::string_view{buffer}.substr(0, n));
  }
  return list.finish();
}

Owners RestoreLists::owners() const noexcept {
  if (m_no_owner) return Owners::none;
  return m_numeric_owner ? Owners::by_number : Owners::by_name;
}

}  // namespace cairn
