// The description of a store before it is opened: where it is, and what it is for.
#pragma once

#include "util/rate_limiter.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cairn {

// How long a store that was never reached is tried: by a person who waits for the answer, a few seconds (the address is
// likely wrong); by a job that nobody watches, a minute. Once it was reached both wait for it as long as any operation.
enum class Patience { person, job };

// A path, file:///path, or s3://bucket/prefix[?endpoint=URL&region=R&style=auto|path|virtual], with what a
// configuration adds. An option in the URL wins over the same one in the fields, those win over the environment.
struct StoreAddress {
  std::string url;
  std::optional<std::string> endpoint = {};
  std::optional<std::string> region = {};
  std::optional<std::string> style = {};  // auto, path, virtual
  std::optional<std::string> ca_file = {};
  std::optional<std::string> profile = {};  // of the shared credentials files
  Patience patience = Patience::job;
  // How fast its bytes may come, all stores with the same one together; null: as they can.
  std::shared_ptr<RateLimiter> downloads = nullptr;
};

enum class CreateRoot {
  no,   // Error(not_found) where the directory is missing; that a bucket is, its first request tells
  yes,  // init: makes the directory (0700); a bucket is never created
};

}  // namespace cairn
