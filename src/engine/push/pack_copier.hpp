// Brings packs from one store to another.
#pragma once

#include "engine/commit/commit_protocol.hpp"
#include "engine/commit/pack_rebuilder.hpp"

#include <atomic>
#include <cstdint>
#include <functional>

namespace cairn {

// Thread-safe.
class PackCopier {
 public:
  using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

  // keys: of the target, whose protocol it is. Packs above spool_above bytes are built in the spool, others in memory.
  PackCopier(CommitProtocol& protocol, const Keyring& keys, Spool spool, std::uint64_t spool_above, Progress progress);

  bool spooled(const PackRef& ref) const noexcept { return ref.size > m_threshold; }
  // How much there is to copy in all, for the progress.
  void expect(std::uint64_t bytes) noexcept { m_total = bytes; }
  // Checks the bytes on the way: against the pack's name where they stay as they are, chunk by chunk where they are
  // sealed otherwise. Returns where they are in the target. Throws what copy_pack() and rebuild_pack() throw.
  //
  // chunks: each is checked in any case, as far as a key at hand opens it: for what the name was had from nobody who is
  // trusted. copied_blindly() counts what was not.
  enum class Check { name, chunks };
  PackRef copy(Repository& from, const PackRef& ref, Check check = Check::name);
  std::uint64_t copied_blindly() const noexcept { return m_blind; }

 private:
  void advance(std::uint64_t bytes);
  PackBuilder::Built make(Repository& from, const PackRef& ref, Check check);

  CommitProtocol& m_protocol;
  const Keyring& m_keys;
  Spool m_spool;
  std::uint64_t m_threshold;
  Progress m_progress;
  std::atomic<std::uint64_t> m_done{0};
  std::atomic<std::uint64_t> m_total{0};
  std::atomic<std::uint64_t> m_blind{0};
};

}  // namespace cairn
