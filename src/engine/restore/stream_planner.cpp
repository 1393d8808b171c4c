#include "engine/restore/stream_planner.hpp"

#include "engine/restore/content_planner.hpp"
#include "engine/restore/path_selection.hpp"
#include "repo/content_runs.hpp"
#include "repo/entry_list.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

class StreamPacks : public PlannedPacks {
 public:
  explicit StreamPacks(const PlanningTools& tools) : m_tools(tools) {}
  const PackRef& find(std::uint64_t pack) override { return m_tools.packs.find(pack); }
  bool comes_whole(const PackRef&) override { return false; }
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack) override {
    return m_tools.content.directory(pack);
  }

 private:
  const PlanningTools& m_tools;
};

std::string_view kind_of(EntryType type) noexcept {
  switch (type) {
    case EntryType::directory:
      return "a directory";
    case EntryType::symlink:
      return "a symbolic link";
    case EntryType::fifo:
      return "a FIFO";
    case EntryType::socket:
      return "a socket";
    case EntryType::char_device:
    case EntryType::block_device:
      return "a device";
    default:
      return "a file";
  }
}

// One reading of the entry list.
class StreamSurvey {
 public:
  StreamSurvey(PathSelection& selection, PlannedPacks& packs, ContentPlanner& content, StreamShape shape,
               PreparedStream& plan)
      : m_selection(selection), m_packs(packs), m_content(content), m_shape(shape), m_plan(plan) {}

  void run(EntryListReader& list) {
    while (auto line = list.next()) {
      check_interrupted();
      m_selection.survey(*line->entry);
      PlannedEntry planned{std::move(*line->entry)};
      // Directories that only lead to what was asked for would change those that are there when the archive is
      // unpacked.
      if (!m_selection.select(planned.entry) || !m_selection.covers(planned.entry.path, planned.entry.type)) continue;
      if (!m_plan.refusal) take(planned, *line, list);
    }
  }

 private:
  void take(const PlannedEntry& planned, const EntryLine& line, EntryListReader& list) {
    const Entry& entry = planned.entry;
    if (m_shape == StreamShape::file) m_plan.refusal = refusal_of(entry);
    if (m_plan.refusal) return;
    if (entry.type == EntryType::socket) {
      ++m_plan.sockets;
      return;
    }
    ++m_plan.figures.entries;
    StreamNote note{entry.user, entry.group, {}};
    if (entry.type == EntryType::hard_link) {
      note.link_path = entry.path;
      note.link_target = entry.link_target;
      m_plan.linked.insert(entry.link_target);
      return m_plan.notes.add(note);
    }
    m_plan.steps.add_entry(planned);
    if (entry.type == EntryType::file) add_content(entry, line, list, note);
    m_plan.notes.add(note);
  }

  // Why it cannot be the one file.
  std::optional<Error> refusal_of(const Entry& entry) const {
    const bool file = entry.type == EntryType::file || entry.type == EntryType::hard_link;
    const std::string path = quote(entry.path);
    if (!file) {
      return Error(ErrorKind::usage,
                   fmt::format("unable to write {} to standard output: it is {}", path, kind_of(entry.type)),
                   "--tar writes an archive; --path chooses one file");
    }
    // That it is a link to what was not chosen turns out at the end of the first reading.
    if (m_plan.figures.entries == 0) return std::nullopt;
    return Error(ErrorKind::usage, fmt::format("unable to write {} to standard output: it is not the only file", path),
                 "choose one with --path, or have them all as an archive with --tar");
  }

  void add_content(const Entry& entry, const EntryLine& line, EntryListReader& list, StreamNote& note) {
    RestoreFigures& figures = m_plan.figures;
    ++figures.files;
    figures.bytes = saturating_add(figures.bytes, entry.size);
    m_content.begin_file(entry);
    m_at = 0;
    std::optional<Error> unfit = damage_of([&] { add_extents(entry, line.extents); });
    // The damage concerns this file alone; or the list, which its next line tells.
    const auto torn = damage_of([&] {
      std::uint64_t end = 0;
      for (std::uint64_t i = 0; i < line.parts; ++i) {
        const EntryLine part = list.next_part();
        end = saturating_add(end, part.part_size);
        const auto damage = damage_of([&] {
          if (!unfit) add_extents(entry, part.extents);
          if (!unfit) check_part_length(entry.path, m_at, end);
        });
        if (!unfit) unfit = damage;
        m_content.end_part(part.part_size);
      }
    });
    if (!unfit) unfit = torn;
    if (!unfit) unfit = damage_of([&] { check_content_length(entry.path, m_at, entry.size); });
    figures.space = saturating_add(figures.space, m_content.end_file(unfit));
    note.data = m_plan.segments.end_file();
    note.damaged = unfit.has_value();
    if (unfit) m_plan.problems.push_back({entry.path, unfit->message()});
  }

  void add_extents(const Entry& entry, const std::vector<Extent>& extents) {
    for (const Extent& extent : extents) {
      if (extent.is_hole()) {
        m_at += length_of_hole(entry.path, extent.hole, entry.size - m_at);
      } else {
        const auto directory = m_packs.directory(extent.pack);
        const std::uint64_t length =
            length_of_chunks(entry.path, *directory, extent.first, extent.count, entry.size - m_at);
        m_plan.segments.add({m_at, length});
        m_at += length;
      }
      m_content.extent(extent);
    }
  }

  PathSelection& m_selection;
  PlannedPacks& m_packs;
  ContentPlanner& m_content;
  StreamShape m_shape;
  PreparedStream& m_plan;
  std::uint64_t m_at = 0;  // in the file
};

// Side by side, before they are asked for one after the other.
void fetch_all_directories(Repository& repository, const PlanningTools& tools, bool everything) {
  if (!tools.access.far || !everything) return;
  std::vector<PackRef> refs;
  std::copy_if(tools.packs.all().begin(), tools.packs.all().end(), std::back_inserter(refs),
               [](const PackRef& pack) { return pack.content == PackContent::files; });
  fetch_directories(repository, refs, tools.access);
}

fs::path spool_of(const RestoreRequest& request) {
  fs::path spool = request.spool;
  // Without one, what is small is kept in memory all the same.
  if (spool.empty()) any_failure_of([&] { spool = temporary_directory(); });
  return spool;
}

}  // namespace

void StreamNotes::add(const StreamNote& note) {
  Bytes record;
  for (const std::string* text : {&note.user, &note.group, &note.link_path, &note.link_target}) {
    put_u32(record, static_cast<std::uint32_t>(text->size()));
    append(record, as_bytes(*text));
  }
  put_u32(record, note.damaged ? 1 : 0);
  put_u64(record, note.data.first);
  put_u64(record, note.data.count);
  m_spool.write(record);
}

std::string StreamNotes::next_text() {
  std::array<std::uint8_t, 4> size{};
  m_spool.read(m_at, size);
  std::string text(get_u32(size.data()), '\0');
  m_spool.read(m_at + size.size(), {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  m_at += size.size() + text.size();
  return text;
}

std::optional<StreamNote> StreamNotes::next() {
  if (m_at == m_spool.size()) return std::nullopt;
  StreamNote note;
  for (std::string* text : {&note.user, &note.group, &note.link_path, &note.link_target}) *text = next_text();
  std::array<std::uint8_t, 4 + 8 + 8> rest{};
  m_spool.read(m_at, rest);
  m_at += rest.size();
  note.damaged = get_u32(rest.data()) != 0;
  note.data = {get_u64(rest.data() + 4), get_u64(rest.data() + 12)};
  return note;
}

PreparedStream prepare_stream(Context& context, const Manifest& manifest, const RestoreRequest& request,
                              StreamShape shape, const PlanningTools& tools) {
  PathSelection selection{request.choice()};
  const bool all = request.paths.empty() && request.literal_paths.empty();
  if (shape == StreamShape::file && all && !manifest.facts.single_file) {
    throw Error(ErrorKind::usage, "unable to write the snapshot to standard output: it is a directory",
                "--tar writes it as an archive; --path chooses one file of it");
  }
  StreamPacks packs{tools};
  const fs::path spool = spool_of(request);
  const auto survey = [&] {
    PreparedStream plan{{}, {}, RestoreSteps{spool}, StreamNotes{spool}, DataSegments{spool}, {}, {}, 0, {}, spool};
    PlanningOrder order{context.cpu};
    ContentPlanner content{packs, plan.fetch, plan.steps, k_stream_stripe, order};
    EntryListReader list{tools.lists, manifest};
    StreamSurvey{selection, packs, content, shape, plan}.run(list);
    order.finish();
    plan.figures.unreadable = content.take_unreadable();
    return plan;
  };
  const auto began = std::chrono::steady_clock::now();
  read_ahead_for_plan(context.repository, manifest, tools);
  fetch_all_directories(context.repository, tools, selection.everything());
  PreparedStream plan = survey();
  const auto surveyed = std::chrono::steady_clock::now() - began;
  while (selection.look_again()) plan = survey();
  selection.check_found();
  if (plan.refusal) throw Error(*plan.refusal);
  RestoreFigures& figures = plan.figures;
  figures.single_file = shape == StreamShape::file;
  figures.packs = plan.fetch.packs();
  figures.bytes_to_fetch = plan.fetch.bytes();
  figures.requests = plan.fetch.runs(held_ahead(k_read_ahead)).size();
  figures.estimate = estimate_restore(figures.bytes_to_fetch, tools.lists.statistics().bytes, surveyed);
  if (const auto warning = warning_of_grace(figures.estimate, request.grace)) context.reporter.warning(*warning);
  if (shape == StreamShape::file && figures.files == 0) {
    throw Error(ErrorKind::not_found, "unable to write to standard output: the snapshot has no such file");
  }
  return plan;
}

}  // namespace cairn
