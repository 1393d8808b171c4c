// Pins a snapshot, or takes its pin off.
//
// Why a pin holds beside a prune that is under way. Prune puts its mark, which names the manifests that it is about to
// remove, and looks at the pins after that; whoever pins puts the pin, and reads the marks after that. So at least one
// of the two knows of the other, and a pin that is reported as set is one that prune obeys.
#pragma once

#include "repo/repository.hpp"

namespace cairn {

enum class PinAction { pin, unpin };

// Returns whether anything had to be changed. signing_key: signs the record; null where there is none.
// Error(not_found) where the snapshot was removed meanwhile, Error(busy) where a prune has announced its removal,
// Error(damaged) where a mark cannot be read, so that this cannot be known: the pin is set then, and may have come too
// late. Error(failed) where the store does not say afterwards what was set, and else what NoteStore::set_pin() throws.
// Warns of unpins that count for nothing here.
bool set_pin(Repository& repository, const SnapshotInfo& snapshot, PinAction action,
             const minisign::SecretKey* signing_key = nullptr);

}  // namespace cairn
