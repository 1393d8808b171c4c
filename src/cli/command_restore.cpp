#include "cli/commands.hpp"
#include "cli/fallback_stores.hpp"
#include "cli/output.hpp"
#include "cli/previous_snapshots.hpp"
#include "cli/restore_follow.hpp"
#include "cli/restore_hooks.hpp"
#include "cli/restore_lists.hpp"
#include "cli/restore_live.hpp"
#include "cli/restore_output.hpp"
#include "cli/run_text.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/restore/restorer.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <utility>

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
    options.flag("--in-place", m_in_place,
                 "make what is at TARGET equal to the snapshot: only what differs is fetched");
    options.flag("--delete", m_delete, "with --in-place: remove what the snapshot does not have");
    options.values("--seed", "PATH", m_seeds, "use what a file or tree has of the content, instead of fetching it");
    options.values("--from", "STORE", m_from,
                   "read from there what the store has lost; else from where it is pushed to");
    options.flag("--discard", m_discard, "begin anew: use nothing that an interrupted restore left, and remove it");
    options.flag("--swap", m_swap, "replace all of TARGET, a directory too, by one exchange");
    options.flag("--keep-old", m_keep_old,
                 "keep what is replaced, a file or with --swap a directory, as TARGET.before-ID");
    options.value("--limit-download", "RATE", m_limit_download,
                  "fetch at most so many bytes a second from the store, as 10MiB");
    options.flag("--no-check", m_no_check, "do not check restored databases before they take their place");
    options.flag("--tar", m_tar, "write a tar archive to standard output, TARGET -");
    options.flag("--live", m_live, "into the database at TARGET while others use it, as one transaction of SQLite's");
    m_fallback.declare(options);
    m_follow.declare(options);
    options.flag("--no-hooks", m_hooks.none, "run none of the programs that the configuration has for restores");
    options.values(std::string{k_exec_option}, "COMMAND", m_hooks.exec,
                   "run it when all went well; last: what follows are its arguments");
  }
  std::vector<std::string>* trailing_command() override { return &m_hooks.exec; }
  std::string_view trailing_marker() const override { return k_exec_option; }
  ExitStatus run(Session& session) override;

 private:
  void check_options(Session& session) const;
  // paths: of --files-from. previous: null without --fallback.
  ExitStatus restore_one(Session& session, OpenStore& store, const ChosenSnapshot& chosen,
                         const std::vector<std::string>& paths, const PreviousSnapshots* previous);
  SnapshotChoice m_choice;
  std::optional<std::string> m_target;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::vector<std::string> m_paths;
  RestoreLists m_lists;
  bool m_plan = false;
  bool m_overwrite = false;
  bool m_in_place = false;
  bool m_delete = false;
  bool m_discard = false;
  std::vector<std::string> m_seeds;
  std::vector<std::string> m_from;
  bool m_swap = false;
  bool m_keep_old = false;
  bool m_no_check = false;
  std::optional<std::string> m_limit_download;
  bool m_tar = false;
  bool m_live = false;
  FallbackChoice m_fallback;
  RestoreHookOptions m_hooks;
  FollowOptions m_follow;
};

void begin_json(JsonWriter& to, const SnapshotInfo& snapshot, const fs::path& target) {
  to.member("id", snapshot.id.hex()).member("series", snapshot.record.series);
  to.member("cut_point", format_time(snapshot.record.cut_point));
  text_member(to, "target", target.native());
  to.member("signer", snapshot.signer);
}

const char* name_of(EntryAction action) {
  switch (action) {
    case EntryAction::create:
      return "create";
    case EntryAction::change:
      return "change";
    case EntryAction::metadata:
      return "metadata";
    case EntryAction::keep:
      break;
  }
  return "keep";
}

// Every path with what becomes of it, as it is read back: there may be millions.
void print_entries(Session& session, RestoreSteps& steps) {
  auto& out = session.out();
  const char* separator = "";
  const auto print = [&](const std::string& path, const char* action) {
    JsonWriter one;
    one.begin_object();
    text_member(one, "path", path);
    one.member("action", action).end_object();
    out << std::exchange(separator, ",") << one.text();
    session.check_output();
  };
  steps.rewind();
  while (const auto planned = steps.next_entry()) print(planned->entry.path, name_of(planned->action));
  while (const auto removal = steps.next_removal()) print(removal->path, "delete");
}

void print_removals(Session& session, RestoreSteps& steps) {
  steps.rewind();
  while (const auto removal = steps.next_removal()) {
    session.out() << "  delete " << terminal_safe(removal->path) << (removal->directory ? "/\n" : "\n");
    session.check_output();
  }
}

std::string text_of(const UnreadablePack& pack) {
  if (pack.files == 0) return pack.message;
  return fmt::format("{}; {} it", pack.message, counted(pack.files, "file needs", "files need"));
}

void print_plan_json(Session& session, const SnapshotInfo& snapshot, const fs::path& target, const RestoreFigures& plan,
                     RestoreSteps* steps, const PreviousSnapshots* previous) {
  JsonWriter to = begin_document("restore");
  begin_json(to, snapshot, target);
  if (previous != nullptr) previous->write(to);
  to.key("plan").begin_object().member("entries", plan.entries).member("files", plan.files);
  to.member("create", plan.to_create).member("change", plan.to_change).member("metadata", plan.metadata_only);
  to.member("keep", plan.to_keep).member("delete", plan.to_remove);
  to.member("bytes", plan.bytes).member("bytes_to_fetch", plan.bytes_to_fetch);
  to.member("bytes_to_reuse", plan.bytes_to_reuse).member("requests", plan.requests);
  to.member("packs", plan.packs).member("single_file", plan.single_file);
  to.key("estimate").begin_object();
  to.member("seconds", static_cast<std::uint64_t>(plan.estimate.duration.count()));
  to.member("bytes_per_second", plan.estimate.bytes_per_second).member("measured", plan.estimate.measured);
  to.end_object().key("unreadable").begin_array();
  for (const auto& pack : plan.unreadable) {
    to.begin_object().member("message", terminal_safe(pack.message)).member("files", pack.files).end_object();
  }
  to.end_array();
  if (!plan.left.empty()) text_member(to, "staging", plan.left);
  if (plan.live) write_live_estimate(to, *plan.live);
  to.end_object().key("entries").begin_array();
  session.reporter().clear_progress();
  session.out() << to.text();
  if (steps != nullptr) print_entries(session, *steps);
  session.out() << "]}\n";
}

void print_plan_text(Session& session, const SnapshotInfo& snapshot, const fs::path& target, const RestoreFigures& plan,
                     RestoreSteps* steps) {
  auto& out = session.out();
  out << fmt::format("would restore snapshot {} of {} to {}\n", short_id(snapshot.id), snapshot.record.series,
                     terminal_safe(target.native()));
  FieldList fields;
  fields.add("cut point", format_time_short(snapshot.record.cut_point));
  fields.add("write", fmt::format("{} in {}, {} in all", format_size(plan.bytes), counted(plan.files, "file", "files"),
                                  counted(plan.entries, "entry", "entries")));
  if (plan.in_place) {
    fields.add("entries",
               fmt::format("{} to create, {} to change, {} to get other metadata, {} to keep, {} to delete",
                           plan.to_create, plan.to_change, plan.metadata_only, plan.to_keep, plan.to_remove));
  }
  fields.add("fetch", fmt::format("{} of {} in {}", format_size(plan.bytes_to_fetch),
                                  counted(plan.packs, "pack", "packs"), counted(plan.requests, "request", "requests")));
  if (plan.bytes_to_reuse != 0) {
    fields.add("reuse", fmt::format("{} that are here already", format_size(plan.bytes_to_reuse)));
  }
  fields.add("time", fmt::format("about {} to fetch, at {}/s, {}", format_duration(plan.estimate.duration),
                                 format_size(plan.estimate.bytes_per_second),
                                 plan.estimate.measured ? "as measured while planning"
                                                        : "assumed: too little was fetched to measure it"));
  if (plan.live) add_live_estimate(fields, *plan.live);
  if (!plan.left.empty()) {
    fields.add("staging", fmt::format("{}, left by an interrupted restore: --discard drops it", plan.left));
  }
  fields.print(out);
  if (steps != nullptr) print_removals(session, *steps);
  out << "nothing was changed; leave out --plan to restore\n";
}

// steps: null where the restore is to standard output. Returns the status that the restore would have.
ExitStatus print_plan(Session& session, const SnapshotInfo& snapshot, const fs::path& target,
                      const RestoreFigures& plan, RestoreSteps* steps, const PreviousSnapshots* previous) {
  session.reporter().clear_progress();
  for (const auto& pack : plan.unreadable) session.reporter().warning(text_of(pack));
  if (previous != nullptr) previous->warn(snapshot, "would be restored");
  if (session.json()) {
    print_plan_json(session, snapshot, target, plan, steps, previous);
  } else {
    print_plan_text(session, snapshot, target, plan, steps);
  }
  const bool another = previous != nullptr && previous->is_another();
  return plan.unreadable.empty() && !another ? ExitStatus::done : ExitStatus::damaged;
}

void print_result_json(Session& session, const SnapshotInfo& snapshot, const fs::path& target,
                       const RestoreResult& result, const FallbackStores& others, const PreviousSnapshots* previous,
                       const RestoreHooks& hooks) {
  JsonWriter to = begin_document("restore");
  begin_json(to, snapshot, target);
  to.member("entries", result.entries).member("files", result.files).member("bytes_written", result.bytes_written);
  to.member("bytes_fetched", result.bytes_fetched).member("bytes_reused", result.bytes_reused);
  to.member("deleted", result.removed);
  to.member("requests", result.requests).member("duration_ms", milliseconds(result.duration));
  if (!result.kept.empty()) text_member(to, "kept", result.kept.native());
  if (result.live) write_live(to, *result.live);
  others.write(to);
  if (previous != nullptr) previous->write(to);
  to.key("problems").begin_array();
  for (const auto& problem : result.problems) {
    to.begin_object();
    text_member(to, "path", problem.path);
    to.member("message", terminal_safe(problem.message)).end_object();
  }
  to.end_array();
  if (!hooks.failures().empty()) write_hook_failures(to, hooks.failures());
  session.print(std::move(to));
}

void print_result(Session& session, const SnapshotInfo& snapshot, const fs::path& target, const RestoreResult& result) {
  session.say(fmt::format("restored snapshot {} of {}, cut at {}, to {}", short_id(snapshot.id), snapshot.record.series,
                          format_time_short(snapshot.record.cut_point), target.native()));
  session.say(fmt::format("  {}, {} written and verified, {} fetched in {}; {}",
                          counted(result.entries, "entry", "entries"), format_size(result.bytes_written),
                          format_size(result.bytes_fetched), counted(result.requests, "request", "requests"),
                          format_duration(result.duration)));
  if (result.bytes_reused != 0 || result.removed != 0) {
    session.say(fmt::format("  {} were here already, {} deleted", format_size(result.bytes_reused),
                            counted(result.removed, "name was", "names were")));
  }
  if (result.live) session.say(live_text(*result.live));
  if (!result.kept.empty()) session.say(fmt::format("  what was there before is {}", result.kept.native()));
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

void RestoreCommand::check_options(Session& session) const {
  const bool to_output = is_standard_output(*m_target);
  check_output_options(session, *m_target,
                       {.tar = m_tar,
                        .plan = m_plan,
                        .of_files = {{k_exec_option.data(), !m_hooks.exec.empty()},
                                     {"--follow", m_follow.follow},
                                     {"--overwrite", m_overwrite},
                                     {"--swap", m_swap},
                                     {"--keep-old", m_keep_old},
                                     {"--in-place", m_in_place},
                                     {"--delete", m_delete},
                                     {"--seed", !m_seeds.empty()},
                                     {"--live", m_live},
                                     {"--fallback previous", m_fallback.is_wanted()},
                                     {"--discard", m_discard}}});
  m_lists.check(to_output && m_tar);
  if (m_overwrite && m_in_place) throw Error(ErrorKind::usage, "--overwrite and --in-place exclude each other");
  if (m_swap && m_in_place) throw Error(ErrorKind::usage, "--swap and --in-place exclude each other");
  if (m_delete && !m_in_place) throw Error(ErrorKind::usage, "--delete needs --in-place");
  m_follow.check({{"--path", !m_paths.empty()},
                  {"a choice of paths", m_lists.chooses()},
                  {"--plan", m_plan},
                  {"--overwrite", m_overwrite},
                  {"--in-place", m_in_place},
                  {"--swap", m_swap},
                  {"--keep-old", m_keep_old},
                  {"--live", m_live},
                  {"--fallback previous", m_fallback.is_wanted()},
                  {"--discard", m_discard}});
  if (m_live) {
    check_live_options(
        {{"--overwrite", m_overwrite}, {"--in-place", m_in_place}, {"--swap", m_swap}, {"--keep-old", m_keep_old}});
  }
}

ExitStatus RestoreCommand::run(Session& session) {
  if (m_target->empty()) throw Error(ErrorKind::usage, "TARGET is empty");
  if (m_limit_download) session.limit_downloads(rate_of(*m_limit_download));
  check_options(session);
  if (m_follow.follow) {
    return follow(session, m_follow,
                  {m_choice,
                   m_store,
                   m_keys,
                   m_from,
                   m_hooks,
                   {.target = *m_target,
                    .check = !m_no_check,
                    .seeds = {m_seeds.begin(), m_seeds.end()},
                    .spool = session.config().spool.dir.value_or(fs::path{}),
                    .owners = m_lists.owners()}});
  }
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  if (!m_fallback.is_wanted()) {
    const ChosenSnapshot chosen = session.find(store, m_choice);
    return restore_one(session, store, chosen, m_lists.read_paths(session.io()), nullptr);
  }
  PreviousSnapshots previous{session, store};
  ChosenSnapshot chosen = previous.first(m_choice);
  const std::vector<std::string> paths = m_lists.read_paths(session.io());
  while (true) {
    try {
      return restore_one(session, store, chosen, paths, &previous);
    } catch (const Error& e) {
      if (!previous.is_reason(e)) throw;
      chosen = previous.next(chosen, e);
    }
  }
}

ExitStatus RestoreCommand::restore_one(Session& session, OpenStore& store, const ChosenSnapshot& chosen,
                                       const std::vector<std::string>& paths, const PreviousSnapshots* previous) {
  const SnapshotInfo& snapshot = chosen.info;
  const Manifest& manifest = chosen.manifest;
  const bool to_output = is_standard_output(*m_target);
  if (is_sealed(manifest.seal)) store.repository->keys().load_identities();
  if (manifest.record.doubt != Doubt::none) {
    session.reporter().warning(
        fmt::format("snapshot {} is in doubt: {}", short_id(snapshot.id), doubt_text(manifest.record.doubt)));
  }
  Context context = session.context(store);
  FallbackStores others{session, *store.repository, session.store_name(m_store), m_from, snapshot, m_keys};
  const RestoreRequest request{.target = *m_target,
                               .paths = m_paths,
                               .overwrite = m_overwrite,
                               .swap = m_swap,
                               .keep_old = m_keep_old,
                               .check = !m_no_check,
                               .live = m_live,
                               .whole = previous != nullptr,
                               .in_place = m_in_place,
                               .remove = m_delete,
                               .discard = m_discard,
                               .seeds = {m_seeds.begin(), m_seeds.end()},
                               .spool = session.config().spool.dir.value_or(fs::path{}),
                               .literal_paths = paths,
                               .excludes = m_lists.excludes(),
                               .owners = m_lists.owners(),
                               .fallback = others.packs()};
  const bool unread = manifest.facts.stats.errors != 0 || manifest.record.doubt == Doubt::none;
  if (manifest.record.incomplete && unread && (m_delete || !m_plan)) {
    session.reporter().warning(fmt::format("snapshot {} is incomplete: {} could not be read when it was taken{}",
                                           short_id(snapshot.id), counted(manifest.facts.stats.errors, "path", "paths"),
                                           m_delete ? ", and --delete removes what the target has of them" : ""));
  }
  const StreamShape shape = m_tar ? StreamShape::tar : StreamShape::file;
  if (m_plan && to_output) {
    const RestoreFigures plan = plan_stream(context, manifest, request, shape);
    return print_plan(session, snapshot, session.json() ? request.target : "standard output", plan, nullptr, nullptr);
  }
  if (m_plan) {
    PreparedRestore plan = plan_restore(context, manifest, request);
    others.tell(session.reporter());
    return print_plan(session, snapshot, request.target, plan.figures, &plan.steps, previous);
  }
  if (snapshot.signer && !to_output) session.say(signer_note(snapshot, store.repository->trust()));
  if (to_output) {
    if (snapshot.signer) session.reporter().info(signer_note(snapshot, store.repository->trust()));
    const ExitStatus status = restore_to_output(session, context, manifest, request, shape);
    others.tell(session.reporter());
    return status;
  }
  RestoreHooks hooks{session, snapshot, session.store_name(m_store), request.target, m_hooks};
  hooks.begin();
  RestoreResult result;
  try {
    result = restore(context, manifest, request);
  } catch (...) {
    hooks.fail(std::current_exception());
    throw;
  }
  session.reporter().clear_progress();
  session.note_change(
      fmt::format("snapshot {} was restored to {}", short_id(snapshot.id), quote(request.target.native())));
  print_problems(session, result.problems);
  others.tell(session.reporter());
  if (previous != nullptr) previous->warn(snapshot, "was restored");
  print_result(session, snapshot, request.target, result);
  ExitStatus status = print_left_out(session, result.problems, quote(request.target.native()));
  if (previous != nullptr && previous->is_another()) status = gravest(status, ExitStatus::damaged);
  status = hooks.end(status);
  if (session.json()) print_result_json(session, snapshot, request.target, result, others, previous, hooks);
  return status;
}

}  // namespace

std::unique_ptr<Command> make_restore_command() {
  return std::make_unique<RestoreCommand>();
}

}  // namespace cairn
