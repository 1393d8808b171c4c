#include "cli/store_access.hpp"

#include "util/error.hpp"

#include <unistd.h>

namespace cairn {

namespace {

std::optional<std::string> nonempty(const EnvironmentLookup& environment, std::string_view name) {
  auto value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

}  // namespace

fs::path cache_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment,
                         bool is_root) {
  if (const auto own = environment("CAIRN_CACHE_DIR")) return *own;
  if (configured) return *configured;
  // The XDG specification ignores relative paths.
  if (const auto xdg = nonempty(environment, "XDG_CACHE_HOME"); xdg && xdg->front() == '/')
    return fs::path{*xdg} / "cairn";
  if (const auto home = nonempty(environment, "HOME")) return fs::path{*home} / ".cache/cairn";
  if (is_root) return "/var/cache/cairn";
  return {};
}

OpenStore open_existing_store(const StoreAddress& address, const fs::path& cache, const EnvironmentLookup& environment,
                              Reporter& reporter) {
  OpenStore open;
  open.store = open_store(address, environment, reporter);
  RepositoryOptions options;
  options.cache_root = cache;
  open.repository = std::make_unique<Repository>(*open.store, reporter, options);
  return open;
}

}  // namespace cairn
