#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "engine/push/repairer.hpp"
#include "engine/verify/list_signer.hpp"
#include "engine/verify/verifier.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <chrono>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_named_packs = 5;

class VerifyCommand : public Command {
 public:
  std::string name() const override { return "verify"; }
  std::string summary() const override { return "check that snapshots would restore"; }
  void declare(OptionSet& options) override {
    options.operands("REF", m_references, OptionSet::Required::no, "the snapshots to check; without: all of them");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--series", "NAME", m_series, "of this series; with REF latest its newest snapshot");
    options.value(
        "--level", "quick|sample|full", m_level,
        "quick (the default): packs are there with their size; sample: and a rotating share is read; full: and "
        "every byte");
    options.value("--repair-from", "STORE", m_repair_from,
                  "take what is damaged or missing from this other store, where it is whole");
    options.flag("--condemn", m_condemn,
                 "have snapshots to come store again what is damaged, where the source still has it");
    options.flag("--sign-packs", m_sign_packs,
                 "read everything, then sign which packs the snapshots need, where no trusted key has");
  }
  ExitStatus run(Session& session) override;

 private:
  bool repairs() const noexcept { return m_condemn || m_repair_from.has_value(); }
  SignListsResult sign_packs(Session& session, Context& context, const VerifyRequest& request,
                             const VerifyResult& found) const;
  RepairResult repair_damage(Session& session, Context& context, const VerifyResult& found);
  VerifyLevel level() const;
  std::vector<ManifestInfo> choose(Session& session, OpenStore& store, std::vector<VerifyProblem>& problems) const;

  std::vector<std::string> m_references;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_series;
  std::optional<std::string> m_level;
  std::optional<std::string> m_repair_from;
  bool m_condemn = false;
  bool m_sign_packs = false;
};

VerifyLevel VerifyCommand::level() const {
  if (!m_level) return m_sign_packs ? VerifyLevel::full : VerifyLevel::quick;
  if (m_sign_packs && *m_level != verify_level_name(VerifyLevel::full)) {
    throw Error(ErrorKind::usage, fmt::format("--sign-packs reads everything, and level {} does not", quote(*m_level)),
                "leave --level out, or give --level full");
  }
  for (const auto level : {VerifyLevel::quick, VerifyLevel::sample, VerifyLevel::full}) {
    if (*m_level == verify_level_name(level)) return level;
  }
  throw Error(ErrorKind::usage, fmt::format("unknown level {}", quote_given(*m_level)),
              "one of quick, sample and full");
}

std::vector<ManifestInfo> VerifyCommand::choose(Session& session, OpenStore& store,
                                                std::vector<VerifyProblem>& problems) const {
  std::vector<std::string> unknown;
  auto all = store.repository->manifests().list(m_references.empty() ? m_series.value_or("") : "", &unknown);
  if (m_references.empty()) {
    for (const auto& key : unknown) {
      problems.push_back({key, fmt::format("object {} has no manifest's name", quote(key)), {}});
    }
    if (m_series && all.empty()) throw no_such_series(store, *m_series);
    return all;
  }
  // Of a snapshot that has two manifests both are checked: prune keeps the packs of both. A manifest that several
  // references mean is checked once.
  std::vector<ManifestInfo> out;
  std::set<std::string> chosen_keys;
  const Time now = session.io().clock();
  const ChoiceFacts facts{.of_clocks = keys_ahead_of_clocks(*store.store, all, now)};
  for (const auto& reference : m_references) {
    auto [copies, passed_over] = choose_manifests(all, reference, m_series, now, facts);
    warn_of_passed_over(passed_over, session.reporter());
    for (auto& info : copies) {
      if (chosen_keys.insert(info.key).second) out.push_back(std::move(info));
    }
  }
  return out;
}

void print_for_people(Session& session, const VerifyResult& result, VerifyLevel level) {
  for (const auto& problem : result.problems) {
    session.out() << terminal_safe(problem.message) << '\n';
    for (const auto& snapshot : problem.snapshots) session.out() << "  needed by " << terminal_safe(snapshot) << '\n';
  }
  std::string read;
  if (level != VerifyLevel::quick) {
    read = fmt::format(", {} of {} read", format_size(result.bytes_read), counted(result.packs_read, "pack", "packs"));
  }
  if (result.packs_closed != 0 || result.snapshots_closed != 0) {
    session.reporter().warning(fmt::format(
        "no key at hand opens {} and {}: their stored bytes were hashed against their names, their content was not "
        "decoded",
        counted(result.snapshots_closed, "snapshot", "snapshots"), counted(result.packs_closed, "pack", "packs")));
  }
  if (level == VerifyLevel::full) read += fmt::format(", {} of files", format_size(result.bytes_verified));
  session.say(
      fmt::format("verified {} ({}): {} seen{}; {}; {}", counted(result.snapshots, "snapshot", "snapshots"),
                  verify_level_name(level), counted(result.packs, "pack", "packs"), read,
                  result.problems.empty() ? "no problem" : counted(result.problems.size(), "problem", "problems"),
                  format_duration(result.duration)));
}

// Where keys are trusted: no snapshot to come relies on such a pack before it is read whole.
void warn_of_unvouched(Session& session, const VerifyResult& result) {
  if (result.unvouched_packs.empty()) return;
  std::uint64_t bytes = 0;
  std::string names;
  for (const auto& ref : result.unvouched_packs) bytes += ref.size;
  for (std::size_t i = 0; i < result.unvouched_packs.size() && i < k_named_packs; ++i) {
    names += (i == 0 ? "" : ", ") + layout::pack_key(result.unvouched_packs[i].name);
  }
  if (result.unvouched_packs.size() > k_named_packs) {
    names += fmt::format(" and {} more", result.unvouched_packs.size() - k_named_packs);
  }
  session.reporter().warning(
      fmt::format("no list of packs that a trusted key signed names {} ({}): {}; to read all, and sign what is right: "
                  "cairn verify --sign-packs",
                  counted(result.unvouched_packs.size(), "pack", "packs"), format_size(bytes), names));
}

void print_signed(Session& session, const SignListsResult& result) {
  session.say(fmt::format("signed the lists of packs of {}", counted(result.snapshots, "snapshot", "snapshots")));
  for (const auto& left : result.left) {
    session.say(fmt::format("not signed: {}: {}", terminal_safe(left.name), terminal_safe(left.cause)));
  }
}

void write_signed(JsonWriter& to, const SignListsResult& result) {
  to.key("signed").begin_object().member("snapshots", result.snapshots).key("left").begin_array();
  for (const auto& left : result.left) {
    to.begin_object().member("snapshot", terminal_safe(left.name)).member("message", terminal_safe(left.cause));
    to.end_object();
  }
  to.end_array().end_object();
}

void print_repair(Session& session, const RepairResult& repair, const std::vector<VerifyProblem>& left) {
  if (repair.packs_condemned != 0) {
    session.say(fmt::format("condemned {}: snapshots to come do not lean on what is damaged",
                            counted(repair.packs_condemned, "pack", "packs")));
  }
  for (const auto& snapshot : repair.snapshots) {
    if (snapshot.failure) {
      session.say(fmt::format("not repaired: {}: {}", terminal_safe(snapshot.name), snapshot.failure->message()));
    } else {
      session.say(fmt::format("repaired: {}, {} copied", terminal_safe(snapshot.name),
                              counted(snapshot.packs_copied, "pack", "packs")));
    }
  }
  for (const auto& problem : left) session.say(fmt::format("left: {}", terminal_safe(problem.message)));
}

void write_repair(JsonWriter& to, const RepairResult& repair, const std::vector<VerifyProblem>& left) {
  to.key("repair").begin_object().member("packs_condemned", repair.packs_condemned).key("snapshots").begin_array();
  for (const auto& snapshot : repair.snapshots) {
    to.begin_object().member("snapshot", terminal_safe(snapshot.name)).member("packs_copied", snapshot.packs_copied);
    to.member("repaired", !snapshot.failure);
    if (snapshot.failure) to.member("message", terminal_safe(snapshot.failure->message()));
    to.end_object();
  }
  to.end_array().key("left").begin_array();
  for (const auto& problem : left) to.value(terminal_safe(problem.object));
  to.end_array().end_object();
}

void print_json(Session& session, const VerifyResult& result, VerifyLevel level,
                const std::optional<RepairResult>& repair, const std::vector<VerifyProblem>& left,
                const std::optional<SignListsResult>& signed_lists) {
  JsonWriter to = begin_document("verify");
  to.member("level", verify_level_name(level)).member("snapshots", result.snapshots).member("packs", result.packs);
  to.member("packs_read", result.packs_read).member("bytes_read", result.bytes_read);
  to.member("packs_closed", result.packs_closed).member("snapshots_closed", result.snapshots_closed);
  to.member("bytes_verified", result.bytes_verified).member("duration_ms", milliseconds(result.duration));
  to.key("problems").begin_array();
  for (const auto& problem : result.problems) {
    to.begin_object().member("object", terminal_safe(problem.object)).member("message", terminal_safe(problem.message));
    to.key("snapshots").begin_array();
    for (const auto& snapshot : problem.snapshots) to.value(terminal_safe(snapshot));
    to.end_array().end_object();
  }
  to.end_array().key("unvouched_packs").begin_array();
  for (const auto& ref : result.unvouched_packs) to.value(layout::pack_key(ref.name));
  to.end_array();
  if (repair) write_repair(to, *repair, left);
  if (signed_lists) write_signed(to, *signed_lists);
  session.print(std::move(to));
}

RepairResult VerifyCommand::repair_damage(Session& session, Context& context, const VerifyResult& found) {
  RepairRequest request;
  request.packs = found.damaged_packs;
  request.manifests = found.damaged_manifests;
  request.spool = session.spool();
  if (!m_repair_from) return repair(context, nullptr, request);
  OpenStore other = session.open(*m_repair_from, StoreUse::read, &m_keys);
  Context from = session.context(other);
  return repair(context, &from, request);
}

SignListsResult VerifyCommand::sign_packs(Session& session, Context& context, const VerifyRequest& request,
                                          const VerifyResult& found) const {
  SignListsRequest wanted;
  wanted.manifests = request.manifests;
  wanted.proven = found.proven_packs;
  wanted.spool = session.spool();
  return sign_lists(context, wanted);
}

ExitStatus VerifyCommand::run(Session& session) {
  VerifyRequest request;
  request.level = level();
  OpenStore store = session.open(m_store, repairs() || m_sign_packs ? StoreUse::write : StoreUse::read, &m_keys);
  if (m_sign_packs) check_list_signer(*store.repository);
  std::vector<VerifyProblem> problems;
  request.manifests = choose(session, store, problems);
  if (request.level != VerifyLevel::quick && store.repository->keys().seals())
    store.repository->keys().load_identities();
  Context context = session.context(store);
  VerifyResult result = verify(context, request);
  result.problems.insert(result.problems.begin(), problems.begin(), problems.end());
  if (!session.json()) print_for_people(session, result, request.level);
  std::optional<RepairResult> repair;
  if (repairs() && !result.problems.empty()) repair = repair_damage(session, context, result);
  std::optional<SignListsResult> signed_lists;
  if (m_sign_packs) signed_lists = sign_packs(session, context, request, result);
  session.reporter().clear_progress();
  if (!m_sign_packs) warn_of_unvouched(session, result);
  const auto left = repair && m_repair_from ? problems_left(result, *repair) : result.problems;
  if (session.json()) {
    print_json(session, result, request.level, repair, left, signed_lists);
  } else {
    if (repair) print_repair(session, *repair, m_repair_from ? left : std::vector<VerifyProblem>{});
    if (signed_lists) print_signed(session, *signed_lists);
  }
  if (left.empty() && signed_lists && !signed_lists->left.empty()) {
    session.print_error(
        Error(ErrorKind::no_key, fmt::format("unable to sign the lists of packs of {}",
                                             counted(signed_lists->left.size(), "snapshot", "snapshots"))));
    return ExitStatus::no_key;
  }
  if (left.empty()) return ExitStatus::done;
  // The problems are data, on standard output; cron's mail is to have a word of them, too.
  std::string found = counted(result.problems.size(), "problem", "problems");
  if (left.size() != result.problems.size()) found += fmt::format(", {} not repaired,", left.size());
  session.print_error(
      Error(ErrorKind::damaged, fmt::format("damage found: {} in store {}", found, quote(store.store->describe()))));
  return ExitStatus::damaged;
}

}  // namespace

std::unique_ptr<Command> make_verify_command() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace cairn
