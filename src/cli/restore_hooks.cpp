#include "cli/restore_hooks.hpp"

#include "store/store_url.hpp"
#include "util/interrupt.hpp"

#include <utility>

namespace cairn {

namespace {

std::string source_name(Session& session, const std::string& series) {
  const SourceConfig* const source = session.config().source_of(series);
  return source == nullptr ? std::string{} : source->name;
}

Hooks hooks_of(Session& session, const std::string& series, const RestoreHookOptions& options) {
  const SourceConfig* const source = session.config().source_of(series);
  Hooks hooks;
  hooks.timeout = source == nullptr ? session.config().hooks.timeout : source->restore_hooks.timeout;
  if (source != nullptr && !options.none) hooks = source->restore_hooks;
  if (!options.exec.empty()) hooks.after.push_back(options.exec);
  return hooks;
}

ExitStatus status_of(const Error& e) {
  return ExitStatus{exit_status_of(e.kind(), interrupted_by())};
}

}  // namespace

RestoreHooks::RestoreHooks(Session& session, const SnapshotInfo& snapshot, const std::string& store,
                           const fs::path& target, const RestoreHookOptions& options)
    : m_session(session),
      m_cut_point(snapshot.record.cut_point),
      m_hooks(hooks_of(session, snapshot.record.series, options)),
      m_printer(session, DryRun::no),
      m_scope(m_printer, {HookOwner::Level::restore, source_name(session, snapshot.record.series)}, m_hooks) {
  m_facts.source = source_name(session, snapshot.record.series);
  m_facts.series = snapshot.record.series;
  m_facts.store = without_secrets(store);
  m_facts.snapshot = snapshot.id.hex();
  m_facts.cut_point = format_time(m_cut_point);
  m_facts.target = fs::absolute(target).native();
}

// The lag is that of the moment.
HookFacts RestoreHooks::facts() const {
  HookFacts facts = m_facts;
  facts.lag = m_session.io().clock() - m_cut_point;
  return facts;
}

void RestoreHooks::begin() {
  if (const auto failure = m_scope.begin(facts())) {
    std::optional<Error> interrupted;
    close(status_of(*failure), interrupted);
    throw Error(*failure);
  }
}

ExitStatus RestoreHooks::end(ExitStatus status) {
  std::optional<Error> interrupted;
  close(status, interrupted);
  if (interrupted) throw Error(*interrupted);
  return m_failures.empty() ? status : gravest(status, ExitStatus::failed);
}

void RestoreHooks::fail(const std::exception_ptr& thrown) {
  std::optional<Error> interrupted;
  ExitStatus status = ExitStatus::failed;
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& e) {
    status = status_of(e);
  } catch (...) {  // no failure that has a status of its own
  }
  close(status, interrupted);
}

void RestoreHooks::close(ExitStatus status, std::optional<Error>& interrupted) {
  HookScope::End end = m_scope.end(facts(), status);
  for (const Error& failure : end.failures) m_printer.failed(failure);
  m_failures = std::move(end.failures);
  interrupted = std::move(end.interrupted);
}

}  // namespace cairn
