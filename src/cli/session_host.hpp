// This host as a run sees it: the session's stores, spool, keys and state.
#pragma once

#include "cli/session.hpp"
#include "engine/run/run_host.hpp"
#include "repo/sequence_memory.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace cairn {

// The session outlives it.
class SessionHost : public RunHost {
 public:
  explicit SessionHost(Session& session) : m_session(session), m_sequences(session) {}
  std::unique_ptr<RunStore> open_store(const std::string& store, RunAccess access) override;
  std::unique_ptr<Source> open_source(const SnapshotJob& job, const Repository& repository) override;
  SnapshotRequest new_request() override;
  DrillRecord drill(const SnapshotJob& job, const Digest& id) override;
  PruneRequest new_prune() override;
  fs::path locks() override;
  fs::path spool() override { return m_session.spool(); }
  const SequenceMemory& sequences() override { return m_sequences; }
  Reporter& reporter() override { return m_session.reporter(); }

 private:
  // Finds the state's directory when it is asked: where that cannot be found, it is the question that fails.
  class Sequences : public SequenceMemory {
   public:
    explicit Sequences(Session& session) : m_session(session) {}
    std::uint64_t last_sequence(const std::string& store_id, const std::string& series) const override;
    void set_last_sequence(const std::string& store_id, const std::string& series,
                           std::uint64_t sequence) const override;

   private:
    Session& m_session;
  };

  Session& m_session;
  Sequences m_sequences;
};

}  // namespace cairn
