#include "commands.hpp"

#include "engine/prune/pruner.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/objects.hpp"

#include <fmt/format.h>
#include <system_error>

namespace cairn::sim {

namespace {

// The difference between a restore on disk and what was captured; nothing where they are the same.
std::optional<std::string> difference(const fs::path& at, const TreeState& tree) {
  std::size_t found = 0;
  for (const auto& item : fs::directory_iterator(at)) {
    const auto expected = tree.find(item.path().filename().native());
    if (expected == tree.end()) return fmt::format("{} was never captured", quote(item.path().filename().native()));
    if (read_file(item.path()) != expected->second.bytes()) return fmt::format("{} differs", quote(expected->first));
    ++found;
  }
  if (found != tree.size()) return fmt::format("{} of {} files are there", found, tree.size());
  return std::nullopt;
}

}  // namespace

template <class F>
Ended Commands::run(const char* what, Machine& machine, Process::Kind kind, F&& body) {
  ++m_tally.runs;
  m_world.note(fmt::format("{} begins: {}", machine.name, what));
  try {
    Process process{m_world, machine, kind};
    body(process);
    m_world.note(fmt::format("{} ends: {}", machine.name, what));
    return Ended::well;
  } catch (const Killed&) {
    if (m_world.scheduler.stopped()) throw;
    ++m_tally.killed;
    return Ended::killed;
  } catch (const Error& e) {
    ++m_tally.refused;
    m_last_error = fmt::format("{}: {}", what, e.message());
    m_world.note(fmt::format("{} fails: {}: {}", machine.name, what, e.message()));
    return Ended::refused;
  }
}

std::optional<SnapshotResult> Commands::snapshot(Machine& machine, Store& store, const std::string& series,
                                                 const TreeState& tree) {
  std::optional<SnapshotResult> result;
  run("snapshot", machine, Process::Kind::other, [&](Process& process) {
    MemorySource source{tree, m_captures.remember(tree), m_world.clock_of(machine)};
    Program program{process, store};
    SnapshotRequest request;
    request.series = series;
    request.signing_key = store.author;
    result = take_snapshot(program.context(), source, request);
    store.ledger.committed(result->id);
    ++m_tally.snapshots;
  });
  return result;
}

std::optional<PushResult> Commands::push(Machine& machine, Store& from, Store& to, PushRequest request) {
  std::optional<PushResult> result;
  run("push", machine, Process::Kind::other, [&](Process& process) {
    Program source{process, from};
    Program target{process, to};
    result = cairn::push(source.context(), target.context(), request);
    for (const auto& pushed : result->snapshots) {
      if (pushed.failure) {
        // Or another host's, sealed to keys that this one has not.
        const bool excused = pushed.failure->kind() == ErrorKind::not_found ||
                             pushed.failure->kind() == ErrorKind::no_key || process.deceived() ||
                             process.age() > m_world.grace / 2 || !from.ledger.counts(pushed.id) ||
                             // An attacker's copy of what retention removed.
                             (from.author && !from.ledger.has(pushed.id));
        if (!excused) m_world.violated(fmt::format("a push finds damage: {}", pushed.failure->message()));
      } else if (!pushed.already_there) {
        to.ledger.committed(pushed.id);
        ++m_tally.pushed;
      }
    }
  });
  return result;
}

Ended Commands::prune(Machine& machine, Store& store, unsigned keep_last, SetAside set_aside) {
  return run("prune", machine, Process::Kind::other, [&](Process& process) {
    Program program{process, store};
    PruneRequest request;
    request.settings.grace = m_world.grace;
    // An operator who has looked at the clock says this.
    request.settings.clock_ok = store.bucket.clock(m_world.scheduler.now()) ==
                                std::chrono::floor<std::chrono::seconds>(m_world.scheduler.now());
    if (set_aside == SetAside::lost) {
      for (const auto& stored : program.repository().notes().marks()) {
        for (const auto& key : stored.mark.seen) {
          if (store.bucket.find(key) == nullptr) request.settings.set_aside.insert(key);
        }
      }
    }
    request.policy = [keep_last](const std::string&) {
      RetentionPolicy policy;
      policy.keep_last = keep_last;
      return policy;
    };
    Pruner pruner{program.context(), request, Apply::yes};
    pruner.execute();
    ++m_tally.prunes;
  });
}

Ended Commands::forget(Machine& machine, Store& store) {
  return run("forget", machine, Process::Kind::other, [&](Process& process) {
    Program program{process, store};
    const auto snapshots = program.repository().manifests().list_snapshots();
    if (snapshots.empty()) return;
    PruneRequest request;
    request.settings.grace = m_world.grace;
    request.forget = {m_world.random.pick(snapshots).id};
    Pruner pruner{program.context(), request, Apply::yes};
    pruner.execute();
  });
}

Ended Commands::undo(Machine& machine, Store& store) {
  return run("undo", machine, Process::Kind::undo, [&](Process& process) {
    Program program{process, store, Program::Keys::owners};
    const auto result = undo_prune(program.context(), Apply::yes);
    // A prune that is shown the store as it was before is one that runs at the same time: past the grace nothing keeps
    // the two apart.
    if (process.deceived()) return;
    for (const auto& key : result.restored) store.ledger.restored(key);
  });
}

Ended Commands::pin(Machine& machine, Store& store, PinAction action) {
  std::optional<Ledger::PinAttempt> attempt;
  bool put = false;
  const auto ended =
      run(action == PinAction::pin ? "pin" : "unpin", machine, Process::Kind::other, [&](Process& process) {
        Program program{process, store};
        const auto snapshots = program.repository().manifests().list_snapshots();
        if (snapshots.empty()) return;
        const auto& chosen = m_world.random.pick(snapshots);
        attempt = store.ledger.begin_pin(chosen.id, action == PinAction::pin);
        put = set_pin(program.repository(), chosen, action);
        ++m_tally.pins;
      });
  // One that found a pin and put none has nothing to set against an unpin that timed out and arrives days later.
  if (attempt) store.ledger.end_pin(*attempt, ended == Ended::well && put);
  return ended;
}

// The snapshots that are there and count; an attacker may have put back what retention removed. One that was not there
// before the listing counts for nothing: the listing may show an attacker's copy of it alone.
std::vector<SnapshotInfo> Commands::relied_on(Repository& repository, const Store& store) {
  const auto before = store.ledger.snapshots();
  auto snapshots = repository.manifests().list_snapshots();
  if (store.author) {
    std::erase_if(snapshots, [&](const auto& info) {
      return !info.trusted || !before.contains(info.id) || !store.ledger.has(info.id);
    });
  }
  return snapshots;
}

void Commands::compare(Program& program, const Store& store, const SnapshotInfo& snapshot, Process& process,
                       bool must) {
  const ManifestInfo& info = snapshot.object;
  const fs::path target = m_scratch / "restored";
  std::error_code ignored;
  fs::remove_all(target, ignored);
  std::optional<std::string> wrong;
  try {
    auto copies = snapshot.others;
    copies.push_back(info);
    auto read = read_best_copy(program.repository(), std::move(copies));
    if (!read.found) {
      throw read.failures.empty() ? Error(ErrorKind::untrusted, "no manifest is trusted") : read.failures.front();
    }
    const Manifest& manifest = read.found->manifest;
    manifest.require_open();
    RestoreRequest request;
    request.target = target;
    const auto result = cairn::restore(program.context(), manifest, request);
    ++m_tally.restores;
    if (!result.problems.empty()) {
      wrong = result.problems.front().message;
    } else if (const auto* tree = m_captures.find(manifest.facts.source)) {
      // A tree that is said to be restored is what was captured, whatever happened.
      if (const auto found = difference(target, *tree)) {
        m_world.violated(fmt::format("{} restores to something else: {}", info.key, *found));
      }
    } else {
      m_world.violated(fmt::format("{} is of a capture that never was", info.key));
    }
  } catch (const StoreError& e) {
    if (must) wrong = e.message();
  } catch (const Error& e) {
    // Pruned since it was listed.
    if (must || e.kind() != ErrorKind::not_found) wrong = e.message();
  }
  fs::remove_all(target, ignored);
  // Grace alone protects a restore that runs while its snapshot is pruned.
  const bool old = process.deceived() || process.age() > m_world.grace / 2;
  // Of one that was pruned since it was listed an attacker's copy may be left, with packs of his own.
  const bool excused = old || (store.author && !store.ledger.has(snapshot.id));
  if (wrong && (must || !excused)) m_world.violated(fmt::format("{} does not restore: {}", info.key, *wrong));
}

Ended Commands::restore(Machine& machine, Store& store) {
  return run("restore", machine, Process::Kind::other, [&](Process& process) {
    Program program{process, store, Program::Keys::owners};
    const auto snapshots = relied_on(program.repository(), store);
    if (snapshots.empty()) return;
    const auto& chosen = m_world.random.pick(snapshots);
    if (!store.ledger.counts(chosen.id)) return;
    compare(program, store, chosen, process, false);
  });
}

Ended Commands::verify(Machine& machine, Store& store) {
  return run("verify", machine, Process::Kind::other, [&](Process& process) {
    Program program{process, store, Program::Keys::owners};
    VerifyRequest request;
    request.level = m_world.random.chance(500) ? VerifyLevel::quick : VerifyLevel::full;
    bool doubtful = false;
    for (auto& info : relied_on(program.repository(), store)) {
      doubtful = doubtful || !store.ledger.counts(info.id);
      request.manifests.push_back(std::move(info.object));
      request.manifests.insert(request.manifests.end(), info.others.begin(), info.others.end());
    }
    // The packs that an attacker's manifests name need not be there; those of the hosts' have to.
    std::erase_if(request.manifests, [&](const ManifestInfo& info) { return store.ledger.is_forged(info.key); });
    const auto result = cairn::verify(program.context(), request);
    ++m_tally.verifications;
    if (doubtful || process.deceived() || process.age() > m_world.grace / 2) return;
    for (const auto& problem : result.problems) {
      // Pruned since it was listed.
      if (store.bucket.find(problem.object) == nullptr && problem.object.starts_with(layout::k_snapshots)) continue;
      m_world.violated(fmt::format("verify finds {}: {}", problem.object, problem.message));
    }
  });
}

void Commands::check_all(Store& store) {
  Machine rescue{.name = "rescue", .cache = {}, .clock_from = {}};
  run("rescue", rescue, Process::Kind::other, [&](Process& process) {
    Program program{process, store, Program::Keys::owners};
    for (const auto& info : relied_on(program.repository(), store)) {
      if (!store.ledger.counts(info.id)) continue;
      compare(program, store, info, process, true);
    }
  });
}

void Commands::check_clean(Store& store) {
  Machine rescue{.name = "rescue", .cache = {}, .clock_from = {}};
  run("count", rescue, Process::Kind::other, [&](Process& process) {
    Program program{process, store, Program::Keys::owners};
    std::set<std::string> needed;
    for (const auto& info : program.repository().manifests().list()) {
      for (const auto& ref : program.repository().manifests().load(info).packs)
        needed.insert(layout::pack_key(ref.name));
    }
    for (const auto& [key, object] : store.bucket.objects()) {
      if (key.starts_with(layout::k_packs) && !needed.contains(key)) {
        m_world.violated(fmt::format("{} stays, and nothing needs it ({})", key, m_last_error));
      }
    }
  });
}

}  // namespace cairn::sim
