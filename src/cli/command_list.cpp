#include "cli/commands.hpp"
#include "cli/drill_text.hpp"
#include "cli/file_listing.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_text.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace cairn {

namespace {

class ListCommand : public Command {
 public:
  std::string name() const override { return "list"; }
  std::string summary() const override { return "list the snapshots of a store, or the files of one"; }
  void declare(OptionSet& options) override {
    options.operand("REF", m_reference, OptionSet::Required::no, "with --files: the snapshot to look into");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.flag("--files", m_files, "list what is in the snapshot REF");
    options.value("--series", "NAME", m_series, "snapshots of this series only");
    options.values("--tag", "KEY=VALUE", m_tags, "snapshots with this tag only; several: with all of them");
  }
  ExitStatus run(Session& session) override;

 private:
  std::optional<std::string> m_reference;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_series;
  bool m_files = false;
  std::vector<std::string> m_tags;
};

std::string notes_of(const SnapshotInfo& snapshot, Ahead ahead, const std::string& proof) {
  std::string out;
  const auto add = [&](const std::string& note) { out += out.empty() ? note : ", " + note; };
  if (snapshot.pinned) add("pinned");
  if (snapshot.record.doubt != Doubt::none) {
    add(fmt::format("in doubt: {}", doubt_name(snapshot.record.doubt)));
  } else if (snapshot.record.incomplete) {
    add("incomplete");
  }
  if (ahead != Ahead::no) add("future-dated");
  if (snapshot.closed) add("sealed");
  if (!snapshot.trusted) add("NOT TRUSTED");
  if (!proof.empty()) add(proof);
  return out;
}

// proof_of: what drills say of a snapshot.
void print_table(std::ostream& to, const std::vector<SnapshotInfo>& snapshots, DatedAhead& dated_ahead,
                 const std::function<std::string(const Digest& id)>& proof_of) {
  using Align = Table::Align;
  Table table{{{"ID"},
               {"SERIES"},
               {"CUT POINT"},
               {"HOST"},
               {"SIZE", Align::right},
               {"NEW", Align::right},
               {"TAGS"},
               {"SIGNER"},
               {"NOTE"}}};
  for (const auto& snapshot : snapshots) {
    const Record& record = snapshot.record;
    const Facts& facts = snapshot.facts;
    const bool open = !snapshot.closed;
    table.add({short_id(snapshot.id), record.series, format_time_short(record.cut_point), facts.host,
               open ? format_size(facts.stats.bytes) : "", open ? format_size(facts.stats.stored_bytes) : "",
               tags_text(facts.tags), signer_text(snapshot.signer),
               notes_of(snapshot, dated_ahead(record.cut_point, first_stored(snapshot)), proof_of(snapshot.id))});
  }
  table.print(to);
}

ExitStatus ListCommand::run(Session& session) {
  const auto wanted = parse_tags(m_tags);
  if (m_reference.has_value() != m_files) {
    throw Error(ErrorKind::usage, "REF and --files go together",
                "to list what is in a snapshot: cairn list REF --files");
  }
  if (m_files && !wanted.empty()) throw Error(ErrorKind::usage, "--tag does not go with --files");
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  if (m_files) {
    print_files(session, store, session.find(store, {m_reference, m_series}).manifest);
    return ExitStatus::done;
  }
  auto snapshots = store.repository->manifests().list_snapshots(m_series.value_or(""));
  if (m_series && snapshots.empty()) throw no_such_series(store, *m_series);
  snapshots.erase(std::remove_if(snapshots.begin(), snapshots.end(),
                                 [&](const SnapshotInfo& each) { return !has_tags(each.facts.tags, wanted); }),
                  snapshots.end());
  DatedAhead dated_ahead{*store.store, session.io().clock()};
  const NewestDrills drills = snapshots.empty() ? NewestDrills{} : shown_drills(session, store, m_series.value_or(""));
  if (session.json()) {
    JsonWriter to = begin_document("list");
    to.key("snapshots").begin_array();
    for (const auto& snapshot : snapshots) {
      to.begin_object();
      write_snapshot_members(to, snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot)));
      write_proof(to, store, drills, snapshot.id);
      to.end_object();
    }
    to.end_array();
    session.print(std::move(to));
  } else if (snapshots.empty()) {
    session.reporter().info("no snapshots");
  } else {
    print_table(session.out(), snapshots, dated_ahead,
                [&](const Digest& id) { return proof_text(session, store, drills, id); });
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_list_command() {
  return std::make_unique<ListCommand>();
}

}  // namespace cairn
