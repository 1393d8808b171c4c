// From a source to entries in the spool and chunks in the store: batches of small files side by side, large ones
// segment by segment, unchanged ones by reference; locked ones again at the end.
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

// Used by one thread, once. What is read in the pool refers to the pipeline's items alone.
class CapturePipeline {
 public:
  // What the pipeline puts together; all outlive it.
  struct Parts {
    Source& source;
    PreviousTree* previous;  // null: there is nothing to compare with
    ContentWriter& content;
    EntryRecorder& entries;
    EntrySpool& spool;
  };
  struct Options {
    bool single_file = false;          // the one file that was asked for: where it cannot be read, the capture fails
    std::function<void()> keep_alive;  // called once a batch
  };
  CapturePipeline(Context& context, Parts parts, Options options);
  CapturePipeline(const CapturePipeline&) = delete;
  CapturePipeline& operator=(const CapturePipeline&) = delete;

  // Takes the source to its end. Throws SourceError for what ends the whole capture, StoreError, Error(interrupted).
  void run();
  // Content::facts() of the single file.
  const std::string& content_facts() const noexcept { return m_content_facts; }

 private:
  enum class Compare { no, yes };
  using Batch = std::deque<CapturedItem>;
  struct Locked {
    CapturedItem item;
    std::size_t place;  // kept for it in the spool
  };

  void consume(CapturedItem& item);
  void consume_orphan(CapturedItem& item, LostNames::Lost& target);
  void read_large(CapturedItem& item, Compare compare);
  void read_until_consistent(CapturedItem& item, Compare compare);
  bool try_later(CapturedItem& item);
  void try_again();

  Context& m_context;
  Parts m_parts;
  Options m_options;
  std::vector<Locked> m_locked;
  bool m_trying_again = false;
  std::string m_content_facts;
};

}  // namespace cairn
