#include "repo/own_packs.hpp"

#include "util/error.hpp"

#include <charconv>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::string_view k_files = "files";
constexpr std::string_view k_list = "list";
constexpr unsigned k_directory_mode = 0700;
constexpr unsigned k_file_mode = 0600;
constexpr std::uint64_t k_largest = 1ULL << 30;

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

bool number(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string pack_line(const PackRef& ref) {
  return fmt::format("{} {} {} {} {} {} {}", ref.name.hex(), ref.size, ref.directory_offset, ref.directory_size,
                     ref.logical_id.hex(), ref.seal, ref.content == PackContent::list ? k_list : k_files);
}

std::optional<PackRef> parse_pack_line(std::string_view line) {
  const auto fields = fields_of(line);
  if (fields.size() != 7) return std::nullopt;
  PackRef ref;
  const auto name = Digest::parse(fields[0]);
  const auto logical_id = Digest::parse(fields[4]);
  if (!is_valid_seal(fields[5]) || (fields[6] != k_files && fields[6] != k_list)) return std::nullopt;
  ref.seal = fields[5];
  ref.content = fields[6] == k_list ? PackContent::list : PackContent::files;
  if (!name || !logical_id || !number(fields[1], ref.size) || !number(fields[2], ref.directory_offset) ||
      !number(fields[3], ref.directory_size)) {
    return std::nullopt;
  }
  ref.name = *name;
  ref.logical_id = *logical_id;
  return ref;
}

std::vector<PackRef> OwnPacks::all() const {
  std::vector<PackRef> out;
  if (m_file.empty()) return out;
  try {
    const auto bytes = read_file_if_exists(m_file, k_largest);
    if (!bytes) return out;
    std::string_view text = as_text(*bytes);
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      if (auto ref = parse_pack_line(text.substr(0, end))) out.push_back(std::move(*ref));
      text.remove_prefix(end + 1);
    }
  } catch (const Error&) {
    out.clear();
  }
  return out;
}

bool OwnPacks::open() {
  if (m_fd || m_failed || m_file.empty()) return static_cast<bool>(m_fd);
  m_failed = true;
  make_directories(m_file.parent_path(), k_directory_mode);
  // One that was tidied between the two is not the file any more.
  for (int attempt = 0; attempt < 3; ++attempt) {
    UniqueFd fd = open_file(m_file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, k_file_mode);
    struct stat opened {};
    struct stat named {};
    if (::flock(fd.get(), LOCK_SH) != 0 || ::fstat(fd.get(), &opened) != 0) return false;
    if (::stat(m_file.c_str(), &named) != 0 || named.st_ino != opened.st_ino) continue;
    m_fd = std::move(fd);
    m_failed = false;
    return true;
  }
  return false;
}

void OwnPacks::add(const PackRef& ref) {
  const std::scoped_lock lock{m_mutex};
  try {
    // In one piece: what several processes add does not get mixed up. A torn line before it costs that line alone.
    if (open()) write_all(m_fd.get(), as_bytes("\n" + pack_line(ref) + "\n"), m_file);
  } catch (const Error&) {
    m_fd.reset();
    m_failed = true;
  }
}

void OwnPacks::tidy(const std::function<bool(const PackRef&)>& stays) {
  const std::scoped_lock lock{m_mutex};
  try {
    if (!open() || ::flock(m_fd.get(), LOCK_EX | LOCK_NB) != 0) return;
    std::string kept;
    bool dropped = false;
    for (const auto& ref : all()) {
      if (stays(ref)) {
        kept += pack_line(ref) + "\n";
      } else {
        dropped = true;
      }
    }
    if (dropped) write_file_atomic(m_file, as_bytes(kept), k_file_mode);
  } catch (const Error&) {
    m_failed = true;
  }
  m_fd.reset();
}

}  // namespace cairn
