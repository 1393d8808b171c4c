#include "engine/snapshot/series_history.hpp"

#include "engine/choose/dated_ahead.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

class HistoryReader {
 public:
  HistoryReader(Context& context, const std::vector<ManifestInfo>& manifests, const std::string& series,
                const PackThere& usable)
      : m_context(context),
        m_manifests(manifests),
        m_series(series),
        m_usable(usable),
        m_dated_ahead(context.repository.store(), context.clock()) {}

  SeriesHistory read() {
    for (const auto& info : m_manifests) {
      if (info.name.series != m_series) continue;
      const auto [at, added] = m_first_stored.emplace(rank(info), info.stored_at);
      if (!added) at->second = std::min(at->second, info.stored_at);
    }
    const layout::ManifestKey* looked_at = nullptr;
    for (const auto& info : m_manifests) {
      if (info.name.series != m_series) continue;
      if (m_history.base) break;
      if (looked_at != nullptr && same_snapshot(*looked_at, info.name)) continue;
      looked_at = &info.name;
      consider(info);
    }
    settle();
    return std::move(m_history);
  }

 private:
  using Rank = std::pair<Time, std::string>;
  static Rank rank(const ManifestInfo& info) { return {info.name.cut_point, info.name.id}; }

  // A damaged one costs deduplication against it, nothing else.
  void consider(const ManifestInfo& info) {
    auto read = read_best_copy(m_context.repository, copies_of(info, m_manifests), CopyTrust::demanded, m_usable);
    if (read.found) return take(std::move(*read.found), std::move(read.others), m_first_stored.at(rank(info)));
    for (const auto& failure : read.failures) {
      // Only a later program can read it.
      if (failure.kind() == ErrorKind::failed) throw Error{failure};
      m_context.reporter.warning(fmt::format("{}; it is left out of account", failure.message()));
    }
    if (!read.failures.empty()) return;
    m_context.reporter.warning(fmt::format("snapshot {} of series {} is not trusted; it is left out of account",
                                           info.name.id, quote(m_series)));
  }

  void take(CopyRead::Copy found, std::vector<CopyRead::Copy> copies, Time stored_at) {
    Manifest manifest = std::move(found.manifest);
    const Record& record = manifest.record;
    const bool ahead = m_dated_ahead(record.cut_point, stored_at) != Ahead::no;
    const SeriesHistory::Last last{manifest.id, record.cut_point, stored_at, manifest.closed, ahead};
    m_history.sequence = std::max(m_history.sequence, record.sequence);
    if (!ahead && !m_history.last) m_history.last = last;
    if (ahead && !m_ahead) {
      m_ahead = last;
      // The run that took it was warned; each run to come need not be.
      m_context.reporter.info(fmt::format(
          "snapshot {} of series {} is dated {}, by a clock that was ahead; the next one does not follow it",
          manifest.id.short_hex(), quote(m_series), format_time_short(record.cut_point)));
    }
    if (manifest.closed) return;
    m_opened = true;
    auto& owner = ahead ? m_owner_ahead : m_history.owner;
    if (!owner) owner = manifest.facts;
    const bool sound = !ahead && record.doubt == Doubt::none;
    const SnapshotStats& stats = manifest.facts.stats;
    if (sound && !m_history.before.size) m_history.before.size = SourceSize{stats.files, stats.bytes};
    if (!manifest.requirements.write.empty()) {
      // Taken by a later program, which knows why this one must not build on it.
      m_context.reporter.warning(fmt::format("snapshot {} of series {} needs a newer program to base another one on it",
                                             manifest.id.short_hex(), quote(m_series)));
      return;
    }
    auto& place = sound ? m_history.base : ahead ? m_base_ahead : m_base_doubtful;
    if (place) return;
    place = std::move(manifest);
    for (auto& copy : copies) m_history.copies.push_back(std::move(copy.manifest));
  }

  void settle() {
    if (!m_history.last) m_history.last = m_ahead;
    m_history.before.closed = m_history.last && !m_opened;
    if (!m_history.owner) m_history.owner = std::move(m_owner_ahead);
    for (auto* passed_over : {&m_base_doubtful, &m_base_ahead}) {
      if (!*passed_over) continue;
      if (m_history.base) {
        m_history.others.push_back(std::move(**passed_over));
      } else {
        m_history.base = std::move(*passed_over);
      }
    }
  }

  Context& m_context;
  const std::vector<ManifestInfo>& m_manifests;
  const std::string& m_series;
  const PackThere& m_usable;
  DatedAhead m_dated_ahead;
  std::map<Rank, Time> m_first_stored;  // of each snapshot
  bool m_opened = false;                // at least one
  std::optional<SeriesHistory::Last> m_ahead;
  std::optional<Facts> m_owner_ahead;
  std::optional<Manifest> m_base_doubtful;
  std::optional<Manifest> m_base_ahead;
  SeriesHistory m_history;
};

bool is_same_source(const Facts& facts, const std::string& host, const SeriesClaim& claim) {
  return facts.host == host && facts.kind == claim.kind && facts.source == claim.source;
}

// The newest snapshot was taken by a host with another key, or with none, or this one has lost its own. The new one is
// its successor all the same, but what it is compared with is the newest that can be opened.
void check_closed_last(Context& context, const SeriesHistory& history, const std::string& series,
                       const SeriesClaim& claim) {
  const auto& last = *history.last;
  // Where something can be opened, it is of this source: else the claim was refused.
  const bool own = context.repository.cache().get(k_own_snapshots, last.id.hex()).has_value() || claim.taken_before ||
                   history.owner.has_value();
  const bool could_open_its_own = claim.own_key_since && *claim.own_key_since < last.stored_at;
  if (claim.defaulted && !own && could_open_its_own) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to use {} as the series: its newest snapshot is sealed to the key of another host",
                            quote(series)),
                "name the series with --series NAME");
  }
  const char* const other_host =
      claim.defaulted ? "; if another host takes it, give this one a series of its own with --series" : "";
  if (!history.base) {
    context.reporter.warning(
        fmt::format("no snapshot of series {} was sealed to this host's own key: everything is read and stored again{}",
                    quote(series), other_host));
  } else if (claim.defaulted) {
    context.reporter.warning(
        fmt::format("the newest snapshot of series {} was not sealed to this host's own key: it is "
                    "compared with an older one{}",
                    quote(series), other_host));
  }
}

}  // namespace

SeriesHistory read_history(Context& context, const std::vector<ManifestInfo>& manifests, const std::string& series,
                           const PackThere& usable) {
  return HistoryReader{context, manifests, series, usable}.read();
}

void check_claim(Context& context, const SeriesHistory& history, const std::string& series, const SeriesClaim& claim) {
  if (!history.last) return;
  if (!claim.defaulted || !history.owner || is_same_source(*history.owner, context.host, claim)) {
    if (history.last->closed) check_closed_last(context, history, series, claim);
    return;
  }
  const Facts& facts = *history.owner;
  throw Error(ErrorKind::usage,
              fmt::format("unable to use {} as the series: its newest snapshot is of the {} {} on {}", quote(series),
                          facts.kind, quote(facts.source), quote(facts.host)),
              "name the series with --series NAME");
}

}  // namespace cairn
