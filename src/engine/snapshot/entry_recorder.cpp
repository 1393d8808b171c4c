#include "engine/snapshot/entry_recorder.hpp"

#include "repo/entry_text.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <string_view>

#include <fmt/format.h>

namespace cairn {

namespace {

// The most that an entry may say beside its extents; a line has room for the largest part, too.
constexpr std::size_t k_max_entry_head = k_max_entry_line - (1U << 20);

}  // namespace

void EntryRecorder::problem(const std::string& path, const std::string& message) {
  m_problems.push_back({path, message});
  m_reporter.warning(message);
}

void EntryRecorder::tell_each_time(Entry& entry, const std::string& message) {
  entry.ctime = Time{};
  problem(entry.path, message);
}

void EntryRecorder::drop(const std::string& path, const std::string& message) {
  m_lost.add(path);
  problem(path, message);
}

void EntryRecorder::leave_out(const CapturedItem& item) {
  const std::string& path = item.source.entry.path;
  if (item.lost_name()) m_lost.add_readable(path);
  if (!item.vanished) drop(path, item.failure);
}

void EntryRecorder::end_item(CapturedItem& item) {
  end_entry(item.source.entry);
  if (item.source.has_links && item.lost_name()) m_lost.add_readable(item.source.entry.path);
}

void EntryRecorder::end_entry(Entry& entry) {
  const bool is_file = entry.type == EntryType::file;
  if (const char* const fault = entry_fault(entry)) {
    const auto message = fmt::format("unable to store {}: {}", quote(entry.path), fault);
    if (m_options.shape == SourceShape::file) throw SourceError(ErrorKind::failed, message);
    m_spool.drop_parts();
    drop(entry.path, message);
    return;
  }
  const auto without_xattrs = [&](std::string_view cause) {
    entry.xattrs.clear();
    problem(entry.path, fmt::format("{} is stored without its extended attributes: {}", quote(entry.path), cause));
  };
  if (const char* const cause = xattrs_fault(entry.xattrs)) without_xattrs(cause);
  std::string head = write_entry_head(entry);
  if (head.size() > k_max_entry_head) {
    without_xattrs("they are too large together");
    head = write_entry_head(entry);
  }
  if (m_options.order != nullptr) {
    const std::size_t place = m_spool.keep_place();
    m_options.order->add(entry, place);
    m_spool.go_to_place(place);
  }
  m_spool.add_entry(head, is_file);
  ++m_stats.entries;
  if (is_file) {
    ++m_stats.files;
    m_stats.bytes = saturating_add(m_stats.bytes, entry.size);
    progress(0);
  }
}

}  // namespace cairn
