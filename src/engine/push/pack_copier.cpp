#include "engine/push/pack_copier.hpp"

#include "repo/second_reading.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <optional>
#include <utility>

namespace cairn {

PackCopier::PackCopier(CommitProtocol& protocol, const Keyring& keys, Spool spool, std::uint64_t spool_above,
                       Progress progress)
    : m_protocol(protocol),
      m_keys(keys),
      m_spool(std::move(spool)),
      m_threshold(spool_above),
      m_progress(std::move(progress)) {}

PackBuilder::Built PackCopier::make(Repository& from, const PackRef& ref, Check check) {
  const std::optional<Spool> spool = spooled(ref) ? std::optional{m_spool} : std::nullopt;
  const auto progress = [this](std::uint64_t bytes) { advance(bytes); };
  if (ref.seal != m_keys.seal()) return rebuild_pack(from, ref, m_keys, spool, progress);
  if (check == Check::chunks) {
    try {
      return rebuild_pack(from, ref, m_keys, spool, progress);
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::no_key) throw;
      ++m_blind;
    }
  }
  return copy_pack(from, ref, spool, progress);
}

PackRef PackCopier::copy(Repository& from, const PackRef& ref, Check check) {
  check_interrupted();
  const auto built = read_again_if_damaged([&] { return make(from, ref, check); }, telling(from.reporter()));
  return m_protocol.store_and_drop(built);
}

void PackCopier::advance(std::uint64_t bytes) {
  const std::uint64_t done = m_done.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  m_progress(done, m_total);
}

}  // namespace cairn
