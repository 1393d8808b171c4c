// What several use cases ask of a store's objects of one kind.
#pragma once

#include "codec/digest.hpp"
#include "repo/notes.hpp"
#include "store/object_store.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>

namespace cairn {

// The packs that are listed, by name, with their sizes. Throws StoreError.
std::unordered_map<Digest, std::uint64_t, DigestHash> pack_sizes(ObjectStore& store);

// Under a name of its own; returns its key. Throws StoreError.
std::string put_mark(ObjectStore& store, const Mark& mark);

}  // namespace cairn
