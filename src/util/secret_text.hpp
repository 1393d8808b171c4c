// Secrets in text: a key that was given where a file, a name or an address belongs must not end up in a message, which
// goes into mails and logs.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// The text with what can be nothing but a secret replaced by "...", wherever it stands in it: age identities, private
// keys in PEM or as the base64 of one, minisign secret keys, and what stands before the '@' of a URL's host. quote()
// and every Error go through it.
std::string without_secret_keys(std::string_view text);

// Whether a value that somebody gave looks like a secret by itself: what without_secret_keys() finds, text of several
// lines, a web token, or 40 and more characters of base64 that look random, as the secret keys of S3 do. Not for names
// that were found somewhere: a few honest ones look like that.
bool looks_like_secret(std::string_view value);

// quote(), but for what looks like a secret.
std::string quote_given(std::string_view value);

// Before a value is used as a path or a name: Error(usage), which does not repeat it, where it looks like a secret and
// is not the path of anything. given_by: "--identity", "CAIRN_SIGNING_KEY"; expected: "the path of a file".
void refuse_secret(std::string_view value, std::string_view given_by, std::string_view expected = "the path of a file");

}  // namespace cairn
