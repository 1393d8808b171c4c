// Public keys, signatures and secret keys as text.
#include "codec/minisign.hpp"

#include "repo/trust.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

constexpr std::string_view k_message = "cairn-snapshot 1 db 2026-11-21T03:24:10.123456789Z 00\n";

void run(std::string_view input) {
  static const minisign::SecretKey own = minisign::SecretKey::generate();
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto key = minisign::PublicKey::parse(input);
    require(minisign::PublicKey::parse(key.text()) == key, "a key is read as it was written");
    require(minisign::PublicKey::parse(key.file_text()) == key, "a key file is read as it was written");
    require(key.text().size() == 56 && key.key_id().size() == 16, "a key has its length");
  });
  fuzz::accepted({ErrorKind::damaged}, [&] {
    const auto signature = minisign::Signature::parse(input);
    require(
        signature.trusted_comment.find('\n') == std::string::npos && signature.trusted_comment.size() <= input.size(),
        "a comment is one line");
    require(!minisign::verify(own.public_key(), k_message, signature), "nobody else's signature is ours");
  });
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto secret = minisign::SecretKey::parse_pem(input);
    const SecretBytes pem = secret.pem();
    require(minisign::SecretKey::parse_pem(pem.text()).public_key() == secret.public_key(),
            "a secret key is read as it was written");
    require(minisign::verify(secret.public_key(), k_message, secret.sign(k_message, "c")), "what it signs is verified");
  });
  // As the policy meets it in a manifest: whatever stands there, nothing is thrown.
  TrustPolicy policy;
  policy.trusted.push_back({own.public_key().text(), "*"});
  const Manifest m = fuzz::sample_manifest();
  const Signature given{std::string{input.substr(0, 56)}, std::string{input}};
  require(!policy.judge(m.record, m.id, {given}, m.record.cut_point).trusted, "nobody else's signature is trusted");
}

std::vector<std::string> seeds() {
  const auto key = minisign::SecretKey::generate();
  return {key.public_key().text(), key.public_key().file_text(), std::string{key.pem().text()},
          key.sign(k_message, "snapshot of db"), key.public_key().text() + key.sign(k_message, "")};
}

const fuzz::Registration k_registration{{"minisign", run, seeds}};

}  // namespace
