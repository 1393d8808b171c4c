#include "engine/diff/differ.hpp"

#include "engine/diff/content_compare.hpp"
#include "repo/entry_list.hpp"
#include "repo/frame_fetcher.hpp"
#include "repo/pack_table.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_kept_frames = 32ULL << 20;

// A snapshot's entries, one at a time.
class SnapshotSide {
 public:
  SnapshotSide(Context& context, const Manifest& manifest)
      : m_packs(manifest),
        m_fetcher(context.repository.packs(), context.io, context.cpu, m_packs, k_kept_frames),
        m_reader(m_fetcher, manifest) {
    advance();
  }
  Entry* entry() { return m_line ? &*m_line->entry : nullptr; }
  void advance() { m_line = m_reader.next(); }
  // Once an entry.
  std::unique_ptr<ContentCursor> content() { return std::make_unique<SnapshotCursor>(m_fetcher, m_reader, *m_line); }

 private:
  PackTable m_packs;
  FrameFetcher m_fetcher;
  EntryListReader m_reader;
  std::optional<EntryLine> m_line;
};

class LiveSide {
 public:
  explicit LiveSide(Source& source) : m_source(source) { advance(); }
  Entry* entry() { return m_item ? &m_item->entry : nullptr; }
  void advance() { m_item = m_source.next(); }
  const std::shared_ptr<ContentOpener>& opener() const { return m_item->content; }

 private:
  Source& m_source;
  std::optional<SourceItem> m_item;
};

std::uint64_t file_size(const Entry& entry) {
  return entry.type == EntryType::file ? entry.size : 0;
}

// Everything but type and content.
void compare_metadata(const Entry& a, const Entry& b, std::vector<const char*>& what) {
  if (a.link_target != b.link_target) what.push_back("target");
  if (a.device_major != b.device_major || a.device_minor != b.device_minor) what.push_back("device");
  // A further name of a file has no metadata of its own.
  if (a.type == EntryType::hard_link) return;
  if (a.mode != b.mode) what.push_back("mode");
  if (a.uid != b.uid || a.gid != b.gid) what.push_back("owner");
  if (a.xattrs != b.xattrs) what.push_back("xattrs");
  if (a.mtime != b.mtime) what.push_back("mtime");
}

// Decides on the content of two files: nothing where that cannot be told (a problem was noted).
std::optional<bool> content_differs(SnapshotSide& before, SnapshotSide& after, DiffSummary&) {
  if (before.entry()->size != after.entry()->size) return true;
  const auto a = before.content();
  const auto b = after.content();
  return !same_content(*a, *b);
}

std::optional<bool> content_differs(SnapshotSide& before, LiveSide& after, DiffSummary& summary) {
  const Entry& old = *before.entry();
  Entry& now = *after.entry();
  const bool always = after.opener() && after.opener()->always_read();
  if (!always && old.size != now.size) return true;
  if (!always && old.mtime == now.mtime) return false;
  if (!after.opener()) return true;
  try {
    const auto content = after.opener()->open(now);
    const auto a = before.content();
    LiveCursor b{*content};
    if (!same_content(*a, b)) return true;
    // A file that was written while it was read is something else by now.
    return content->finish() == Content::Outcome::changed;
  } catch (const SourceError& e) {
    summary.problems.push_back({now.path, e.message()});
    return std::nullopt;
  }
}

template <class After>
class Differ {
 public:
  Differ(SnapshotSide& before, After& after, const DifferenceSink& sink)
      : m_before(before), m_after(after), m_sink(sink) {}

  DiffSummary run() {
    while (m_before.entry() != nullptr || m_after.entry() != nullptr) {
      check_interrupted();
      const int order = m_before.entry() == nullptr  ? 1
                        : m_after.entry() == nullptr ? -1
                                                     : compare_paths(m_before.entry()->path, m_after.entry()->path);
      if (order < 0) {
        removed();
      } else if (order > 0) {
        added();
      } else {
        both();
      }
    }
    return std::move(m_summary);
  }

 private:
  static void add(std::uint64_t& to, std::uint64_t bytes) { to = saturating_add(to, bytes); }

  void removed() {
    Entry& entry = *m_before.entry();
    m_summary.removed += 1;
    add(m_summary.bytes_removed, file_size(entry));
    add(m_summary.bytes_before, file_size(entry));
    m_sink({Difference::Kind::removed, &entry, nullptr, {}});
    m_before.advance();
  }

  void added() {
    Entry& entry = *m_after.entry();
    m_summary.added += 1;
    add(m_summary.bytes_added, file_size(entry));
    add(m_summary.bytes_after, file_size(entry));
    m_sink({Difference::Kind::added, nullptr, &entry, {}});
    m_after.advance();
  }

  void both() {
    Difference difference;
    difference.before = m_before.entry();
    difference.after = m_after.entry();
    bool known = true;
    if (difference.before->type != difference.after->type) {
      difference.what.push_back("type");
    } else {
      if (difference.after->type == EntryType::file) {
        const auto differs = content_differs(m_before, m_after, m_summary);
        known = differs.has_value();
        if (differs.value_or(false)) {
          difference.what.push_back("content");
          m_summary.content_changed += 1;
          add(m_summary.bytes_changed, difference.after->size);
          if (difference.before->size != difference.after->size) difference.what.push_back("size");
        }
      }
      compare_metadata(*difference.before, *difference.after, difference.what);
    }
    add(m_summary.bytes_before, file_size(*difference.before));
    add(m_summary.bytes_after, file_size(*difference.after));
    if (!known) {
      // Among the problems.
    } else if (difference.what.empty()) {
      m_summary.unchanged += 1;
    } else {
      m_summary.changed += 1;
      m_sink(difference);
    }
    m_before.advance();
    m_after.advance();
  }

  SnapshotSide& m_before;
  After& m_after;
  const DifferenceSink& m_sink;
  DiffSummary m_summary;
};

}  // namespace

DiffSummary diff_snapshots(Context& context, const Manifest& before, const Manifest& after,
                           const DifferenceSink& sink) {
  SnapshotSide a{context, before};
  SnapshotSide b{context, after};
  return Differ<SnapshotSide>{a, b, sink}.run();
}

DiffSummary diff_with_source(Context& context, const Manifest& before, Source& after, const DifferenceSink& sink) {
  if (after.access() != SourceAccess::reopenable) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to compare a snapshot with {}: it can be read only once", quote(after.location())));
  }
  SnapshotSide a{context, before};
  LiveSide b{after};
  DiffSummary summary = Differ<LiveSide>{a, b, sink}.run();
  summary.problems.insert(summary.problems.end(), after.problems().begin(), after.problems().end());
  return summary;
}

}  // namespace cairn
