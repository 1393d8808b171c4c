// From what a user writes as a store to an open one.
#pragma once

#include "store/object_store.hpp"
#include "store/store_address.hpp"
#include "util/environment.hpp"
#include "util/log.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cairn {

// An address that means the same store on any machine, whatever its environment and configuration. No secrets.
struct WholeAddress {
  std::string url;                    // as --store takes it: an absolute path, or s3://... with all that it needs
  std::optional<std::string> bucket;  // nothing: it is a directory
  std::string endpoint;               // of a bucket, "https://host"; empty: AWS
};
// Reads AWS_* through environment. Error(usage) for an address that is none.
WholeAddress whole_address(const StoreAddress& address, const EnvironmentLookup& environment);
// Where the keys for a bucket come from: "the environment (AWS_ACCESS_KEY_ID)"; nothing for a directory. Error(usage)
// where there are none.
std::optional<std::string> credentials_of(const StoreAddress& address, const EnvironmentLookup& environment);

// The returned store retries transient failures, and writes each request down where CAIRN_TRACE says so: Error(usage)
// where that file cannot be opened, before anything else. Reads AWS_* through environment. Of S3 nothing is asked yet.
std::unique_ptr<ObjectStore> open_store(const StoreAddress& address, const EnvironmentLookup& environment,
                                        Reporter& reporter, CreateRoot create = CreateRoot::no);

}  // namespace cairn
