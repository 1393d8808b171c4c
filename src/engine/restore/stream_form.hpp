// The form of a snapshot on a stream: the bytes of one file, or a tar archive.
#pragma once

#include "engine/restore/data_segments.hpp"
#include "repo/entry.hpp"
#include "util/bytes.hpp"

#include <cstdint>
#include <memory>

namespace cairn {

// Where a stream goes. write() takes all of it or throws.
class StreamOutput {
 public:
  StreamOutput() = default;
  StreamOutput(const StreamOutput&) = delete;
  StreamOutput& operator=(const StreamOutput&) = delete;
  virtual ~StreamOutput() = default;
  virtual void write(ByteView bytes) = 0;
};

// Entries in the order of the stream; of a file begin_file(), its write()s, end_file(). One thread. What is no write
// throws nothing of its own.
class StreamForm {
 public:
  StreamForm() = default;
  StreamForm(const StreamForm&) = delete;
  StreamForm& operator=(const StreamForm&) = delete;
  virtual ~StreamForm() = default;

  // No regular file, and no socket.
  virtual void add(const Entry& entry) = 0;
  // data: all that will be written of it.
  virtual void begin_file(const Entry& file, SegmentRange data) = 0;
  // Ascending.
  virtual void write(std::uint64_t offset, ByteView bytes) = 0;
  virtual void end_file() = 0;
  // After the last entry.
  virtual void finish() = 0;
  // Instead of it, wherever that is: whoever reads the stream is to find that it ends too early.
  virtual void cut() = 0;
};

// The content of one file, holes as zeros. Nothing else may be added.
std::unique_ptr<StreamForm> make_plain_form(StreamOutput& output);
// segments: of the files that will be begun. All of them outlive the form.
enum class OwnerNamesIn : bool { no, yes };
std::unique_ptr<StreamForm> make_tar_form(StreamOutput& output, DataSegments& segments, OwnerNamesIn names);

}  // namespace cairn
