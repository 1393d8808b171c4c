// The programs around a restore: those that the configuration has for the source whose series is restored, and the one
// of --exec.
#pragma once

#include "cli/run_text.hpp"
#include "cli/session.hpp"
#include "engine/run/hooks.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"

#include <exception>
#include <string>
#include <vector>

namespace cairn {

// What the command line says of them.
struct RestoreHookOptions {
  bool none = false;              // --no-hooks: not those of the configuration
  std::vector<std::string> exec;  // run when all went well, after those; empty: nothing
};

// Of one restore of one snapshot to one place. One thread. The session outlives it.
class RestoreHooks {
 public:
  // store: as the command line or the configuration names it.
  RestoreHooks(Session& session, const SnapshotInfo& snapshot, const std::string& store, const fs::path& target,
               const RestoreHookOptions& options);

  // Before anything is touched. Throws the failure of a program, or Error(interrupted), after those for a failure have
  // run: then nothing is to be restored.
  void begin();
  // When the restore has ended with that status. Returns what the status is by that. Throws Error(interrupted).
  ExitStatus end(ExitStatus status);
  // When it threw that, which is thrown on by the caller.
  void fail(const std::exception_ptr& thrown);
  // Of what end() and fail() ran; they are told already.
  const std::vector<Error>& failures() const noexcept { return m_failures; }

 private:
  HookFacts facts() const;
  void close(ExitStatus status, std::optional<Error>& interrupted);

  Session& m_session;
  HookFacts m_facts;
  Time m_cut_point;
  Hooks m_hooks;
  RunPrinter m_printer;
  HookScope m_scope;
  std::vector<Error> m_failures;
};

}  // namespace cairn
