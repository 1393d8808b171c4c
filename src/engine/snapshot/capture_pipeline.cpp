#include "engine/snapshot/capture_pipeline.hpp"

#include "engine/snapshot/capture_batch.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// An unchanged file of more than that goes by itself: it may have an extent for each of its pages.
constexpr std::uint64_t k_large_file = 64ULL << 20;
constexpr std::size_t k_batches_in_flight = 6;
// So many databases that were locked are tried again at the end.
constexpr std::size_t k_most_locked = 10'000;

}  // namespace

CapturePipeline::CapturePipeline(Context& context, Parts parts, std::function<void()> keep_alive)
    : m_context(context),
      m_parts(parts),
      m_keep_alive(std::move(keep_alive)),
      m_shape(parts.source.shape()),
      m_access(parts.source.access()) {}

// Whether the content is read before the source goes on, segment by segment.
bool CapturePipeline::read_at_once(const CapturedItem& item) const {
  return item.source.entry.size > k_small_file || m_shape == SourceShape::file || m_access == SourceAccess::sequential;
}

void CapturePipeline::run() {
  using Pending = std::shared_ptr<CaptureBatch::Items>;
  OrderedWindow<Pending> window{m_context.cpu, k_batches_in_flight, UINT64_MAX, [this](const Pending& items) {
                                  m_keep_alive();
                                  for (auto& item : *items) consume(item);
                                }};
  CaptureBatch batch;
  const auto submit = [&] {
    if (batch.empty()) return;
    if (!batch.has_work()) return window.push_ready(0, batch.take());
    window.push(0, [items = batch.take()] {
      read_batch(*items);
      return items;
    });
  };
  // A file that is read here comes after all that was seen before.
  const auto catch_up = [&] {
    submit();
    window.drain();
  };
  while (auto next = m_parts.source.next()) {
    check_interrupted();
    CapturedItem item{std::move(*next)};
    if (item.source.content) {
      const bool unchanged = m_parts.previous != nullptr && m_parts.previous->looks_unchanged(item.source);
      if (unchanged && item.source.entry.size > k_large_file) {
        catch_up();
        if (m_parts.previous->reuse_large(item.source.entry, m_parts.spool)) {
          m_parts.entries.end_entry(item.source.entry);
        } else {
          read_large(item, Compare::yes);
        }
        continue;
      }
      item.read = !unchanged || !m_parts.previous->reuse(item);
      if (item.read && read_at_once(item)) {
        catch_up();
        read_large(item, Compare::yes);
        continue;
      }
    }
    batch.add(std::move(item));
    if (batch.full()) submit();
  }
  catch_up();
  try_again();
}

// A database that is locked now may not be at the end, and nobody waits for it meanwhile. A file that later entries
// link to has to be decided on at once.
bool CapturePipeline::try_later(CapturedItem& item) {
  const bool may_wait = item.can_wait && !item.source.has_links && m_access == SourceAccess::reopenable;
  if (!item.locked || !may_wait || m_trying_again || m_locked.size() >= k_most_locked) return false;
  m_locked.push_back({std::move(item), m_parts.spool.keep_place()});
  return true;
}

void CapturePipeline::try_again() {
  m_trying_again = true;
  for (auto& locked : m_locked) {
    check_interrupted();
    locked.item.failure.clear();
    locked.item.locked = false;
    m_parts.spool.go_to_place(locked.place);
    read_large(locked.item, Compare::no);
  }
}

void CapturePipeline::consume(CapturedItem& item) {
  if (!item.failure.empty()) {
    if (!try_later(item)) m_parts.entries.leave_out(item);
    return;
  }
  Entry& entry = item.source.entry;
  if (entry.type == EntryType::hard_link) {
    if (auto* const lost = m_parts.entries.lost().find(entry.link_target)) return consume_orphan(item, *lost);
  }
  // It grew since the walk saw it.
  if (item.read && item.content.too_large) return read_large(item, Compare::no);
  if (item.read) {
    m_parts.content.write(item.content);
    entry.size = item.content.size;
    tell_of_reading(entry, item.content.changed, item.content.problem);
  } else {
    for (const auto& part : item.reuse) m_parts.spool.add_part(part);
  }
  m_parts.entries.end_item(item);
}

// A hard link to what is not stored, or is another file by now. Where that only lost the name, the first other one that
// is still the file that the walk saw becomes a file of its own, and the others links to it. A file that could not be
// read could not by another name either; and a database's log lies beside its first name alone.
void CapturePipeline::consume_orphan(CapturedItem& item, LostNames::Lost& target) {
  Entry& entry = item.source.entry;
  if (!target.stand_in.empty()) {
    entry.link_target = target.stand_in;
    m_parts.entries.end_entry(entry);
    return;
  }
  if (!item.source.as_file || !target.readable) {
    m_parts.entries.drop(entry.path, fmt::format("unable to read {}: it is a hard link to {}", quote(entry.path),
                                                 quote(entry.link_target)));
    return;
  }
  entry.type = EntryType::file;
  entry.link_target.clear();
  item.source.content = std::move(item.source.as_file);
  item.can_wait = false;
  read_large(item, Compare::no);
  if (m_parts.entries.lost().find(entry.path) == nullptr && !item.lost_name()) target.stand_in = entry.path;
}

void CapturePipeline::read_large(CapturedItem& item, Compare compare) {
  try {
    read_until_consistent(item, compare);
    m_parts.entries.end_item(item);
  } catch (const SourceError& e) {
    // One file of a tree: the rest goes on. The one file that was asked for: the end, a failure even where it vanished.
    if (m_shape == SourceShape::file) {
      if (e.kind() == ErrorKind::not_found) throw SourceError(ErrorKind::failed, e.message(), e.hint());
      throw;
    }
    m_parts.spool.drop_parts();
    item.fail(e);
    if (!try_later(item)) m_parts.entries.leave_out(item);
  }
}

// Tells why the snapshot is incomplete although there is content.
void CapturePipeline::tell_of_reading(Entry& entry, bool changed, const std::string& problem) {
  if (changed) m_parts.entries.problem(entry.path, fmt::format("{} changed while it was read", quote(entry.path)));
  if (!problem.empty()) m_parts.entries.tell_each_time(entry, problem);
}

void CapturePipeline::read_until_consistent(CapturedItem& item, Compare compare) {
  Entry& entry = item.source.entry;
  auto previous = compare == Compare::yes && m_parts.previous != nullptr
                      ? m_parts.previous->chunks_of(entry.path, std::move(item.previous))
                      : std::nullopt;
  const int tries = m_access == SourceAccess::reopenable ? k_read_tries : 1;
  const auto progress = [this](std::uint64_t done) { m_parts.entries.progress(done); };
  for (int attempt = 1;; ++attempt) {
    auto reading = m_parts.content.read(item.source, attempt == 1 && previous ? &*previous : nullptr, progress);
    if (m_shape == SourceShape::file) m_content_facts = std::move(reading.facts);
    if (reading.changed && attempt < tries) {
      m_parts.spool.drop_parts();
      continue;
    }
    return tell_of_reading(entry, reading.changed, reading.problem);
  }
}

}  // namespace cairn
