// From what a user writes as a store to an open one.
#pragma once

#include "store/object_store.hpp"
#include "store/store_address.hpp"
#include "util/environment.hpp"
#include "util/log.hpp"

#include <memory>

namespace cairn {

// The returned store retries transient failures, and writes each request down where CAIRN_TRACE says so: Error(usage)
// where that file cannot be opened, before anything else. Reads AWS_* through environment. Of S3 nothing is asked yet.
std::unique_ptr<ObjectStore> open_store(const StoreAddress& address, const EnvironmentLookup& environment,
                                        Reporter& reporter, CreateRoot create = CreateRoot::no);

}  // namespace cairn
