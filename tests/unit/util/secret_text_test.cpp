#include "util/secret_text.hpp"

#include "../support.hpp"
#include "util/error.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// Of nobody's: made for this test.
const std::string k_body = "QL2M8CQF4X9T7JHE3K5W6N0PZRVY2DGS8A4UM7CQF5X9TLJHE3K5W6N0PZR";
const std::string k_identity = "AGE-SECRET-KEY-1" + k_body;
const std::string k_pem_body = "MC4CAQAwBQYDK2VwBCIEIHh5enN0dXZ3cXJzdHV2d3h5enN0dXZ3cXJzdHV2d3h5";
const std::string k_pem = "-----BEGIN PRIVATE KEY-----\n" + k_pem_body + "\n-----END PRIVATE KEY-----\n";
const std::string k_s3_example = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";  // of Amazon's manuals
const std::string k_s3_secret = "wJ4lrXUtnF3MI/K7MDENG+bPxRf1CYaEXz9Kq2Lm";

}  // namespace

TEST_CASE("no message has a secret key in it, wherever it stands") {
  const std::vector<std::string> bodies{k_body, "ql2m8cqf4x9t7jhe3k5w6n0pzrvy2dgs", k_pem_body, "RWRTY0Iy" + k_pem_body,
                                        "user:pass"};
  const std::vector<std::string> texts{k_identity,
                                       "age-secret-key-1ql2m8cqf4x9t7jhe3k5w6n0pzrvy2dgs",
                                       "AGE-PLUGIN-YUBIKEY-1" + k_body,
                                       "# public key: age1x\n" + k_identity + "\n",
                                       k_pem,
                                       k_pem.substr(0, k_pem.find("-----END")),
                                       k_pem_body,
                                       "untrusted comment: minisign encrypted secret key\nRWRTY0Iy" + k_pem_body,
                                       "https://user:pass@s3.example.net/x"};
  for (const auto& text : texts) {
    CAPTURE(text);
    const std::vector<std::string> shown{
        quote(text), Error(ErrorKind::failed, "unable to open " + text).message(),
        Error(ErrorKind::failed, "x", "give " + text + ", or not").hint(),
        Error(ErrorKind::failed, "unable to open " + quote(text) + ": gone").message()};
    for (const auto& message : shown) {
      for (const auto& body : bodies) CHECK(message.find(body) == std::string::npos);
    }
    CHECK(test::message_of([&] { throw_errno("open", text, 2); }).find(text.substr(0, 4)) != std::string::npos);
  }
}

TEST_CASE("what is left of a message around a secret key is what it was") {
  CHECK(without_secret_keys("unable to open '" + k_identity + "': No such file") ==
        "unable to open 'AGE-SECRET-KEY-...': No such file");
  CHECK(quote(k_pem) == R"('-----BEGIN PRIVATE KEY-----...-----END PRIVATE KEY-----\x0a')");
  CHECK(without_secret_keys("see https://a:b@host/x and s3://bucket/p") == "see https://...@host/x and s3://bucket/p");
  for (const char* text : {"", "a", "only X25519 identities (AGE-SECRET-KEY-1...)", "s3://bucket/a@b", "AGE-PLUGIN-",
                           "no PKCS#8 PEM block (BEGIN PRIVATE KEY)", "MIIE", "/home/b3Blbg", "app@2026-11-21",
                           "invalid endpoint 'https://...@host'", "-----BEGIN PRIVATE KEY-----"}) {
    CHECK(without_secret_keys(text) == text);
  }
}

TEST_CASE("a secret that was given in place of a path is told from a path") {
  for (const auto& secret : std::vector<std::string>{k_identity, k_pem, k_pem_body, k_s3_secret, k_s3_example,
                                                     "/" + k_s3_secret.substr(1), k_s3_secret + "\n", "one\ntwo",
                                                     "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJob3N0In0." + k_pem_body}) {
    CAPTURE(secret);
    CHECK(looks_like_secret(secret));
    CHECK(quote_given(secret) == "(what looks like a secret, and is not shown)");
    CHECK(test::failure_of([&] { refuse_secret(secret, "--identity"); }) == ErrorKind::usage);
    CHECK(test::message_of([&] { refuse_secret(secret, "--identity"); }) ==
          "--identity looks like a secret (it is not shown), where the path of a file is expected");
  }
  for (const char* path :
       {"", "/etc/cairn/id.key", "/home/Alice2/Backups/Keys/IdentityFileOne", "id.key", "./x", "RWRTY0Iy", "latest",
        "0123456789abcdef0123456789abcdef01234567", "var/lib/postgresql/15/main/base/16384/PGVERSION",
        "age1ql2m8cqf4x9t7jhe3k5w6n0pzrvy2dgs8a4um7cqf5x9tljhe3k5w6n0pzr", "s3://bucket/prefix", "app@2h"}) {
    CAPTURE(path);
    CHECK_FALSE(looks_like_secret(path));
    CHECK_FALSE(test::failure_of([&] { refuse_secret(path, "--identity"); }));
  }
}
