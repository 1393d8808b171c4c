#include "cli/key_files.hpp"

#include "codec/age/age.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

void write_new_file(const fs::path& file, ByteView bytes, unsigned mode) {
  const UniqueFd fd = open_file(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    write_all(fd.get(), bytes, file);
    sync_file(fd.get(), file);
  } catch (const Error&) {
    ::unlink(file.c_str());
    throw;
  }
}

age::Identity write_new_identity(const fs::path& file, const SecretBytes* passphrase) {
  auto identity = age::Identity::generate();
  const std::string head = fmt::format("# public key: {}\n", identity.recipient().text());
  SecretBytes text{head.size() + identity.text().size() + 1};
  std::copy(head.begin(), head.end(), text.data());
  const auto secret = identity.text();
  std::copy_n(secret.data(), secret.size(), text.data() + head.size());
  text.data()[text.size() - 1] = '\n';
  if (passphrase != nullptr) {
    write_new_file(file, as_bytes(age::encrypt_with_passphrase(text.text(), passphrase->text(), true)), 0600);
  } else {
    write_new_file(file, text.bytes(), 0600);
  }
  return identity;
}

minisign::SecretKey write_new_signing_key(const fs::path& file) {
  auto key = minisign::SecretKey::generate();
  const fs::path public_file = file.native() + ".pub";
  write_new_file(public_file, as_bytes(key.public_key().file_text()), 0644);
  try {
    write_new_file(file, key.pem().bytes(), 0600);
  } catch (const Error&) {
    ::unlink(public_file.c_str());
    throw;
  }
  return key;
}

}  // namespace cairn
