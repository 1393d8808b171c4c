// The one door by which packs, manifests and notes get into a store, whoever made them.
#pragma once

#include "repo/pack.hpp"
#include "store/object_store.hpp"

#include <string>
#include <string_view>

namespace cairn {

// Thread-safe. Throws StoreError.
class ObjectWriter {
 public:
  enum class Sealed { no, yes };
  // sealed: whether the store is encrypted.
  ObjectWriter(ObjectStore& store, Sealed sealed) : m_store(store), m_sealed(sealed) {}

  // A pack under its name. Error(failed), and nothing is put, where the store is encrypted and the pack is not.
  void put_pack(const PackRef& ref, const ObjectBody& body) const;
  // A manifest, which commits its snapshot. Fresh: what its writer knows of the marks grows old while it is tried.
  enum class Manifest { fresh, put_back };
  void put_manifest(const std::string& key, std::string_view text, Manifest which) const;
  // A mark, a pending record, a pin, or a file of recovery material.
  void put_note(const std::string& key, std::string_view text) const;
  // A drill record: never over another object, as far as the store can tell.
  PutOutcome put_drill(const std::string& key, std::string_view text) const;

 private:
  ObjectStore& m_store;
  Sealed m_sealed;
};

}  // namespace cairn
