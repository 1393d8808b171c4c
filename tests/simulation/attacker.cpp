#include "attacker.hpp"

#include "repo/json_fields.hpp"
#include "repo/layout.hpp"
#include "repo/notes.hpp"

#include <fmt/format.h>

namespace cairn::sim {

using namespace std::chrono_literals;
using std::chrono::days;

void Attacker::attack(std::size_t times) {
  for (; times != 0; --times) {
    m_world.scheduler.pass(m_random.chance(700) ? m_random.duration(1min, 12h) : m_random.duration(12h, days{4}));
    Store& store = m_random.chance(500) ? m_stage.near : m_stage.far;
    switch (m_random.below(8)) {
      case 0:
        plant_mark(store);
        break;
      case 1:
        plant_pin(store);
        break;
      case 2:
      case 3:
        plant_pending(store);
        break;
      default:
        copy_manifest(store);
    }
  }
}

void Attacker::put(Store& store, const std::string& key, std::string_view text) {
  const auto bytes = std::make_shared<const Bytes>(as_bytes(text).begin(), as_bytes(text).end());
  if (store.bucket.put(key, bytes, PutMode::create_only, m_world.scheduler.now()) == PutOutcome::exists) return;
  m_own.insert(key);
  store.ledger.forged(key);
  m_world.note(fmt::format("attacker puts {}:{}", store.bucket.name(), key));
}

std::vector<std::string> Attacker::keys(const Store& store, const std::string& prefix) const {
  std::vector<std::string> out;
  const auto& objects = store.bucket.objects();
  for (auto at = objects.lower_bound(prefix); at != objects.end() && at->first.starts_with(prefix); ++at) {
    if (!m_own.contains(at->first)) out.push_back(at->first);
  }
  return out;
}

std::optional<PackRef> Attacker::forge_pack(Store& store, const PackRef& like) {
  const auto* object = store.bucket.find(layout::pack_key(like.name));
  if (object == nullptr) return std::nullopt;
  Bytes bytes = *object->bytes;
  for (std::size_t at = k_pack_header_size; at < like.directory_offset; ++at) bytes[at] ^= 0x55;
  PackRef forged = like;
  forged.name = sha256(bytes);
  put(store, layout::pack_key(forged.name), as_text(bytes));
  return forged;
}

std::optional<Manifest> Attacker::some_manifest(Store& store, std::string& text) {
  const auto there = keys(store, layout::k_snapshots);
  if (there.empty()) return std::nullopt;
  // The newest one is what the next snapshot builds on.
  const std::string& key = m_random.chance(500) ? there.back() : m_random.pick(there);
  text = as_text(*store.bucket.find(key)->bytes);
  return Manifest::parse(text, key);
}

void Attacker::copy_manifest(Store& store) {
  std::string text;
  auto manifest = some_manifest(store, text);
  if (!manifest) return;
  // Into the other store at times: hosts have not pushed it there, perhaps.
  Store& target = m_random.chance(200) ? (&store == &m_stage.near ? m_stage.far : m_stage.near) : store;
  for (auto& ref : manifest->packs) {
    if (m_random.chance(300)) continue;
    if (const auto forged = forge_pack(store, ref)) {
      ref = *forged;
      if (&target != &store) {
        const auto* object = store.bucket.find(layout::pack_key(forged->name));
        put(target, layout::pack_key(forged->name), as_text(*object->bytes));
      }
    }
  }
  JsonWriter packs;
  packs.begin_object();
  write_packs(packs, manifest->packs);
  packs.member("x", m_random.next() >> 16).end_object().newline();
  const auto last = text.rfind("\n,\"packs\":");
  text = text.substr(0, last + 1) + "," + packs.text().substr(1);
  put(target, layout::manifest_key(manifest->record.series, manifest->record.cut_point, manifest->id, sha256(text)),
      text);
}

void Attacker::plant_pending(Store& store) {
  std::string text;
  const auto manifest = some_manifest(store, text);
  if (!manifest || manifest->closed) return;
  PendingRecord record{random_name(16), 1, m_random.pick(m_stage.machines)->name, m_world.scheduler.now(), {}};
  for (const auto& ref : manifest->packs) {
    if (const auto forged = forge_pack(store, ref)) record.packs.push_back(*forged);
  }
  put(store, layout::pending_key(record.run, record.number), record.text());
}

void Attacker::plant_mark(Store& store) {
  Mark mark;
  mark.time = store.bucket.clock(m_world.scheduler.now());
  if (m_random.chance(500)) mark.time -= m_random.duration(1h, days{30});
  mark.newest_object = mark.time;
  for (const auto& key : keys(store, layout::k_packs)) {
    if (m_random.chance(300)) mark.packs.push_back(*layout::parse_pack_key(key));
  }
  for (const auto& key : keys(store, layout::k_snapshots)) {
    if (m_random.chance(300)) mark.removed.push_back({key, {}});
  }
  put(store, layout::mark_key(mark.time, random_name(16)), mark.text());
}

void Attacker::plant_pin(Store& store) {
  std::string text;
  const auto manifest = some_manifest(store, text);
  if (!manifest) return;
  const Time time = store.bucket.clock(m_world.scheduler.now()) + m_random.duration(1s, days{3});
  put(store, layout::pin_key(manifest->id, time, true, random_name()), "{}");
}

}  // namespace cairn::sim
