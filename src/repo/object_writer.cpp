#include "repo/object_writer.hpp"

#include "repo/layout.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

void ObjectWriter::put_pack(const PackRef& ref, const ObjectBody& body) const {
  const std::string key = layout::pack_key(ref.name);
  if (m_sealed == Sealed::yes && !is_sealed(ref.seal)) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to put pack {} to {}: the store is encrypted and the pack is not", quote(key),
                            quote(m_store.describe())));
  }
  m_store.put(key, body);
}

void ObjectWriter::put_manifest(const std::string& key, std::string_view text, Manifest which) const {
  ObjectBody body = ObjectBody::from_text(text);
  body.ages = which == Manifest::fresh;
  m_store.put(key, body);
}

void ObjectWriter::put_note(const std::string& key, std::string_view text) const {
  m_store.put(key, ObjectBody::from_text(text));
}

PutOutcome ObjectWriter::put_drill(const std::string& key, std::string_view text) const {
  const auto mode = m_store.capabilities().create_only ? PutMode::create_only : PutMode::replace;
  return m_store.put(key, ObjectBody::from_text(text), mode);
}

}  // namespace cairn
