// Which snapshots are pinned, by what a store has of pin records. See cairn-format(5), Pins.
#pragma once

#include "codec/minisign.hpp"
#include "repo/layout.hpp"
#include "repo/trust.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// The line that somebody who pins, or takes a pin off, signs: "cairn-pin 1 STORE-ID ID TIME WORD\n".
std::string pin_line(std::string_view store_id, const layout::PinKey& name);
// The content of the object of that name; key: null where it is not signed.
std::string pin_text(std::string_view store_id, const layout::PinKey& name, const minisign::SecretKey* key);
// The public keys whose signatures in the content are right; none where it cannot be read.
std::vector<std::string> signers_of_pin(std::string_view text, std::string_view store_id, const layout::PinKey& name);

struct PinRecord {
  layout::PinKey name;
  Time stored_at;                    // by the store's clock
  std::vector<std::string> signers;  // of an unpin, where signatures are asked for; see signers_of_pin()
};

// More than an hour past the time at which it came: no clock of a host that means well.
bool is_future_dated(const PinRecord& record) noexcept;

// The newest record of each id says whether it is pinned; of two of one instant, the unpin. An unpin that is doubtful
// counts for nothing: one that is future-dated, and where keys are trusted one that none of them signed. Else whoever
// may only add objects would take off a pin for ever. A doubtful pin costs no more than space, and holds. No record is
// ever removed or changed, so several listings add up: what one leaves out another may show.
class Pins {
 public:
  explicit Pins(TrustPolicy trust = {}) : m_trust(std::move(trust)) {}

  void add(PinRecord record);
  // The store's time: what says that it is from beyond it is future-dated, whatever time its object has.
  void set_now(Time now) noexcept { m_now = now; }

  // series: of the snapshot; a key may be trusted for some alone.
  bool pinned(const Digest& id, const std::string& series) const;
  // The time of the newest record that counts.
  std::optional<Time> newest(const Digest& id, const std::string& series) const;
  // How many unpins count for nothing that would have taken the pin off: programs of before obey them.
  std::size_t doubtful(const Digest& id, const std::string& series) const;

 private:
  bool counts(const PinRecord& record, const std::string& series) const;
  std::map<Digest, std::vector<PinRecord>> m_records;
  TrustPolicy m_trust;
  std::optional<Time> m_now;
};

}  // namespace cairn
