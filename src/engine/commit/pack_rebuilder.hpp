// A pack of one store made ready for another, or for the same one under another name.
#pragma once

#include "repo/pack.hpp"
#include "repo/repository.hpp"
#include "util/file.hpp"

#include <functional>
#include <optional>

namespace cairn {

// Reads a pack, verifies every chunk, and builds a pack with the same chunks in the same frames, sealed by `keys`. Its
// logical id is the same. A sealed pack is for the recipients alone. spool: where its file is built; nothing: in
// memory. progress: told of stored bytes that were read. Error(damaged) where the pack is gone or wrong, Error(no_key)
// where it cannot be opened.
PackBuilder::Built rebuild_pack(Repository& from, const PackRef& pack, const Keyring& keys,
                                const std::optional<Spool>& spool,
                                const std::function<void(std::uint64_t)>& progress = {});

// The same bytes behind a fresh header, so that the name is another one. Sealed data stays sealed as it is; only the
// directory is opened. The bytes are checked against the pack's name. Errors as above.
PackBuilder::Built copy_pack(Repository& from, const PackRef& pack, const std::optional<Spool>& spool,
                             const std::function<void(std::uint64_t)>& progress = {});

// Packs up to this size are made in memory, larger ones in the spool.
inline constexpr std::uint64_t k_spool_above = 32ULL << 20;

// Where large packs wait: the store's own place, so that no byte is copied twice; else the one that was asked for; else
// the system's.
Spool spool_for(ObjectStore& store, const std::optional<fs::path>& asked);

}  // namespace cairn
