// Plays schedules of the deterministic simulation and says what they were. A seed that fails is played again, and
// told step by step.
//   cairn_simulation [--seeds N] [--first N] [--every N] [--jobs N] [--replay N]    N schedules
//   cairn_simulation --seed N                                           one, told
#include "schedule.hpp"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::sim;

namespace {

// Lines of a failed schedule that are shown: the end of it.
constexpr std::size_t k_shown = 400;

struct Options {
  std::uint64_t first = 0;
  std::uint64_t seeds = 1000;
  std::uint64_t every = 1;  // seeds from one to the next: what a schedule is about depends on the seed modulo 128
  std::uint64_t jobs = 1;
  std::uint64_t replay = 0;  // every so many-th schedule is played twice; 0: none
  std::optional<std::uint64_t> one;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name{argv[i]};
    const std::string_view text{argv[i + 1]};
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (name == "--first")
      options.first = value;
    else if (name == "--seeds")
      options.seeds = value;
    else if (name == "--every")
      options.every = value;
    else if (name == "--jobs")
      options.jobs = value;
    else if (name == "--replay")
      options.replay = value;
    else if (name == "--seed")
      options.one = value;
    else
      return std::nullopt;
  }
  return argc % 2 == 1 && options.jobs > 0 ? std::optional{options} : std::nullopt;
}

// In memory where there is such a place: nothing here is worth a disk's time.
fs::path scratch_parent() {
  const fs::path memory{"/dev/shm"};
  return ::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
}

int tell(Crew& crew, std::uint64_t seed, const fs::path& scratch) {
  const Verdict verdict = play(crew, seed, Tell::yes, scratch);
  const std::size_t from = verdict.trace.size() > k_shown ? verdict.trace.size() - k_shown : 0;
  for (std::size_t i = from; i < verdict.trace.size(); ++i) fmt::print("{}\n", verdict.trace[i]);
  fmt::print("seed {}: {}, digest {:016x}\n", seed, verdict.violation.empty() ? "well" : verdict.violation,
             verdict.digest);
  return verdict.violation.empty() ? 0 : 1;
}

// One process's share of the seeds: every jobs-th.
int work(const Options& options, std::uint64_t share, const fs::path& scratch) {
  fs::create_directory(scratch);
  ::setenv("TMPDIR", scratch.c_str(), 1);
  Crew crew{k_crew};
  Tally sum;
  std::size_t played = 0, steps = 0, put = 0, removed = 0, manifests = 0, manifests_removed = 0, replayed = 0;
  for (std::uint64_t number = share; number < options.seeds; number += options.jobs) {
    const std::uint64_t seed = options.first + number * options.every;
    const Verdict verdict = play(crew, seed, Tell::no, scratch);
    if (!verdict.violation.empty()) {
      fmt::print("FAILED: seed {}: {}\nonce more, told:\n", seed, verdict.violation);
      tell(crew, seed, scratch);
      fmt::print("replay: cairn_simulation --seed {}\n", seed);
      return 1;
    }
    if (options.replay != 0 && seed % options.replay == 0) {
      ++replayed;
      if (play(crew, seed, Tell::no, scratch).digest != verdict.digest) {
        fmt::print("FAILED: seed {} does not replay\n", seed);
        return 1;
      }
    }
    ++played;
    steps += verdict.steps;
    put += verdict.packs_put;
    removed += verdict.packs_removed;
    manifests += verdict.manifests_put;
    manifests_removed += verdict.manifests_removed;
    sum.runs += verdict.tally.runs;
    sum.refused += verdict.tally.refused;
    sum.killed += verdict.tally.killed;
    sum.snapshots += verdict.tally.snapshots;
    sum.pushed += verdict.tally.pushed;
    sum.prunes += verdict.tally.prunes;
    sum.restores += verdict.tally.restores;
    sum.verifications += verdict.tally.verifications;
    sum.pins += verdict.tally.pins;
  }
  fmt::print(
      "simulation: {} schedules, {} steps, {} runs ({} killed, {} failed); {} snapshots taken, {} pushed, {} "
      "prunes, {} verifications, {} restores, {} pins and unpins; manifests {} put and {} removed, packs {} put and {} "
      "removed; "
      "{} schedules replayed; nothing lost\n",
      played, steps, sum.runs, sum.killed, sum.refused, sum.snapshots, sum.pushed, sum.prunes, sum.verifications,
      sum.restores, sum.pins, manifests, manifests_removed, put, removed, replayed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    fmt::print(stderr,
               "usage: cairn_simulation [--seeds N] [--first N] [--every N] [--jobs N] [--replay N] | --seed N\n");
    return 2;
  }
  const TemporaryDirectory scratch{scratch_parent()};
  if (options->one) {
    ::setenv("TMPDIR", scratch.path().c_str(), 1);
    Crew crew{k_crew};
    return tell(crew, *options->one, scratch.path());
  }
  const auto begin = std::chrono::steady_clock::now();
  std::set<pid_t> children;
  // Processes, not threads: a schedule draws the program's randomness from one place.
  for (std::uint64_t share = 0; share < options->jobs; ++share) {
    const auto child = ::fork();
    if (child < 0) return 1;
    if (child > 0) children.insert(child);
    if (child == 0) {
      const int status = work(*options, share, scratch.path() / std::to_string(share));
      std::fflush(stdout);
      ::_exit(status);
    }
  }
  int failed = 0;
  while (!children.empty()) {
    int status = 0;
    const auto child = ::wait(&status);
    if (child < 0) return 1;
    children.erase(child);
    if (status == 0 || failed++ != 0) continue;
    // One failure is enough.
    for (const auto other : children) ::kill(other, SIGTERM);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("simulation: {} schedules in {:.1f} s, {:.0f} a second: {}\n", options->seeds, took.count(),
             static_cast<double>(options->seeds) / took.count(), failed == 0 ? "passed" : "FAILED");
  return failed == 0 ? 0 : 1;
}
