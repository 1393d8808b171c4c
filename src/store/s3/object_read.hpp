// Reading an object, or a range of it, over as many answers as it takes: one that breaks off in its middle is gone on
// with from the byte that was reached.
#pragma once

#include "store/object_store.hpp"
#include "store/s3/http.hpp"

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>

namespace cairn::s3 {

// Pure, but for the bytes that it holds. Objects are immutable; that it is the same one still is asked for all the same
// (If-Match), and told by its length.
class ObjectRead {
 public:
  // range: not empty.
  explicit ObjectRead(std::optional<ByteRange> range) : m_range(range) {}

  // Of the next request.
  Pairs headers() const;
  std::uint64_t max_response() const noexcept;

  // Takes what came of an answer before it broke off, and says how many bytes that is. None where the answer is not the
  // one that was asked for.
  std::uint64_t keep(HttpResponse&& broken_off);
  // Bytes that are here already.
  std::uint64_t reached() const noexcept { return m_bytes.size(); }
  // Begins anew: the object is not the one that it was, or the server does not go on in the middle.
  void restart();

  // A whole answer with success. Nothing: all is here, and take() gives it; else why the answer cannot be right.
  struct Wrong {
    std::string cause;
    bool transient = false;
  };
  std::optional<Wrong> finish(HttpResponse&& response);
  Bytes take() noexcept { return std::move(m_bytes); }

 private:
  std::uint64_t begin() const noexcept { return (m_range ? m_range->offset : 0) + m_bytes.size(); }
  std::uint64_t last() const noexcept;
  std::optional<Wrong> finish_first(HttpResponse&& response);
  std::optional<Wrong> finish_rest(HttpResponse&& response);

  std::optional<ByteRange> m_range;
  Bytes m_bytes;
  // Of the object, once an answer has told.
  std::optional<std::string> m_etag;
  std::optional<std::uint64_t> m_total;
};

// Those that broke off and whose caller was told so: he asks for the same again a little later. Thread-safe; holds a
// few of them.
class BrokenReads {
 public:
  void put(const std::string& key, const std::optional<ByteRange>& range, ObjectRead read);
  // A new one where there is none.
  ObjectRead take(const std::string& key, const std::optional<ByteRange>& range);

 private:
  struct Broken {
    std::string key;
    std::optional<ByteRange> range;
    ObjectRead read;
  };
  std::mutex m_mutex;
  std::list<Broken> m_oldest_first;
};

}  // namespace cairn::s3
