// From what a user writes as a store to an open one.
#pragma once

#include "store/object_store.hpp"
#include "util/log.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// A variable of the environment, or nothing. Tests give their own.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view)>;

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
};

enum class CreateRoot {
  no,   // Error(not_found) where the directory is missing; that a bucket is, its first request tells
  yes,  // init: makes the directory (0700); a bucket is never created
};

// The returned store retries transient failures, and writes each request down where CAIRN_TRACE says so: Error(usage)
// where that file cannot be opened, before anything else. Reads AWS_* through environment. Of S3 nothing is asked yet.
std::unique_ptr<ObjectStore> open_store(const StoreAddress& address, const EnvironmentLookup& environment,
                                        Reporter& reporter, CreateRoot create = CreateRoot::no);

}  // namespace cairn
