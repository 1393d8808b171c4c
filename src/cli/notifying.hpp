// Tells whom the configuration names how a run went, or what a look at the stores found. What goes wrong with that is a
// warning: it changes neither what was saved nor the exit status.
#pragma once

#include "cli/session.hpp"
#include "engine/notify/messenger.hpp"
#include "engine/notify/notice.hpp"
#include "engine/notify/notify_memory.hpp"
#include "engine/run/outcome.hpp"
#include "util/exit_status.hpp"

#include <map>
#include <string>
#include <vector>

namespace cairn {

// The session outlives it.
class Notifying {
 public:
  // Reads the URLs that files and the environment (CAIRN_PING_URL, CAIRN_WEBHOOK_URL, which take precedence) hold.
  explicit Notifying(Session& session);

  // Error(usage) where no way for messages is set.
  void require_way() const;
  // A run begins: the start ping.
  void begin();
  // It has ended: the messages, then the ping. Also after a signal, in little time.
  void end(const RunOutcome& run, RunScope scope);
  // It has ended by an Error that is no job's: the fail ping alone, as it is not known what was done.
  void end(const Error& failure);
  // The messages, without any ping.
  void tell(const std::vector<Observation>& seen);

 private:
  void tell_of(NotifyEvent event, const std::vector<Observation>& seen, const std::vector<Decision>& decisions);
  void remember(const std::string& about, const KnownState& state);

  Session& m_session;
  NotifySettings m_settings;
  Messenger m_messenger;
  NotifyMemory m_memory;
};

}  // namespace cairn
