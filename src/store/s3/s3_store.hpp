// A bucket, or a prefix of one, as an object store: single PUTs with Content-MD5 and a signed SHA-256, which every
// vendor accepts; no multipart upload. A GET whose connection dies in the middle of the body goes on from the byte that
// was reached, at once as long as that gets somewhere; where it does not, the caller is told, and goes on when he asks
// again.
#pragma once

#include "store/object_store.hpp"
#include "store/s3/client.hpp"
#include "store/s3/object_read.hpp"

#include <atomic>

namespace cairn::s3 {

class S3Store : public ObjectStore {
 public:
  // clock: this machine's. No request is sent yet.
  S3Store(
      Location location, CredentialSource credentials, Reporter& reporter,
      std::function<Time()> clock = [] { return std::chrono::system_clock::now(); });

  // "s3://bucket/prefix"
  std::string describe() const override;
  // Create-only PUT counts as absent until a probe, or what an earlier one recorded, says that it is there.
  Capabilities capabilities() override { return {.create_only = m_create_only.load()}; }
  bool probe_create_only() override;
  void set_create_only(bool probed) override { m_create_only = probed; }

  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override;
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override;
  std::optional<ObjectInfo> head(const std::string& key) override;
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override;
  void list_after(const std::string& prefix, const std::string& after,
                  const std::function<void(const ObjectInfo&)>& visit) override;
  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override;
  // The Date header of a listing of at most one key: also the cheapest check of bucket, keys and rights.
  Time now() override;
  std::uint64_t requests() const override { return m_client.requests(); }

 private:
  enum class ConditionalPut { stored, exists, unsupported };

  Call bucket_call(std::string method, std::string verb) const;
  Call object_call(std::string method, const std::string& key, std::string verb) const;
  Answer put_object(const std::string& key, const ObjectBody& body, bool only_if_absent, Call& call);
  ConditionalPut put_if_absent(const std::string& key, const ObjectBody& body, Call& call);
  // Whether the answer is a 404 that means that the object is not there. One that S3 itself sent may mean the bucket;
  // one that a proxy or a balancer sent means nothing, so a listing is asked: Transient where it shows the object.
  bool is_absent(const Call& call, const Answer& answer);
  struct Listing {
    Answer answer;
    ListPage page;
  };
  std::optional<std::optional<Bytes>> read_on(const std::string& key, bool is_range, ObjectRead& read);
  Listing list_page(Call& call);
  bool remove_batch(std::span<const std::string> keys, std::vector<RemoveFailure>& failures);
  void remove_one(const std::string& key, std::vector<RemoveFailure>& failures);
  std::string full_key(const std::string& key) const;

  Client m_client;
  BrokenReads m_broken_reads;
  std::atomic<bool> m_create_only{false};
  std::atomic<bool> m_bucket_seen{false};  // a listing came, or S3 said that it lacks an object
  std::atomic<bool> m_batch_delete{true};
};

}  // namespace cairn::s3
