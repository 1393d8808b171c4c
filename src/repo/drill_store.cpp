#include "repo/drill_store.hpp"

#include "repo/format.hpp"
#include "repo/future_dated.hpp"
#include "repo/layout.hpp"
#include "repo/loaded.hpp"
#include "repo/whole_object.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_at_once = 32;
constexpr std::uint64_t k_bytes_at_once = 64ULL << 20;
// More than the tables of any database take.
constexpr std::uint64_t k_largest = 16ULL << 20;
constexpr const char* k_kind = "drills";  // in the cache
constexpr std::size_t k_hex_digits = 2 * sizeof(Digest::bytes);

}  // namespace

// In the cache its digest stands before it.
std::optional<StoredDrill> DrillStore::load(const ObjectInfo& info) {
  if (info.size > k_largest) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged drill record {}: it is larger than {} bytes", quote(info.key), k_largest));
  }
  const std::string name = fs::path{info.key}.filename().native();
  std::optional<std::string> text;
  if (const auto kept = m_basis.cache.get_of_size(k_kind, name, info.size); kept && kept->size() > k_hex_digits) {
    const std::string_view body = as_text(*kept).substr(k_hex_digits);
    if (sha256(body).hex() == as_text(*kept).substr(0, k_hex_digits)) text = std::string{body};
  }
  if (!text) {
    const auto stored = get_whole(m_basis.store, info);
    if (!stored) return std::nullopt;
    text = std::string{as_text(*stored)};
  }
  StoredDrill out{info.key, info.modified, DrillRecord::parse(*text, info.key, *m_basis.keys), true, {}};
  check_key(out.record, info.key);
  m_basis.cache.put_of_size(k_kind, name, info.size, sha256(*text).hex() + *text);
  const auto judged = m_basis.trust.judge(drill_line(out.record, out.record.unsigned_digest), out.record.series,
                                          out.record.signatures, info.modified);
  out.trusted = judged.trusted;
  out.signer = judged.signer;
  return out;
}

std::vector<StoredDrill> DrillStore::list(const std::string& series) {
  std::vector<ObjectInfo> listed;
  m_basis.store.list(series.empty() ? layout::k_drills : layout::k_drills + series + "/", [&](const ObjectInfo& info) {
    if (layout::parse_drill_key(info.key)) listed.push_back(info);
  });
  std::vector<StoredDrill> out;
  const auto take = [&](Loaded<ObjectInfo, StoredDrill> loaded) {
    if (loaded.failure) {
      m_basis.reporter.warning(fmt::format("{}; it is passed over", loaded.failure->message()));
    } else if (loaded.value && is_future_dated(loaded.value->record.time, loaded.info->modified)) {
      m_basis.reporter.warning(fmt::format("drill record {} is dated after it came to the store; it is passed over",
                                           quote(loaded.info->key)));
    } else if (loaded.value) {
      out.push_back(std::move(*loaded.value));
    }
  };
  OrderedWindow<Loaded<ObjectInfo, StoredDrill>> window{m_basis.io, k_at_once, k_bytes_at_once, take};
  for (const auto& info : listed) {
    check_interrupted();
    window.push(info.size, [this, &info] { return cairn::load(info, [&] { return load(info); }); });
  }
  window.drain();
  return out;
}

std::string DrillStore::text_of(const DrillRecord& record) const {
  return record.text(*m_basis.keys, m_basis.signing_key.get());
}

std::string DrillStore::store(const DrillRecord& record) {
  std::string key = layout::drill_key(record.series, record.time, record.id, random_name());
  put(key, text_of(record));
  return key;
}

void DrillStore::put(const std::string& key, std::string_view text) {
  check_requirements(m_basis.descriptor.requirements, Operation::write, m_basis.store.describe());
  // A retry may find what its first attempt put.
  if (m_basis.writer.put_drill(key, text) == PutOutcome::stored) return;
  const auto there = m_basis.store.get(key, ByteRange{0, text.size() + 1});
  if (there && as_text(*there) == text) return;
  throw Error(ErrorKind::failed, fmt::format("unable to put drill record {}: another object has its name", quote(key)));
}

NewestDrills newest_drills(std::vector<StoredDrill> drills) {
  NewestDrills out;
  for (auto& drill : drills) {
    if (!drill.trusted) continue;
    const auto [at, is_new] = out.try_emplace(drill.record.id, drill);
    if (is_new) continue;
    const auto rank = [](const StoredDrill& each) { return std::tie(each.record.time, each.key); };
    if (rank(at->second) < rank(drill)) at->second = std::move(drill);
  }
  return out;
}

}  // namespace cairn
