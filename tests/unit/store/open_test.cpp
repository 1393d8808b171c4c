#include "store/open.hpp"

#include "util/error.hpp"

#include <map>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

EnvironmentLookup variables(std::map<std::string, std::string> all) {
  return [all = std::move(all)](std::string_view name) -> std::optional<std::string> {
    const auto found = all.find(std::string{name});
    return found == all.end() ? std::nullopt : std::optional{found->second};
  };
}

}  // namespace

TEST_CASE("open: a whole address needs no environment of the machine that made it") {
  const WholeAddress bucket =
      whole_address({"s3://backups/a/b"},
                    variables({{"AWS_ENDPOINT_URL", "https://S3.example.net:8443/x%26y"}, {"AWS_REGION", "eu-1"}}));
  CHECK(bucket.bucket == "backups");
  CHECK(bucket.url.starts_with("s3://backups/a/b?endpoint=https://"));
  CHECK(bucket.url.ends_with("region=eu-1"));
  // It is understood as what it was made from.
  StoreAddress again{bucket.url};
  CHECK(whole_address(again, variables({})).url == bucket.url);
  CHECK(whole_address(again, variables({})).endpoint == bucket.endpoint);
}

TEST_CASE("open: the options of an address and its fields come before the environment") {
  StoreAddress address{"s3://backups/p?region=r1"};
  address.endpoint = "http://127.0.0.1:9000";
  address.style = "path";
  CHECK(whole_address(address, variables({{"AWS_ENDPOINT_URL", "https://other"}, {"AWS_REGION", "r2"}})).url ==
        "s3://backups/p?endpoint=http://127.0.0.1:9000&region=r1&style=path");
}

TEST_CASE("open: a directory is named from the root, AWS by its region") {
  CHECK(whole_address({"file:///srv/a/../b"}, variables({})).url == "/srv/b");
  CHECK(whole_address({"./x"}, variables({})).url.starts_with("/"));
  const WholeAddress aws = whole_address({"s3://backups/p"}, variables({}));
  CHECK(aws.url == "s3://backups/p?region=us-east-1");
  CHECK(aws.endpoint.empty());
}
