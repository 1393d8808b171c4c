// From a source to entries in the spool and chunks in the store: batches of small files side by side, large ones
// segment by segment, unchanged ones by reference; locked ones again at the end. A source that passes by once is read
// as it comes.
#pragma once

#include "capture/source.hpp"
#include "engine/context.hpp"
#include "engine/snapshot/captured_item.hpp"
#include "engine/snapshot/content_writer.hpp"
#include "engine/snapshot/entry_recorder.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/previous_tree.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn {

// Used by one thread, once. Reads in the pool refer to the pipeline's items alone.
class CapturePipeline {
 public:
  // The parts that the pipeline puts together; all outlive it.
  struct Parts {
    Source& source;
    PreviousTree* previous;  // null: there is nothing to compare with
    ContentWriter& content;
    EntryRecorder& entries;
    EntrySpool& spool;
  };
  // keep_alive: called once a batch.
  CapturePipeline(Context& context, Parts parts, std::function<void()> keep_alive);
  CapturePipeline(const CapturePipeline&) = delete;
  CapturePipeline& operator=(const CapturePipeline&) = delete;

  // Takes the source to its end. Throws SourceError for what ends the whole capture, StoreError, Error(interrupted).
  void run();
  // Content::facts() of a source that is a single file.
  const std::string& content_facts() const noexcept { return m_content_facts; }

 private:
  enum class Compare { no, yes };
  using Batch = std::deque<CapturedItem>;
  struct Locked {
    CapturedItem item;
    std::size_t place;  // kept for it in the spool
  };

  bool read_at_once(const CapturedItem& item) const;
  void consume(CapturedItem& item);
  void consume_orphan(CapturedItem& item, LostNames::Lost& target);
  void read_large(CapturedItem& item, Compare compare);
  void tell_of_reading(Entry& entry, bool changed, const std::string& problem);
  void read_until_consistent(CapturedItem& item, Compare compare);
  bool try_later(CapturedItem& item);
  void try_again();

  Context& m_context;
  Parts m_parts;
  std::function<void()> m_keep_alive;
  const SourceShape m_shape;
  const SourceAccess m_access;
  std::vector<Locked> m_locked;
  bool m_trying_again = false;
  std::string m_content_facts;
};

}  // namespace cairn
