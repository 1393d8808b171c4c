#include "store/open.hpp"

#include "store/local_store.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

std::unique_ptr<ObjectStore> open_store(const StoreAddress& address, const EnvironmentLookup& environment,
                                        Reporter& reporter, CreateRoot create) {
  static_cast<void>(environment);
  static_cast<void>(reporter);
  const StoreUrl url = parse_store_url(address.url);
  if (const auto* path = std::get_if<fs::path>(&url)) return std::make_unique<LocalStore>(*path, create);
  throw Error(ErrorKind::usage, fmt::format("unable to open store {}: not a directory", quote(address.url)));
}

}  // namespace cairn
