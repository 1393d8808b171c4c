#include "engine/restore/stream_executor.hpp"

#include "engine/restore/in_order.hpp"
#include "engine/restore/write_feed.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// One wave of work: fetched and decoded as a whole while the one before is written.
constexpr std::uint64_t k_wave_bytes = 16ULL << 20;
constexpr std::uint64_t k_wave_frames = 24;
constexpr std::size_t k_wave_pieces = 16 * 1024;

// An entry on its way to the stream.
struct Member {
  Entry entry;
  StreamNote note;
  bool begun = false;
  bool left_out = false;
  std::unique_ptr<InOrder> content;  // of a file that was begun
};

// One write of a file; or, without a frame, all that there is of an entry.
struct Piece {
  std::shared_ptr<Member> member;
  std::optional<Write> write;
  bool last = false;  // of its member
  FrameFetcher::Future frame;
};
using Pieces = std::vector<Piece>;

ByteView bytes_of(const Piece& piece) {
  return piece.frame.get()->chunks(piece.write->first, piece.write->count);
}

class StreamExecution {
 public:
  StreamExecution(Context& context, FrameFetcher& fetcher, StreamForm& form, PreparedStream& plan)
      : m_context(context),
        m_fetcher(fetcher),
        m_form(form),
        m_plan(plan),
        m_feed(plan.steps, [&fetcher](std::uint64_t pack) { return fetcher.directory(pack); }) {}

  Restored run() {
    for (const auto& problem : m_plan.problems) leave_out(problem.path, problem.message);
    m_plan.steps.rewind();
    while (auto note = m_plan.notes.next()) {
      check_interrupted();
      take(std::move(*note));
    }
    end_wave();
    run_wave();
    m_form.finish();
    std::sort(m_done.problems.begin(), m_done.problems.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(m_done);
  }

 private:
  void take(StreamNote note) {
    auto member = std::make_shared<Member>();
    Entry& entry = member->entry;
    if (note.link_path.empty()) {
      entry = std::move(m_plan.steps.next_entry().value().entry);
      entry.user = std::move(note.user);
      entry.group = std::move(note.group);
    } else {
      entry.type = EntryType::hard_link;
      entry.path = std::move(note.link_path);
      entry.link_target = std::move(note.link_target);
    }
    member->note = std::move(note);
    // It was named already. The steps of its content are skipped.
    if (member->note.damaged) return;
    if (entry.type == EntryType::file) take_content(member);
    // Without writes where there is no content.
    add({member, std::nullopt, true, {}});
  }

  void take_content(const std::shared_ptr<Member>& member) {
    m_feed.begin(member->entry);
    while (const auto piece = m_feed.next()) {
      // Nothing else is planned where no local file gives anything.
      const Write* const write = std::get_if<Write>(&*piece);
      if (write == nullptr) continue;
      m_wave_frames.insert(write->frame);
      m_wave_bytes += write->bytes;
      add({member, *write, false, {}});
    }
  }

  void add(Piece piece) {
    m_wave.push_back(std::move(piece));
    if (m_wave_bytes >= k_wave_bytes || m_wave_frames.size() >= k_wave_frames || m_wave.size() >= k_wave_pieces) {
      end_wave();
    }
  }

  // Asks for this wave's frames, then writes the wave before it.
  void end_wave() {
    std::vector<FrameId> ids;
    for (const Piece& piece : m_wave) {
      if (piece.write) ids.push_back(piece.write->frame);
    }
    const auto futures = m_fetcher.request(ids);
    std::size_t next = 0;
    for (Piece& piece : m_wave) {
      if (piece.write) piece.frame = futures[next++];
    }
    run_wave();
    m_ready = std::exchange(m_wave, {});
    m_wave_bytes = 0;
    m_wave_frames.clear();
  }

  void run_wave() {
    for (std::size_t i = 0; i < m_ready.size(); ++i) {
      check_interrupted();
      Piece& piece = m_ready[i];
      if (!std::exchange(piece.member->begun, true)) begin(i);
      if (!piece.member->left_out) put(piece);
      piece.frame = {};
    }
    m_ready.clear();
    m_context.reporter.progress("restore", m_written, m_plan.figures.bytes);
  }

  // The member of that piece, the first of it.
  void begin(std::size_t first) {
    Member& member = *m_ready[first].member;
    const Entry& entry = member.entry;
    if (entry.type == EntryType::hard_link) return add_link(member);
    if (m_plan.linked.contains(entry.path)) m_linked.emplace(entry.path, entry).first->second.xattrs.clear();
    if (entry.type != EntryType::file) return m_form.add(entry);
    if (const auto damage = damage_of([&] { check_ahead(first); })) {
      member.left_out = true;
      return leave_out(entry.path, damage->message());
    }
    m_form.begin_file(entry, member.note.data);
    member.content = std::make_unique<InOrder>(m_plan.spool, SegmentCursor{m_plan.segments, member.note.data},
                                               [this](std::uint64_t offset, ByteView bytes) {
                                                 m_form.write(offset, bytes);
                                                 m_written += bytes.size();
                                               });
  }

  void add_link(Member& member) {
    const Entry& link = member.entry;
    const auto target = m_linked.find(link.link_target);
    if (m_left_out.contains(link.link_target)) {
      member.left_out = true;
      return leave_out(link.path, fmt::format("{} is a hard link to a damaged file", quote(link.path)));
    }
    if (target == m_linked.end()) {
      throw Error(ErrorKind::damaged,
                  fmt::format("damaged entry list: {} is a hard link to what is not there", quote(link.path)));
    }
    // Some programs put what the link is said to be on what it leads to.
    Entry entry = target->second;
    entry.path = link.path;
    entry.type = link.type;
    entry.link_target = link.link_target;
    m_form.add(entry);
  }

  // Checks the file's part in this wave before its name is on the stream and can no more be taken back.
  void check_ahead(std::size_t first) {
    const Member* const member = m_ready[first].member.get();
    for (std::size_t i = first; i < m_ready.size() && m_ready[i].member.get() == member; ++i) {
      if (m_ready[i].write) bytes_of(m_ready[i]);
    }
  }

  void put(const Piece& piece) {
    Member& member = *piece.member;
    if (!member.content) return;
    const auto damage = damage_of([&] {
      if (piece.write) member.content->push(piece.write->offset, bytes_of(piece));
      if (piece.last) member.content->finish();
    });
    if (damage) {
      throw Error(ErrorKind::damaged,
                  fmt::format("unable to restore {}: {}", quote(member.entry.path), damage->message()), damage->hint());
    }
    if (!piece.last) return;
    m_form.end_file();
    ++m_done.files;
    m_done.bytes = saturating_add(m_done.bytes, member.entry.size);
    member.content.reset();
  }

  void leave_out(const std::string& path, const std::string& message) {
    m_left_out.insert(path);
    m_done.problems.push_back({path, message});
  }

  Context& m_context;
  FrameFetcher& m_fetcher;
  StreamForm& m_form;
  PreparedStream& m_plan;
  WriteFeed m_feed;
  Pieces m_wave;   // being filled
  Pieces m_ready;  // its frames are on their way
  std::uint64_t m_wave_bytes = 0;
  std::set<FrameId> m_wave_frames;
  std::uint64_t m_written = 0;
  std::set<std::string> m_left_out;
  std::map<std::string, Entry> m_linked;  // that hard links lead to, without attributes and content
  Restored m_done;
};

}  // namespace

Restored execute_stream(Context& context, FrameFetcher& fetcher, StreamForm& form, PreparedStream& plan) {
  return StreamExecution{context, fetcher, form, plan}.run();
}

}  // namespace cairn
