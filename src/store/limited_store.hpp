// A store of this machine (a directory, which may be a mount of another one) read no faster than somebody asked for.
#pragma once

#include "store/forwarding_store.hpp"
#include "util/rate_limiter.hpp"

#include <memory>

namespace cairn {

// The bytes that get() returns count; a range that takes long is asked for piece by piece, so that they come evenly. S3
// is limited where its bytes arrive (s3/http.hpp).
class LimitedStore : public ForwardingStore {
 public:
  LimitedStore(std::unique_ptr<ObjectStore> store, std::shared_ptr<RateLimiter> downloads);
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;

 private:
  std::optional<Bytes> get_pieces(const std::string& key, ByteRange range);

  std::shared_ptr<RateLimiter> m_downloads;
};

}  // namespace cairn
