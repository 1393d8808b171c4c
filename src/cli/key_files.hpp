// Files with new keys. Never over a file that is there: it may be the only copy of a key.
#pragma once

#include "codec/age/keys.hpp"
#include "codec/minisign.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"
#include "util/secret.hpp"

#include <functional>
#include <optional>

namespace cairn {

// Durable when it returns; nothing is left where it throws.
void write_new_file(const fs::path& file, ByteView bytes, unsigned mode);

// A new age identity (0600). passphrase: protects it; null: nothing does.
age::Identity write_new_identity(const fs::path& file, const SecretBytes* passphrase);

// A new signing key: PKCS#8 PEM (0600), and FILE.pub, its public key in minisign's form (0644). Both or none.
minisign::SecretKey write_new_signing_key(const fs::path& file);

}  // namespace cairn
