#include "cli/store_watch.hpp"

#include "engine/choose/reference.hpp"

#include <algorithm>

namespace cairn {

namespace {

StoreWatch watch_of_one_store(Session& session, const std::optional<std::string>& store,
                              const std::vector<std::string>& operands) {
  StoreWatch watch{session.store_name(store), {operands.begin(), operands.end()}};
  for (const auto& series : operands) check_series(series);
  return watch;
}

// Each source where it is captured into, and where it is pushed to.
std::vector<StoreWatch> watches_of_sources(Session& session, const std::vector<const SourceConfig*>& sources) {
  std::vector<StoreWatch> out;
  const auto add = [&](const std::string& store, const SourceConfig& source) {
    auto found = std::find_if(out.begin(), out.end(), [&](const auto& watch) { return watch.store == store; });
    if (found == out.end()) found = out.insert(found, {store, {}});
    found->series.insert(source.series);
  };
  for (const SourceConfig* source : sources) {
    add(session.store_name(std::nullopt, source->store), *source);
    for (const auto& store : source->push_to) add(store, *source);
  }
  return out;
}

}  // namespace

std::vector<StoreWatch> watches(Session& session, const std::optional<std::string>& store,
                                const std::vector<std::string>& operands) {
  const Config& config = session.config();
  if (store || config.sources.empty()) return {watch_of_one_store(session, store, operands)};
  if (!operands.empty()) return watches_of_sources(session, config.select_sources(operands));
  std::vector<const SourceConfig*> all;
  for (const auto& [name, source] : config.sources) all.push_back(&source);
  return watches_of_sources(session, all);
}

}  // namespace cairn
