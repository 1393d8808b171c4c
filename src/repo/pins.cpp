#include "repo/pins.hpp"

#include "repo/format.hpp"
#include "repo/future_dated.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_max_signatures = 16;

const char* word_of(bool pinned) noexcept {
  return pinned ? "pin" : "unpin";
}

bool is_right(const Signature& signature, const std::string& line) {
  try {
    return minisign::verify(minisign::PublicKey::parse(signature.key), line, signature.minisig);
  } catch (const Error&) {
    return false;
  }
}

// The rank that decides between two records.
std::pair<Time, bool> rank(const PinRecord& record) noexcept {
  return {record.name.time, !record.name.pinned};
}

}  // namespace

std::string pin_line(std::string_view store_id, const layout::PinKey& name) {
  return fmt::format("cairn-pin 1 {} {} {} {}\n", store_id, name.id.hex(), format_time(name.time),
                     word_of(name.pinned));
}

std::string pin_text(std::string_view store_id, const layout::PinKey& name, const minisign::SecretKey* key) {
  JsonWriter to;
  to.begin_object().member("format", "cairn-pin").member("version", k_format_version);
  to.member("id", name.id.hex()).member("pinned", name.pinned);
  if (key != nullptr) {
    const std::string line = pin_line(store_id, name);
    to.key("signatures").begin_array().begin_object().member("key", key->public_key().text());
    to.member("minisig", key->sign(line, line.substr(0, line.size() - 1))).end_object().end_array();
  }
  to.end_object().newline();
  return std::move(to).text();
}

std::vector<std::string> signers_of_pin(std::string_view text, std::string_view store_id, const layout::PinKey& name) {
  std::vector<std::string> out;
  damage_of([&] {
    const Json json = Json::parse(text);
    const Json* signatures = json.find("signatures");
    if (signatures == nullptr) return;
    const std::string line = pin_line(store_id, name);
    for (const auto& each : signatures->array()) {
      if (out.size() == k_max_signatures) break;
      Signature signature{each.at("key").string(), each.at("minisig").string()};
      if (is_right(signature, line)) out.push_back(std::move(signature.key));
    }
  });
  return out;
}

bool is_future_dated(const PinRecord& record) noexcept {
  return is_future_dated(record.name.time, record.stored_at);
}

void Pins::add(PinRecord record) {
  m_records[record.name.id].push_back(std::move(record));
}

bool Pins::counts(const PinRecord& record, const std::string& series) const {
  if (record.name.pinned) return true;
  if (is_future_dated(record) || (m_now && is_future_dated(record.name.time, *m_now))) return false;
  if (!m_trust.demands_signature()) return true;
  return std::any_of(record.signers.begin(), record.signers.end(),
                     [&](const std::string& key) { return m_trust.trusts(key, series, record.stored_at); });
}

bool Pins::pinned(const Digest& id, const std::string& series) const {
  const auto found = m_records.find(id);
  if (found == m_records.end()) return false;
  const PinRecord* newest = nullptr;
  for (const auto& record : found->second) {
    if (counts(record, series) && (newest == nullptr || rank(*newest) < rank(record))) newest = &record;
  }
  return newest != nullptr && newest->name.pinned;
}

std::optional<Time> Pins::newest(const Digest& id, const std::string& series) const {
  const auto found = m_records.find(id);
  if (found == m_records.end()) return std::nullopt;
  std::optional<Time> out;
  for (const auto& record : found->second) {
    if (counts(record, series) && (!out || *out < record.name.time)) out = record.name.time;
  }
  return out;
}

std::size_t Pins::doubtful(const Digest& id, const std::string& series) const {
  const auto found = m_records.find(id);
  if (found == m_records.end() || !pinned(id, series)) return 0;
  const auto newest = *this->newest(id, series);
  return static_cast<std::size_t>(
      std::count_if(found->second.begin(), found->second.end(), [&](const PinRecord& record) {
        return !record.name.pinned && record.name.time >= newest && !counts(record, series);
      }));
}

}  // namespace cairn
