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

void ObjectStore::list_after(const std::string& prefix, const std::string& after,
                             const std::function<void(const ObjectInfo&)>& visit) {
  list(prefix, [&](const ObjectInfo& info) {
    if (info.key > after) visit(info);
  });
}

}  // namespace cairn
