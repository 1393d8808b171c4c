#include "engine/run/job_step.hpp"

#include "engine/drill/driller.hpp"
#include "engine/push/pusher.hpp"
#include "engine/snapshot/rollback_alarm.hpp"
#include "util/error.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

namespace cairn {

SnapshotResult SnapshotStep::run(const SnapshotJob& job, RunStore& store) {
  Context context = store.context();
  RollbackAlarm alarm{context.repository, m_host.sequences(), m_host.reporter(), job.series};
  SnapshotResult result = capture(job, store, alarm.taken_before());
  m_listener.captured(result);
  if (m_options.dry_run == DryRun::no) alarm.committed(result);
  return result;
}

// Lets the source go at its end.
SnapshotResult SnapshotStep::capture(const SnapshotJob& job, RunStore& store, bool taken_before) {
  Context context = store.context();
  const std::unique_ptr<Source> source = m_host.open_source(job, context.repository);
  SnapshotRequest request = m_host.new_request();
  request.series = job.series;
  request.series_defaulted = job.series_defaulted;
  request.own_key_since = store.own_key_since();
  request.taken_before = taken_before;
  request.guard = job.guard;
  request.tags = job.tags;
  request.reread = m_options.reread;
  request.dry_run = m_options.dry_run;
  SnapshotResult result = take_snapshot(context, *source, request);
  // The engine warned of what it could not read itself; the rest is known to the source.
  for (const auto& problem : source->problems()) m_host.reporter().warning(problem.message);
  // A minimum size would have refused it; without, it may be meant to be so.
  const bool told = result.doubt != Doubt::none || job.guard.allow_empty;
  if (source->kind() == SourceKind::command && result.stats.bytes == 0 && !told) {
    m_host.reporter().warning(fmt::format("the command of series {} wrote nothing", quote(job.series)));
  }
  return result;
}

void PushStep::run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) {
  for (const auto& name : job.push_to) {
    PushOutcome done;
    done.store = name;
    done.failure = every_failure_of([&] {
      const auto to = m_host.open_store(name, RunAccess::write);
      Context source = store.context();
      Context target = to->context();
      PushRequest request;
      request.series = job.series;
      request.snapshots = {outcome.result->id};
      request.spool = m_host.spool();
      done.result = push(source, target, request);
    });
    outcome.pushes.push_back(std::move(done));
    m_listener.push_ended(outcome, outcome.pushes.back());
  }
}

namespace {

// All manifests of a snapshot: prune keeps the packs of each.
std::vector<ManifestInfo> manifests_of(Repository& repository, const SnapshotResult& snapshot) {
  auto all = repository.manifests().list(snapshot.series);
  const std::string id = snapshot.id.hex();
  std::erase_if(all, [&](const ManifestInfo& info) { return !id.starts_with(info.name.id); });
  if (all.empty()) {
    throw Error(ErrorKind::damaged, fmt::format("snapshot {} of {} is not in store {}, where it was just put", id,
                                                snapshot.series, quote(repository.store().describe())));
  }
  return all;
}

VerifyResult verify_snapshot(RunStore& store, const SnapshotResult& snapshot, VerifyLevel level) {
  Context context = store.context();
  VerifyRequest request;
  request.level = level;
  request.manifests = manifests_of(context.repository, snapshot);
  const Keyring& keys = context.repository.keys();
  if (level != VerifyLevel::quick && keys.seals()) keys.load_identities();
  return verify(context, request);
}

}  // namespace

void VerifyStep::verify_in(const std::string& name, RunStore* open, VerifyLevel level, JobOutcome& outcome) {
  VerifyOutcome done;
  done.store = name;
  done.level = level;
  done.failure = every_failure_of([&] {
    const auto other = open == nullptr ? m_host.open_store(name, RunAccess::read) : nullptr;
    done.result = verify_snapshot(open == nullptr ? *other : *open, *outcome.result, level);
  });
  outcome.verifications.push_back(std::move(done));
  m_listener.verify_ended(outcome, outcome.verifications.back());
}

void VerifyStep::run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) {
  if (!job.verify) return;
  verify_in(job.store, &store, *job.verify, outcome);
  for (const auto& push : outcome.pushes) {
    // A snapshot that did not get there is told already.
    if (status_of(push) == ExitStatus::done && push.store != job.store) {
      verify_in(push.store, nullptr, *job.verify, outcome);
    }
  }
}

bool is_drill_due(RunStore& store, const SnapshotJob& job) {
  if (!job.drill_every) return false;
  Context context = store.context();
  return drill_is_due(context.repository.drills().list(job.series), *job.drill_every, context.clock());
}

void DrillStep::run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) {
  RehearsalOutcome done;
  bool due = true;
  done.failure = every_failure_of([&] {
    due = is_drill_due(store, job);
    if (due) done.record = m_host.drill(job, outcome.result->id);
  });
  if (!due) return;
  outcome.drill = std::move(done);
  m_listener.drill_ended(outcome);
}

}  // namespace cairn
