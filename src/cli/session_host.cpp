#include "cli/session_host.hpp"

#include "cli/drill_run.hpp"
#include "cli/snapshot_job.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace cairn {

namespace {

class SessionStore : public RunStore {
 public:
  SessionStore(Session& session, OpenStore store) : m_session(session), m_store(std::move(store)) {}
  Context context() override { return m_session.context(m_store); }
  std::optional<Time> own_key_since() const override { return m_store.own_key_since; }

 private:
  Session& m_session;
  OpenStore m_store;
};

}  // namespace

std::unique_ptr<RunStore> SessionHost::open_store(const std::string& store, RunAccess access) {
  const StoreUse use = access == RunAccess::write ? StoreUse::write : StoreUse::read;
  OpenStore open = m_session.open(store, use);
  if (access == RunAccess::write) push_kept_drills(m_session.state(), *open.repository);
  return std::make_unique<SessionStore>(m_session, std::move(open));
}

std::unique_ptr<Source> SessionHost::open_source(const SnapshotJob& job, const Repository& repository) {
  SourceSpec source = job.source;
  std::vector<std::string> stores = job.push_to;
  stores.push_back(job.store);
  leave_out_own(m_session, source, repository, stores);
  if (auto* const databases = sqlite_options(source)) databases->staging_parent = m_session.spool();
  if (auto* const command = std::get_if<CommandOptions>(&source); command && m_session.reporter().has_form()) {
    command->errors = [&reporter = m_session.reporter(), name = job.name](std::string_view line) {
      reporter.pass_on(name, line);
    };
  }
  return cairn::open_source(source);
}

SnapshotRequest SessionHost::new_request() {
  SnapshotRequest request;
  request.spool = m_session.spool();
  request.spool_limit = m_session.spool_limit();
  request.signing_key = m_session.signing_key();
  return request;
}

DrillRecord SessionHost::drill(const SnapshotJob& job, const Digest& id) {
  DrillTarget target;
  target.store = job.store;
  target.reference = id.hex();
  const DrillReport report = run_drill(m_session, target, {});
  m_session.reporter().clear_progress();
  if (report.lost_record) m_session.print_error(*report.lost_record);
  if (!report.kept_because.empty()) {
    m_session.reporter().warning("the record of the drill waits on this host: " + report.kept_because);
  }
  return report.record;
}

PruneRequest SessionHost::new_prune() {
  PruneRequest request;
  request.policy = [&config = m_session.config()](const std::string& series) {
    return std::optional{config.retention_of(series)};
  };
  return request;
}

fs::path SessionHost::locks() {
  fs::path place = m_session.state().directory();
  if (place.empty()) place = m_session.cache();
  return place.empty() ? place : place / "locks";
}

std::uint64_t SessionHost::Sequences::last_sequence(const std::string& store_id, const std::string& series) const {
  return m_session.state().last_sequence(store_id, series);
}

void SessionHost::Sequences::set_last_sequence(const std::string& store_id, const std::string& series,
                                               std::uint64_t sequence) const {
  m_session.state().set_last_sequence(store_id, series, sequence);
}

}  // namespace cairn
