#include "matrix.hpp"

#include "trial.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace cairn::hammer {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t k_lock_byte = 0x40000000;

std::vector<Settings> all_combinations() {
  std::vector<Settings> all;
  for (int page_size = 512; page_size <= 65536; page_size *= 2) {
    for (const AutoVacuum vacuum : {AutoVacuum::none, AutoVacuum::full, AutoVacuum::incremental}) {
      Settings settings;
      settings.page_size = page_size;
      settings.auto_vacuum = vacuum;
      for (const char* checkpoints : {"auto", "passive", "full", "restart", "truncate", "none"}) {
        settings.checkpoints = checkpoints;
        all.push_back(settings);
      }
      // A log that is cut off or removed would leave the header to be believed.
      settings.rollback_header = true;
      for (const char* checkpoints : {"auto", "passive", "none"}) {
        settings.checkpoints = checkpoints;
        all.push_back(settings);
      }
      settings.rollback_header = false;
      settings.checkpoints = "-";
      for (const char* mode : {"delete", "truncate", "persist"}) {
        settings.journal_mode = mode;
        all.push_back(settings);
      }
    }
  }
  return all;
}

// Deals all kinds equally often, in any order.
class Deck {
 public:
  Deck(std::vector<Kind> kinds, std::uint64_t seed) : m_kinds(std::move(kinds)), m_random(seed) {}
  Kind deal() {
    if (m_left.empty()) {
      m_left = m_kinds;
      std::ranges::shuffle(m_left, m_random);
    }
    const Kind kind = m_left.back();
    m_left.pop_back();
    return kind;
  }

 private:
  const std::vector<Kind> m_kinds;
  std::mt19937_64 m_random;
  std::vector<Kind> m_left;
};

std::vector<Kind> kinds_of_wal() {
  std::vector<Kind> kinds{Kind::live,       Kind::slow,       Kind::slow,   Kind::connections,
                          Kind::backfilled, Kind::backfilled, Kind::killed, Kind::rested};
  if (can_change_user()) {
    kinds.insert(kinds.end(), {Kind::live_stranger, Kind::killed_stranger, Kind::rested_stranger});
  }
  return kinds;
}

// Nothing that happens after the first read matters to a copy.
std::vector<Kind> kinds_of_rollback() {
  std::vector<Kind> kinds = kinds_of_wal();
  std::erase_if(kinds, [](Kind kind) { return kind == Kind::slow || kind == Kind::backfilled; });
  return kinds;
}

// Figures by each thing that a capture can be told by.
class Figures {
 public:
  void add(const Settings& settings, Kind kind, const Tally& tally) {
    constexpr std::array<const char*, 3> k_vacuums{"none", "full", "incremental"};
    m_kinds[static_cast<std::size_t>(kind)] += tally;
    m_counts["journal_mode"][settings.rollback_header ? "wal, header of rollback" : settings.journal_mode] +=
        tally.captures;
    if (settings.journal_mode == "wal") m_counts["checkpoints"][settings.checkpoints] += tally.captures;
    m_counts["page_size"][fmt::format("{:5}", settings.page_size)] += tally.captures;
    m_counts["auto_vacuum"][k_vacuums.at(static_cast<std::size_t>(settings.auto_vacuum))] += tally.captures;
    for (const auto& [mode, count] : tally.modes) m_counts["read by"][mode] += count;
    m_sum += tally;
  }

  const Tally& sum() const { return m_sum; }

  void print() const {
    fmt::print("{:20} {:>8} {:>7} {:>7} {:>7} {:>9} {:>9} {:>5} {:>10} {:>6}\n", "", "captures", "in wal", "backup",
               "staged", "commits", "restarted", "busy", "slowest s", "wrong");
    for (const auto& [kind, tally] : m_kinds) {
      const auto mode = [&, &modes = tally.modes](const char* name) {
        const auto at = modes.find(name);
        return at == modes.end() ? 0 : at->second;
      };
      fmt::print("{:20} {:8} {:7} {:7} {:7} {:9} {:9} {:5} {:10.2f} {:6}\n", k_kind_names.at(kind), tally.captures,
                 mode("wal"), mode("backup"), mode("staged"), tally.commits, tally.restarted, tally.busy, tally.slowest,
                 tally.wrong);
    }
    for (const auto& [what, counts] : m_counts) {
      fmt::print("{:12}", what);
      for (const auto& [value, count] : counts) fmt::print(" {} {}", value, count);
      fmt::print("\n");
    }
    std::fflush(stdout);
  }

 private:
  std::map<std::size_t, Tally> m_kinds;
  std::map<std::string, std::map<std::string, int>> m_counts;
  Tally m_sum;
};

int conclude(const Figures& figures, int faults, Clock::time_point begun) {
  const Tally& sum = figures.sum();
  if (!can_change_user()) fmt::print("NOT TESTED, needs root: captures by other users\n");
  const auto seconds = std::chrono::duration<double>{Clock::now() - begun}.count();
  if (sum.wrong == 0 && faults == 0) {
    fmt::print("{} captures, each exactly one committed state ({:.0f} s, {:.1f} GB)\n", sum.captures, seconds,
               static_cast<double>(sum.bytes) / 1e9);
    return 0;
  }
  fmt::print("{} captures, {} wrong; {} faults of the application\n", sum.captures, sum.wrong, faults);
  return 1;
}

}  // namespace

int run_matrix(const fs::path& parent, int captures, std::uint64_t seed) {
  const auto begun = Clock::now();
  std::mt19937_64 random{seed};
  std::vector<Settings> combinations = all_combinations();
  std::ranges::shuffle(combinations, random);
  if (static_cast<std::size_t>(captures) < combinations.size()) combinations.resize(static_cast<std::size_t>(captures));
  Deck wal{kinds_of_wal(), seed};
  Deck rollback{kinds_of_rollback(), seed};
  Figures figures;
  int faults = 0;
  int deaths = 0;
  std::int64_t commits = 0;
  std::uint64_t checkpoints = 0;
  for (std::size_t i = 0; i < combinations.size(); ++i) {
    Settings settings = combinations[i];
    settings.seed = random();
    settings.synchronous = i % 3 == 0;
    Trial trial{parent, settings};
    // The remainder goes to the first ones.
    const auto share = static_cast<int>(static_cast<std::size_t>(captures) / combinations.size() +
                                        (i < static_cast<std::size_t>(captures) % combinations.size() ? 1 : 0));
    for (int n = 0; n < share; ++n) {
      const Kind kind = (settings.journal_mode == "wal" ? wal : rollback).deal();
      figures.add(settings, kind, trial.capture(kind));
    }
    faults += trial.finish();
    deaths += trial.deaths();
    commits += trial.commits();
    checkpoints += trial.checkpoints();
  }
  fmt::print("{} databases, each with {} writers: {} commits, {} checkpoints by others, {} processes killed\n",
             combinations.size(), k_writers, commits, checkpoints, deaths);
  figures.print();
  return conclude(figures, faults, begun);
}

int run_large(const fs::path& parent, int databases, std::uint64_t seed) {
  const auto begun = Clock::now();
  std::vector<Settings> all(3);
  all[0].checkpoints = "passive";
  all[1].page_size = 1024;
  all[1].auto_vacuum = AutoVacuum::full;
  all[1].checkpoints = "auto";
  all[2].page_size = 2048;
  all[2].journal_mode = "delete";
  all[2].checkpoints = "-";
  all.resize(std::min(all.size(), static_cast<std::size_t>(databases)));
  Figures figures;
  int faults = 0;
  int beyond = 0;
  for (Settings& settings : all) {
    settings.pages_before_lock_page = 20;
    settings.vacuum = false;  // it would write all of it again
    settings.seed = seed;
    Trial trial{parent, settings};
    const std::vector<Kind> kinds = settings.journal_mode == "wal" ? std::vector{Kind::slow, Kind::backfilled}
                                                                   : std::vector{Kind::live, Kind::killed};
    for (const Kind kind : kinds) {
      const Tally tally = trial.capture(kind);
      figures.add(settings, kind, tally);
      if (trial.image_size() > k_lock_byte + static_cast<std::uint64_t>(settings.page_size)) ++beyond;
    }
    faults += trial.finish();
  }
  figures.print();
  fmt::print("{} images go beyond the page of the lock bytes\n", beyond);
  if (beyond == 0) ++faults;
  return conclude(figures, faults, begun);
}

int run_planted(const fs::path& parent, int captures, std::uint64_t seed) {
  Figures figures;
  for (const char* checkpoints : {"passive", "auto", "truncate"}) {
    Settings settings;
    settings.checkpoints = checkpoints;
    settings.deaths = false;
    settings.seed = seed;
    Trial trial{parent, settings};
    for (int i = 0; i < captures; ++i) {
      const Kind kind = i % 2 == 0 ? Kind::backfilled : Kind::slow;
      figures.add(settings, kind, trial.capture(kind, Plant::lost_locks));
    }
  }
  figures.print();
  const Tally& sum = figures.sum();
  fmt::print("locks lost during {} captures: {} wrong images found, {} given up by the capture itself\n", sum.captures,
             sum.wrong - sum.refused, sum.refused);
  return sum.wrong > sum.refused ? 0 : 1;
}

}  // namespace cairn::hammer
