// A user's name for a snapshot, and for a path whose series is guessed.
#include "engine/choose/reference.hpp"

#include "repo/layout.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  const Time now = *parse_time("2026-11-21T03:24:10Z");
  std::vector<ReferenceCandidate> candidates;
  for (const char* series : {"db", "a", "db"}) {
    const auto number = std::to_string(candidates.size());
    candidates.push_back({sha256(number), series, now - std::chrono::hours{50 * candidates.size()}});
  }
  candidates.push_back({sha256(std::string_view{"u"}), "db", now, false});
  fuzz::accepted({ErrorKind::usage}, [&] {
    const Reference reference = parse_reference(input);
    for (const std::optional<std::string>& filter : {std::optional<std::string>{}, std::optional<std::string>{"db"}}) {
      fuzz::accepted({ErrorKind::usage, ErrorKind::not_found, ErrorKind::untrusted}, [&] {
        const auto& found = candidates.at(resolve_reference(reference, candidates, filter, now));
        require(found.trusted, "what is not trusted is never meant");
        require(!filter || found.series == *filter, "a filter is obeyed");
      });
    }
  });
  fuzz::accepted({ErrorKind::usage}, [&] {
    require(layout::is_valid_series(default_series(fs::path{input})), "a series that is guessed is one");
  });
}

std::vector<std::string> seeds() {
  return {"latest",
          "db",
          "db@2h",
          "db@1h30m",
          "db@2026-11-21",
          "db@2026-11-21T03:24",
          "db@2026-11-21 03:24:10.5+01:00",
          sha256(std::string_view{"0"}).hex(),
          sha256(std::string_view{"1"}).hex().substr(0, 8),
          "/srv/app/.db/"};
}

const fuzz::Registration k_registration{{"reference", run, seeds}};

}  // namespace
