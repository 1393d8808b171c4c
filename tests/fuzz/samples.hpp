// Real objects and fixed keys, for seeds.
#pragma once

#include "codec/age/age.hpp"
#include "repo/keyring.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"

#include <string>
#include <vector>

namespace cairn::fuzz {

// Opens what is sealed in the corpus. Known to everybody.
const age::Identity& fixed_identity();
// Seals to it and opens with it.
const Keyring& fixed_keyring();

// A pack of a few frames, as the store has it.
PackBuilder::Built sample_pack(const Keyring& keys = no_keys());
Manifest sample_manifest();

}  // namespace cairn::fuzz
