#include "store/object_store.hpp"

namespace cairn {

ObjectBody ObjectBody::from_memory(ByteView bytes) {
  ObjectBody body;
  body.memory = bytes;
  body.size = bytes.size();
  return body;
}

ObjectBody ObjectBody::from_file(fs::path path, std::uint64_t size) {
  ObjectBody body;
  body.file = std::move(path);
  body.size = size;
  return body;
}

}  // namespace cairn
