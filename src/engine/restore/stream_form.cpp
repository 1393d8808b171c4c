#include "engine/restore/stream_form.hpp"

#include "engine/restore/tar_header.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace cairn {

namespace {

void write_zeros(StreamOutput& output, std::uint64_t count) {
  static const Bytes zeros(1 << 16, 0);
  while (count != 0) {
    const std::uint64_t n = std::min<std::uint64_t>(count, zeros.size());
    output.write(ByteView{zeros}.first(static_cast<std::size_t>(n)));
    count -= n;
  }
}

class PlainForm : public StreamForm {
 public:
  explicit PlainForm(StreamOutput& output) : m_output(output) {}

  void add(const Entry& entry) override {
    throw Error(ErrorKind::usage, fmt::format("unable to stream {}: it is not a file", quote(entry.path)));
  }
  void begin_file(const Entry& file, SegmentRange) override {
    m_size = file.size;
    m_at = 0;
  }
  void write(std::uint64_t offset, ByteView bytes) override {
    write_zeros(m_output, offset - m_at);
    m_output.write(bytes);
    m_at = offset + bytes.size();
  }
  void end_file() override { write_zeros(m_output, m_size - m_at); }
  void finish() override {}
  void cut() override {}

 private:
  StreamOutput& m_output;
  std::uint64_t m_size = 0;
  std::uint64_t m_at = 0;
};

// One header and what follows it are a member. Of a sparse file, a map of its segments goes before them.
class TarForm : public StreamForm {
 public:
  TarForm(StreamOutput& output, DataSegments& segments, OwnerNamesIn names)
      : m_output(output), m_segments(segments), m_names(names) {}

  void add(const Entry& entry) override { put_header(entry, {}); }

  void begin_file(const Entry& file, SegmentRange data) override {
    m_data.emplace(m_segments, data, file.size);
    m_within = true;
    if (is_whole(file, data)) {
      m_stored = file.size;
      put_header(file, {.stored = file.size});
    } else {
      begin_sparse(file, data);
    }
    m_segment = m_data->next();
    m_at = m_segment ? m_segment->offset : 0;
  }
  void write(std::uint64_t offset, ByteView bytes) override {
    go_to(offset);
    m_output.write(bytes);
    m_at += bytes.size();
  }
  void end_file() override {
    while (m_segment) end_segment();
    write_zeros(m_output, tar_padding(m_stored));
    m_within = false;
  }
  void finish() override {
    Bytes end;
    append_tar_end(end);
    m_output.write(end);
  }
  void cut() override {
    // An archive that ends with a whole member is no error to GNU tar, though its end is missing, neither is a part of
    // a block, and to bsdtar a block that is no header is its end. Records that do not come are an error to both, and
    // make no file.
    if (m_within) return;
    Entry entry;
    entry.path = "cut short";
    entry.mtime = Time{Nanoseconds{1}};
    Bytes header;
    append_tar_header(header, entry, {});
    m_output.write(ByteView{header}.first(k_tar_block));
  }

 private:
  bool is_whole(const Entry& file, SegmentRange data) {
    if (file.size == 0) return true;
    if (data.count != 1) return false;
    return SegmentCursor{m_segments, data}.next() == DataRange{0, file.size};
  }

  void put_header(const Entry& entry, TarMember member) {
    member.owner_names = m_names == OwnerNamesIn::yes;
    Bytes header;
    append_tar_header(header, entry, member);
    m_output.write(header);
  }

  // Calls take(text) for each line of the map: how many segments, then offset and length of each. A last one without
  // bytes tells where the file ends.
  template <class Take>
  void each_line(const Entry& file, SegmentRange data, Take take) {
    std::uint64_t count = 0;
    std::uint64_t end = 0;
    for (BlockSegmentCursor at{m_segments, data, file.size}; const auto segment = at.next(); ++count) {
      end = segment->end();
    }
    const bool hole_at_end = end < file.size;
    take(fmt::format("{}\n", count + (hole_at_end ? 1 : 0)));
    for (BlockSegmentCursor at{m_segments, data, file.size}; const auto segment = at.next();) {
      take(fmt::format("{}\n{}\n", segment->offset, segment->length));
    }
    if (hole_at_end) take(fmt::format("{}\n0\n", file.size));
  }

  void begin_sparse(const Entry& file, SegmentRange data) {
    std::uint64_t map = 0;
    each_line(file, data, [&](const std::string& line) { map += line.size(); });
    const std::size_t padding = tar_padding(map);
    m_stored = map + padding;
    for (BlockSegmentCursor at{m_segments, data, file.size}; const auto segment = at.next();) {
      m_stored += segment->length;
    }
    put_header(file, {.stored = m_stored, .sparse = true});
    Bytes text;
    each_line(file, data, [&](const std::string& line) {
      append(text, as_bytes(line));
      if (text.size() < k_map_at_once) return;
      m_output.write(text);
      text.clear();
    });
    text.insert(text.end(), padding, std::uint8_t{0});
    m_output.write(text);
  }

  void go_to(std::uint64_t offset) {
    while (m_segment && m_segment->end() <= offset) end_segment();
    write_zeros(m_output, offset - m_at);
    m_at = offset;
  }
  void end_segment() {
    write_zeros(m_output, m_segment->end() - m_at);
    m_segment = m_data->next();
    if (m_segment) m_at = m_segment->offset;
  }

  static constexpr std::size_t k_map_at_once = 1 << 16;

  StreamOutput& m_output;
  DataSegments& m_segments;
  OwnerNamesIn m_names;
  bool m_within = false;  // a file's member is not complete
  // Of the file:
  std::uint64_t m_stored = 0;
  std::optional<BlockSegmentCursor> m_data;
  std::optional<DataRange> m_segment;  // that is being written
  std::uint64_t m_at = 0;
};

}  // namespace

std::unique_ptr<StreamForm> make_plain_form(StreamOutput& output) {
  return std::make_unique<PlainForm>(output);
}

std::unique_ptr<StreamForm> make_tar_form(StreamOutput& output, DataSegments& segments, OwnerNamesIn names) {
  return std::make_unique<TarForm>(output, segments, names);
}

}  // namespace cairn
