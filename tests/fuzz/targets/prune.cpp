// The decisions of a prune from what a store lists and says, retention with it: times of other hosts lie anywhere. The
// input is read as a scene of a few packs, manifests, marks and pending records.
#include "engine/prune/prune_plan.hpp"
#include "engine/prune/retention.hpp"
#include "target.hpp"

#include <algorithm>
#include <array>

namespace {

using namespace cairn;
using fuzz::require;
using std::chrono::days;
using std::chrono::hours;

const Time k_now = *parse_time("2026-11-21T03:24:10Z");
constexpr unsigned k_packs = 8;

Time take_time(fuzz::Numbers& numbers) {
  static const std::array<Time, 6> k_ends{*parse_time("1677-09-21T00:12:44Z"), Time{},
                                          k_now + std::chrono::minutes{61},    k_now + days{31},
                                          *parse_time("2262-04-11T23:47:15Z"), k_now};
  const unsigned value = numbers.byte();
  if (value >= 250) return k_ends[value - 250];
  return k_now - hours{7 * value};
}

Digest name_of(const char* kind, unsigned number) {
  return sha256(kind + std::to_string(number));
}

std::string key_of(unsigned number) {
  return "snapshots/s/" + std::to_string(number);
}

std::vector<std::uint32_t> take_packs(fuzz::Numbers& numbers) {
  const unsigned bits = numbers.byte();
  std::vector<std::uint32_t> packs;
  for (std::uint32_t i = 0; i < k_packs; ++i) {
    if ((bits >> i & 1) != 0) packs.push_back(i);
  }
  return packs;
}

std::vector<std::string> take_keys(fuzz::Numbers& numbers) {
  std::vector<std::string> keys;
  for (const auto number : take_packs(numbers)) keys.push_back(key_of(number));
  return keys;
}

PruneEvidence take_evidence(fuzz::Numbers& numbers) {
  PruneEvidence evidence;
  evidence.now = take_time(numbers);
  for (unsigned i = 0; i < k_packs; ++i) {
    evidence.packs.push_back({name_of("pack", i), (numbers.byte() & 1) == 0, 100, take_time(numbers)});
  }
  for (unsigned count = numbers.byte() % 6, i = 0; i < count; ++i) {
    PruneEvidence::StoredManifest manifest;
    manifest.key = key_of(i);
    manifest.series = "s";
    manifest.id = name_of("snapshot", numbers.byte() % 4);
    manifest.cut_point = take_time(numbers);
    manifest.stored_at = take_time(numbers);
    manifest.packs = take_packs(numbers);
    manifest.trusted = numbers.byte() % 4 != 0;
    evidence.manifests.push_back(std::move(manifest));
  }
  for (unsigned count = numbers.byte() % 4, i = 0; i < count; ++i) {
    Mark mark;
    mark.time = take_time(numbers);
    mark.newest_object = take_time(numbers);
    for (const auto pack : take_packs(numbers)) mark.packs.push_back(evidence.packs[pack].name);
    mark.seen = take_keys(numbers);
    for (const auto& key : take_keys(numbers)) mark.removed.push_back({key, "bytes"});
    mark.restored = take_keys(numbers);
    evidence.marks.push_back({"marks/" + std::to_string(i), take_time(numbers), std::move(mark)});
  }
  for (unsigned count = numbers.byte() % 3, i = 0; i < count; ++i) {
    evidence.pending.push_back(
        {"pending/" + std::to_string(i), std::to_string(numbers.byte() % 2), take_time(numbers), take_packs(numbers)});
  }
  return evidence;
}

std::map<Digest, RetentionDecision> decide(const PruneEvidence& evidence, fuzz::Numbers& numbers) {
  std::map<Digest, RetentionCandidate> candidates;
  for (const auto& manifest : evidence.manifests) {
    candidates[manifest.id] = {manifest.id, manifest.cut_point, manifest.stored_at, numbers.byte() % 4 == 0,
                               manifest.trusted};
  }
  std::vector<RetentionCandidate> list;
  for (const auto& [id, candidate] : candidates) list.push_back(candidate);
  RetentionPolicy policy;
  policy.keep_last = numbers.byte() % 3;
  policy.keep_hourly = numbers.byte() % 3;
  policy.keep_weekly = numbers.byte() % 3;
  policy.keep_within = hours{24 * numbers.byte()};
  const auto decisions = decide_retention(list, policy, evidence.now);
  std::map<Digest, RetentionDecision> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    require(!decisions[i].reasons.empty(), "a decision has a reason");
    const bool removed = decisions[i].verdict == Verdict::remove;
    require(!removed || (!list[i].pinned && list[i].trusted), "what is pinned or not trusted stays");
    out[list[i].id] = decisions[i];
  }
  return out;
}

// Whether something that counts still needs the pack when the run begins.
bool needed(const PruneEvidence& evidence, const PruneSettings& settings, std::uint32_t pack) {
  const auto names = [&](const auto& item) {
    return std::find(item.packs.begin(), item.packs.end(), pack) != item.packs.end();
  };
  if (std::any_of(evidence.manifests.begin(), evidence.manifests.end(), names)) return true;
  return std::any_of(evidence.pending.begin(), evidence.pending.end(), [&](const auto& record) {
    return names(record) && elapsed(record.modified, evidence.now) < settings.grace;
  });
}

void run(std::string_view input) {
  fuzz::Numbers numbers{input};
  const PruneEvidence evidence = take_evidence(numbers);
  const auto decisions = decide(evidence, numbers);
  PruneSettings settings;
  settings.clock_ok = (numbers.byte() & 1) != 0;
  fuzz::accepted({ErrorKind::usage}, [&] {
    const PrunePlan plan = plan_prune(evidence, decisions, settings);
    for (const auto& stop : plan.stops) fuzz::check_error(stop, {ErrorKind::failed, ErrorKind::damaged});
    for (std::uint32_t i = 0; i < k_packs; ++i) {
      const auto& pack = evidence.packs[i];
      const auto& deleted = plan.deleted_packs;
      if (std::find(deleted.begin(), deleted.end(), pack.name) == deleted.end()) continue;
      require(!needed(evidence, settings, i), "no pack that is needed is deleted");
      require(std::any_of(evidence.marks.begin(), evidence.marks.end(),
                          [&](const auto& stored) {
                            const auto& packs = stored.mark.packs;
                            return !is_void(stored.mark) && elapsed(stored.mark.time, evidence.now) >= settings.grace &&
                                   std::find(packs.begin(), packs.end(), pack.name) != packs.end();
                          }),
              "a pack that is deleted was marked a grace ago");
    }
    for (const auto& name : plan.marked_packs) {
      const auto& deleted = plan.deleted_packs;
      require(std::find(deleted.begin(), deleted.end(), name) == deleted.end(),
              "a pack is marked or deleted, not both");
    }
  });
}

std::vector<std::string> seeds() {
  std::string old_mark(1, '\xff');  // now
  for (unsigned i = 0; i < k_packs; ++i) old_mark += std::string("\x00\x60", 2);
  old_mark += std::string("\x02", 1);
  old_mark += std::string("\x00\x20\x20\x03\x01", 5);
  old_mark += std::string("\x01\x10\x10\x06\x01", 5);
  old_mark += std::string("\x01\x30\x31\xf0\x03\x00\x00\x30", 8);
  old_mark += std::string("\x01\x00\x10\x80", 4);
  old_mark += std::string("\x01\x01\x01\x00\x00\x00\x01", 7);
  return {old_mark, std::string(1, '\xfa') + old_mark.substr(1), std::string(60, '\xfe')};
}

const fuzz::Registration k_registration{{"prune", run, seeds}};

}  // namespace
