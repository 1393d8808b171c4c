// The account that a store's earlier descriptors give of it, for a host that has noted nothing of the store itself.
#pragma once

#include "repo/descriptor.hpp"
#include "store/object_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct EarlierDescriptors {
  std::vector<Descriptor> known;  // ascending by generation
  // Keys of those that are damaged or of a later program: nobody knows what they say.
  std::vector<std::string> unreadable;
};

// Of the generations before this one. Error(untrusted) where there are more than anybody makes.
EarlierDescriptors earlier_descriptors(ObjectStore& store, const Descriptor& current);

// Why nothing may be stored on the word of this descriptor alone: the store was encrypted before and is not now, had
// another id, or what it was cannot be read. A part of a sentence about the store. Pure.
std::optional<std::string> doubt_about(const Descriptor& current, const EarlierDescriptors& earlier);

// The newest earlier generation that was encrypted to others than this one is, which key add and remove make, and so
// does somebody who wants to read along.
const Descriptor* before_change_of_recipients(const Descriptor& current, const EarlierDescriptors& earlier);

}  // namespace cairn
