#include "store/store_url.hpp"

#include "unit/support.hpp"
#include "util/error.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// The hint of the refusal of a text as a store; the text itself where it is taken.
std::string hint_of(std::string_view text) {
  try {
    parse_store_url(text);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    return e.hint();
  }
  return std::string{text};
}

bool is_path(std::string_view text) {
  const StoreUrl url = parse_store_url(text);
  return std::holds_alternative<fs::path>(url) && std::get<fs::path>(url) == fs::path{text};
}

}  // namespace

TEST_CASE("store url: how other programs write a remote place never becomes a directory") {
  CHECK(hint_of("s3:https://minio.example.net:9000/bucket/a/b") ==
        "write 's3://bucket/a/b?endpoint=https://minio.example.net:9000'");
  CHECK(hint_of("s3:http://localhost/bucket") == "write 's3://bucket?endpoint=http://localhost'");
  CHECK(hint_of("s3:s3.amazonaws.com/bucket/x") == "write 's3://bucket/x?endpoint=https://s3.amazonaws.com'");
  CHECK(hint_of("s3:/bucket/x") == "write 's3://bucket/x'");
  CHECK(hint_of("s3:bucket/x") == "write 's3://bucket/x'");
  CHECK(hint_of("b2:bucket:path").find("backblazeb2.com") != std::string::npos);
  CHECK(hint_of("gs:bucket:/path").find("storage.googleapis.com") != std::string::npos);
  for (const char* other : {"sftp:host:/srv/backup", "rclone:remote:path", "user@host:path", "host:/path", "C:\\backup",
                            "rest:http://host:8000/", "azure:container:/", "s3:", "s3:https://host"}) {
    CAPTURE(other);
    CHECK(test::failure_of([&] { parse_store_url(other); }) == ErrorKind::usage);
    CHECK(hint_of(other).starts_with("a store is a path"));
  }
}

TEST_CASE("store url: a password in another program's spelling is not printed") {
  for (const char* text :
       {"sftp:me:hunter2@host:/x", "s3:https://key:hunter2@host/bucket", "rest:https://me:hunter2@host/"}) {
    CAPTURE(text);
    try {
      parse_store_url(text);
      FAIL("taken");
    } catch (const Error& e) {
      CHECK((e.message() + e.hint()).find("hunter2") == std::string::npos);
    }
  }
}

TEST_CASE("store url: a path with a colon is a path where it is written as one") {
  for (const char* path : {"/srv/a:b", "./a:b", "../a:b", "dir/a:b", ":a", "plain", "a.b"}) {
    CAPTURE(path);
    CHECK(is_path(path));
  }
}
