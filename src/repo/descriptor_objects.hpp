// The descriptor of a store as objects in it: one for each generation.
#pragma once

#include "repo/descriptor.hpp"
#include "store/object_store.hpp"
#include "util/error.hpp"

namespace cairn {

// For errors of kind not_found.
inline constexpr const char* k_init_hint =
    "create one with: cairn init --store STORE, and --recipient AGE or --no-encryption";

// Makes the descriptor of a new store. The root is empty of Cairn's objects, else Error(usage) "already a store". Of
// several at the same time one succeeds at most, and the store has one descriptor (or, rarely, none: Error(busy)).
Descriptor init_store(ObjectStore& store, const Descriptor& descriptor);

// The error that init_store() throws where there is a store already.
Error already_a_store(const ObjectStore& store);
// Whether there are snapshots or packs, with a descriptor or without.
bool has_content(ObjectStore& store);

// The descriptor of the highest generation. None: Error(not_found) with a hint to run init.
Descriptor read_descriptor(ObjectStore& store);
// Adds a generation. Error(busy) where somebody else did at the same time; Error(failed) where the one that it was
// made from asks writers for an unknown feature, or has members that are not known and would be lost.
void put_descriptor(ObjectStore& store, const Descriptor& descriptor);

}  // namespace cairn
