#include "cli/commands.hpp"
#include "cli/drill_text.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/inside/looker.hpp"
#include "engine/inside/page_feed.hpp"
#include "repo/layout.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

// Of a file whose content is printed: what is read at once, what is on its way, and what is kept of it.
constexpr std::uint64_t k_least = 64 * k_kib;
constexpr std::uint64_t k_most = k_mib;
constexpr std::uint64_t k_ahead = 32 * k_mib;
constexpr std::uint64_t k_kept = 96 * k_mib;

class ShowCommand : public Command {
 public:
  std::string name() const override { return "show"; }
  std::string summary() const override { return "print everything about one snapshot"; }
  void declare(OptionSet& options) override {
    m_choice.declare(options);
    declare_store(options, m_store);
    m_keys.declare(options);
    options.flag("--content", m_content, "print what a file of the snapshot holds, and nothing else");
    options.value("--path", "ENTRY", m_path, "with --content: the file, where the snapshot is a directory");
  }
  ExitStatus run(Session& session) override;

 private:
  ExitStatus print_content(Session& session) const;

  SnapshotChoice m_choice;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  bool m_content = false;
  std::optional<std::string> m_path;
};

std::uint64_t total_size(const Manifest& manifest) {
  std::uint64_t sum = 0;
  for (const auto& pack : manifest.packs) sum += pack.size;
  return sum;
}

std::string value_text(const Json& value) {
  if (value.is_string()) return value.string();
  if (value.is_boolean()) return value.boolean() ? "yes" : "no";
  if (value.is_null() || value.is_array() || value.is_object()) return "...";
  return fmt::format("{}", value.number());
}

// "page_size 4096, encoding UTF-8", from the members that the source noted.
std::string content_text(const std::string& members) {
  std::string out;
  const Json content = Json::parse("{" + members + "}");
  for (const auto& [name, value] : content.object()) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value_text(value));
  }
  return out;
}

// The signer, and whether the signature counts.
std::string signer_line(const SnapshotInfo& snapshot) {
  if (!snapshot.signer) return "none";
  return fmt::format("{} ({}){}", *snapshot.signer, signer_text(snapshot.signer),
                     snapshot.trusted ? "" : ", NOT TRUSTED");
}

void add_private(FieldList& fields, const Facts& facts, bool incomplete) {
  const SnapshotStats& stats = facts.stats;
  fields.add("started", format_time(facts.started));
  fields.add("host", facts.host);
  fields.add("source", fmt::format("{} {}", facts.kind, facts.source));
  fields.add("content", fmt::format("{}, {} in {}", counted(stats.entries, "entry", "entries"),
                                    format_size(stats.bytes), counted(stats.files, "file", "files")));
  if (!facts.content.empty()) fields.add("facts", content_text(facts.content));
  fields.add("new", fmt::format("{}, stored as {} in {}", format_size(stats.new_bytes), format_size(stats.stored_bytes),
                                counted(stats.packs_written, "pack", "packs")));
  if (incomplete && stats.errors != 0)
    fields.add("errors", fmt::format("{} could not be read", counted(stats.errors, "path", "paths")));
  fields.add("tags", facts.tags.empty() ? "none" : tags_text(facts.tags));
}

std::string cut_point_text(Time cut_point, Ahead ahead) {
  return format_time(cut_point) + (ahead == Ahead::no ? "" : ", future-dated: a clock was ahead");
}

std::string complete_text(const Record& record) {
  if (record.doubt != Doubt::none) return fmt::format("in doubt: {}", doubt_text(record.doubt));
  return record.incomplete ? "no" : "yes";
}

void print_for_people(std::ostream& to, const SnapshotInfo& snapshot, const Manifest& manifest, Ahead ahead,
                      const std::string& proof) {
  const Record& record = manifest.record;
  to << "snapshot " << manifest.id.hex() << '\n';
  FieldList fields;
  fields.add("series", fmt::format("{}, number {}", record.series, record.sequence));
  fields.add("previous", record.previous ? record.previous->hex() : "none");
  fields.add("cut point", cut_point_text(record.cut_point, ahead));
  if (!manifest.closed) add_private(fields, manifest.facts, record.incomplete);
  fields.add("complete", complete_text(record));
  fields.add("pinned", snapshot.pinned ? "yes" : "no");
  fields.add("drill", proof.empty() ? "none" : proof);
  fields.add("seal", manifest.closed ? fmt::format("{}, which no key at hand opens", manifest.seal) : manifest.seal);
  fields.add("signer", signer_line(snapshot));
  const std::string line = signed_line(record, manifest.id);
  fields.add("signed line", line.substr(0, line.size() - 1));
  fields.add("manifest", snapshot.object.key);
  fields.add("stored at", format_time(snapshot.object.stored_at));
  fields.add("needs",
             fmt::format("{}, {}", counted(manifest.packs.size(), "pack", "packs"), format_size(total_size(manifest))));
  fields.print(to);
  if (manifest.packs.empty()) return;
  to << '\n';
  Table table{{{"PACK"}, {"SIZE", Table::Align::right}}};
  for (const auto& pack : manifest.packs) table.add({layout::pack_key(pack.name), format_size(pack.size)});
  table.print(to);
}

void write_packs(JsonWriter& to, const Manifest& manifest) {
  to.key("packs").begin_array();
  for (const auto& pack : manifest.packs) {
    to.begin_object().member("object", layout::pack_key(pack.name)).member("size", pack.size);
    to.key("logical_id");
    manifest.closed ? to.null() : to.value(pack.logical_id.hex());
    to.member("seal", pack.seal).end_object();
  }
  to.end_array();
}

// Found by seeks into the list of entries: however large the snapshot is, little is read but the file.
ExitStatus ShowCommand::print_content(Session& session) const {
  if (session.json()) {
    throw Error(ErrorKind::usage, "--json does not go together with --content: the content goes to standard output",
                "the exit status tells whether all of it was written");
  }
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  const Manifest manifest = session.find(store, m_choice).manifest;
  Context context = session.context(store);
  const Manifest* const all[] = {&manifest};
  Looker looker{context, all, k_kept};
  const InsideFile file = looker.open(manifest, m_path);
  PageFeed feed{*file.reader, k_ahead};
  session.reporter().clear_progress();
  for (std::uint64_t at = 0; at < file.reader->size();) {
    const Bytes bytes = feed.read(at, k_least, k_most);
    at += bytes.size();
    session.out().write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    session.check_output();
  }
  return ExitStatus::done;
}

ExitStatus ShowCommand::run(Session& session) {
  if (m_content) return print_content(session);
  if (m_path) throw Error(ErrorKind::usage, "--path is for --content");
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  auto [snapshot, manifest] = session.find(store, m_choice);
  snapshot.pinned =
      store.repository->notes().pins(NoteStore::Listed::once, manifest.id).pinned(manifest.id, manifest.record.series);
  const Ahead ahead = DatedAhead{*store.store, session.io().clock()}(manifest.record.cut_point, first_stored(snapshot));
  const NewestDrills drills = shown_drills(session, store, manifest.record.series);
  if (!session.json()) {
    print_for_people(session.out(), snapshot, manifest, ahead, proof_text(session, store, drills, manifest.id));
    return ExitStatus::done;
  }
  JsonWriter to = begin_document("show");
  write_snapshot_members(to, snapshot, ahead);
  write_proof(to, store, drills, manifest.id);
  to.member("sequence", manifest.record.sequence).key("previous");
  manifest.record.previous ? to.value(manifest.record.previous->hex()) : to.null();
  if (manifest.closed) {
    for (const char* name : {"started", "packs_written", "errors", "content"}) to.key(name).null();
  } else {
    to.member("started", format_time(manifest.facts.started));
    to.member("packs_written", manifest.facts.stats.packs_written).member("errors", manifest.facts.stats.errors);
    to.key("content").raw("{" + manifest.facts.content + "}");
  }
  to.member("seal", manifest.seal).member("signed_line", signed_line(manifest.record, manifest.id));
  to.key("signatures").begin_array();
  for (const auto& signature : manifest.signatures) {
    to.begin_object().member("key", signature.key).member("minisig", signature.minisig).end_object();
  }
  to.end_array();
  to.member("manifest", snapshot.object.key).member("stored_at", format_time(snapshot.object.stored_at));
  to.member("packs_bytes", total_size(manifest));
  write_packs(to, manifest);
  session.print(std::move(to));
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_show_command() {
  return std::make_unique<ShowCommand>();
}

}  // namespace cairn
