#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/restore_lists.hpp"
#include "cli/restore_output.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/restore/restorer.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

// Below it not even an answer's header comes in the time after which a connection counts as dead.
constexpr std::uint64_t k_least_rate = k_kib;

class RestoreCommand : public Command {
 public:
  std::string name() const override { return "restore"; }
  std::string summary() const override { return "get a snapshot back"; }
  void declare(OptionSet& options) override {
    m_choice.declare(options);
    options.operand("TARGET", m_target, OptionSet::Required::yes,
                    "what becomes of the snapshot: a directory that is empty or not there, a file, or - for output");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.values("--path", "ENTRY", m_paths, "only this path of the snapshot and what is below it, at TARGET/ENTRY");
    m_lists.declare(options);
    options.flag("--plan", m_plan, "print what would be done, and do nothing");
    options.flag("--overwrite", m_overwrite, "replace what is at TARGET");
    options.flag("--swap", m_swap, "replace all of TARGET, a directory too, by one exchange");
    options.flag("--keep-old", m_keep_old,
                 "keep what is replaced, a file or with --swap a directory, as TARGET.before-ID");
    options.value("--limit-download", "RATE", m_limit_download,
                  "fetch at most so many bytes a second from the store, as 10MiB");
    options.flag("--no-check", m_no_check, "do not check restored databases before they take their place");
    options.flag("--tar", m_tar, "write a tar archive to standard output, TARGET -");
  }
  ExitStatus run(Session& session) override;

 private:
  SnapshotChoice m_choice;
  std::optional<std::string> m_target;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::vector<std::string> m_paths;
  RestoreLists m_lists;
  bool m_plan = false;
  bool m_overwrite = false;
  bool m_swap = false;
  bool m_keep_old = false;
  bool m_no_check = false;
  std::optional<std::string> m_limit_download;
  bool m_tar = false;
};

void begin_json(JsonWriter& to, const SnapshotInfo& snapshot, const fs::path& target) {
  to.member("id", snapshot.id.hex()).member("series", snapshot.record.series);
  to.member("cut_point", format_time(snapshot.record.cut_point));
  text_member(to, "target", target.native());
  to.member("signer", snapshot.signer);
}

void print_plan(Session& session, const SnapshotInfo& snapshot, const fs::path& target, const RestoreFigures& plan) {
  if (session.json()) {
    JsonWriter to = begin_document("restore");
    begin_json(to, snapshot, target);
    to.key("plan").begin_object().member("entries", plan.entries).member("files", plan.files);
    to.member("bytes", plan.bytes).member("bytes_to_fetch", plan.bytes_to_fetch).member("requests", plan.requests);
    to.member("packs", plan.packs).member("single_file", plan.single_file);
    to.key("estimate").begin_object();
    to.member("seconds", static_cast<std::uint64_t>(plan.estimate.duration.count()));
    to.member("bytes_per_second", plan.estimate.bytes_per_second).member("measured", plan.estimate.measured);
    to.end_object().key("unreadable").begin_array();
    for (const auto& pack : plan.unreadable) {
      to.begin_object().member("message", terminal_safe(pack.message)).member("files", pack.files).end_object();
    }
    to.end_array().end_object();
    session.print(std::move(to));
    return;
  }
  auto& out = session.out();
  out << fmt::format("would restore snapshot {} of {} to {}\n", short_id(snapshot.id), snapshot.record.series,
                     terminal_safe(target.native()));
  FieldList fields;
  fields.add("cut point", format_time_short(snapshot.record.cut_point));
  fields.add("write", fmt::format("{} in {}, {} in all", format_size(plan.bytes), counted(plan.files, "file", "files"),
                                  counted(plan.entries, "entry", "entries")));
  fields.add("fetch", fmt::format("{} of {} in {}", format_size(plan.bytes_to_fetch),
                                  counted(plan.packs, "pack", "packs"), counted(plan.requests, "request", "requests")));
  fields.add("time", fmt::format("about {} to fetch, at {}/s, {}", format_duration(plan.estimate.duration),
                                 format_size(plan.estimate.bytes_per_second),
                                 plan.estimate.measured ? "as measured while planning"
                                                        : "assumed: too little was fetched to measure it"));
  fields.print(out);
  out << "nothing was changed; leave out --plan to restore\n";
}

void print_result(Session& session, const SnapshotInfo& snapshot, const fs::path& target, const RestoreResult& result) {
  if (session.json()) {
    JsonWriter to = begin_document("restore");
    begin_json(to, snapshot, target);
    to.member("entries", result.entries).member("files", result.files).member("bytes_written", result.bytes_written);
    to.member("bytes_fetched", result.bytes_fetched).member("bytes_reused", result.bytes_reused);
    to.member("requests", result.requests).member("duration_ms", milliseconds(result.duration));
    if (!result.kept.empty()) text_member(to, "kept", result.kept.native());
    to.key("problems").begin_array();
    for (const auto& problem : result.problems) {
      to.begin_object();
      text_member(to, "path", problem.path);
      to.member("message", terminal_safe(problem.message)).end_object();
    }
    to.end_array();
    session.print(std::move(to));
    return;
  }
  session.say(fmt::format("restored snapshot {} of {}, cut at {}, to {}", short_id(snapshot.id), snapshot.record.series,
                          format_time_short(snapshot.record.cut_point), target.native()));
  session.say(fmt::format("  {}, {} written and verified, {} fetched in {}; {}",
                          counted(result.entries, "entry", "entries"), format_size(result.bytes_written),
                          format_size(result.bytes_fetched), counted(result.requests, "request", "requests"),
                          format_duration(result.duration)));
  if (!result.kept.empty()) session.say(fmt::format("  what was there before is {}", result.kept.native()));
}

std::string text_of(const UnreadablePack& pack) {
  if (pack.files == 0) return pack.message;
  return fmt::format("{}; {} it", pack.message, counted(pack.files, "file needs", "files need"));
}

// Whoever restores on a machine that trusts no key yet is to see whose word it is.
std::string signer_note(const SnapshotInfo& snapshot, const TrustPolicy& trust) {
  return fmt::format("snapshot {} is signed by {}{}", short_id(snapshot.id), *snapshot.signer,
                     trust.demands_signature() ? "" : ", which is not among keys to trust: there are none");
}

std::uint64_t rate_of(const std::string& text) {
  const auto rate = parse_size(text);
  if (rate && *rate >= k_least_rate) return *rate;
  throw Error(ErrorKind::usage, fmt::format("invalid --limit-download {}", quote_given(text)),
              "a number of bytes a second from 1KiB on, as 500k or 10MiB");
}

ExitStatus RestoreCommand::run(Session& session) {
  if (m_target->empty()) throw Error(ErrorKind::usage, "TARGET is empty");
  if (m_limit_download) session.limit_downloads(rate_of(*m_limit_download));
  const bool to_output = is_standard_output(*m_target);
  check_output_options(session, *m_target,
                       {.tar = m_tar,
                        .plan = m_plan,
                        .of_files = {{"--overwrite", m_overwrite}, {"--swap", m_swap}, {"--keep-old", m_keep_old}}});
  m_lists.check(to_output && m_tar);
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  const auto [snapshot, manifest] = session.find(store, m_choice);
  if (is_sealed(manifest.seal)) store.repository->keys().load_identities();
  if (manifest.record.doubt != Doubt::none) {
    session.reporter().warning(
        fmt::format("snapshot {} is in doubt: {}", short_id(snapshot.id), doubt_text(manifest.record.doubt)));
  }
  Context context = session.context(store);
  const RestoreRequest request{.target = *m_target,
                               .paths = m_paths,
                               .overwrite = m_overwrite,
                               .swap = m_swap,
                               .keep_old = m_keep_old,
                               .check = !m_no_check,
                               .spool = session.config().spool.dir.value_or(fs::path{}),
                               .literal_paths = m_lists.read_paths(session.io()),
                               .excludes = m_lists.excludes(),
                               .owners = m_lists.owners()};
  const StreamShape shape = m_tar ? StreamShape::tar : StreamShape::file;
  if (m_plan) {
    const RestoreFigures plan =
        to_output ? plan_stream(context, manifest, request, shape) : plan_restore(context, manifest, request).figures;
    session.reporter().clear_progress();
    for (const auto& pack : plan.unreadable) session.reporter().warning(text_of(pack));
    print_plan(session, snapshot, to_output && !session.json() ? "standard output" : request.target, plan);
    return plan.unreadable.empty() ? ExitStatus::done : ExitStatus::damaged;
  }
  const bool unread = manifest.facts.stats.errors != 0 || manifest.record.doubt == Doubt::none;
  if (manifest.record.incomplete && unread) {
    session.reporter().warning(fmt::format("snapshot {} is incomplete: {} could not be read when it was taken",
                                           short_id(snapshot.id),
                                           counted(manifest.facts.stats.errors, "path", "paths")));
  }
  if (snapshot.signer && !to_output) session.say(signer_note(snapshot, store.repository->trust()));
  if (to_output) {
    if (snapshot.signer) session.reporter().info(signer_note(snapshot, store.repository->trust()));
    return restore_to_output(session, context, manifest, request, shape);
  }
  const RestoreResult result = restore(context, manifest, request);
  session.reporter().clear_progress();
  session.note_change(
      fmt::format("snapshot {} was restored to {}", short_id(snapshot.id), quote(request.target.native())));
  print_problems(session, result.problems);
  print_result(session, snapshot, request.target, result);
  return print_left_out(session, result.problems, quote(request.target.native()));
}

}  // namespace

std::unique_ptr<Command> make_restore_command() {
  return std::make_unique<RestoreCommand>();
}

}  // namespace cairn
