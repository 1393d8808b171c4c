#include "engine/run/job_step.hpp"

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
    try {
      const auto to = m_host.open_store(name);
      Context source = store.context();
      Context target = to->context();
      PushRequest request;
      request.series = job.series;
      request.snapshots = {outcome.result->id};
      request.spool = m_host.spool();
      done.result = push(source, target, request);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      done.failure = e;
    }
    outcome.pushes.push_back(std::move(done));
    m_listener.push_ended(outcome, outcome.pushes.back());
  }
}

}  // namespace cairn
