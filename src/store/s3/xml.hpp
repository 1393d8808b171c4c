// The few XML documents of S3. Reading is tolerant of what real servers send (references to control characters, any
// namespace, elements in any order) and refuses document types, so no entity is ever expanded. Pure; the caller bounds
// the size.
#pragma once

#include "util/bytes.hpp"
#include "util/time.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn::s3 {

struct ErrorBody {
  std::string code;
  std::string message;
  std::string region;
};

// Nothing where the document is not an <Error>.
std::optional<ErrorBody> parse_error(ByteView xml);

struct ListedObject {
  std::string key;
  std::uint64_t size = 0;
  Time modified;
};
struct ListPage {
  std::vector<ListedObject> objects;
  bool truncated = false;
  std::string next_token;  // opaque; as the server wrote it
};
// Keys are decoded only if the answer says that they are encoded. Nothing for anything but a complete ListObjectsV2
// answer.
std::optional<ListPage> parse_list(ByteView xml);

struct DeleteError {
  std::string key;
  std::string code;
  std::string message;
};
std::optional<std::vector<DeleteError>> parse_delete_result(ByteView xml);

// The body of a DeleteObjects request that asks for errors only.
std::string delete_request(std::span<const std::string> keys);

}  // namespace cairn::s3
