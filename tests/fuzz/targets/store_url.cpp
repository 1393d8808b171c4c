// The ways to write a store, an endpoint, a size, a duration and a time down.
#include "store/store_url.hpp"

#include "store/s3/endpoint.hpp"
#include "target.hpp"
#include "util/time.hpp"
#include "util/units.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::usage}, [&] {
    const StoreUrl url = parse_store_url(input);
    if (const auto* s3 = std::get_if<S3Url>(&url)) {
      require(!s3->bucket.empty(), "a bucket has a name");
      require(!s3->prefix.starts_with('/') && !s3->prefix.ends_with('/'), "a prefix has no slash at either end");
      fuzz::accepted({ErrorKind::usage}, [&] {
        const s3::AwsEnvironment nothing{[](std::string_view) { return std::nullopt; }, std::nullopt,
                                         [](const std::string&) { return std::nullopt; }};
        const auto location = s3::locate(*s3, StoreAddress{}, nothing);
        static_cast<void>(s3::target_of(location, "eu-1", "k"));
      });
    }
  });
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto endpoint = s3::parse_endpoint(input);
    require(endpoint.scheme == "http" || endpoint.scheme == "https", "a scheme is one of two");
    require(!endpoint.authority.empty() && !endpoint.base_path.ends_with('/'), "an endpoint has a host");
  });
  if (const auto text = percent_decode(input)) require(text->size() <= input.size(), "decoding makes nothing longer");
  if (const auto size = parse_size(input)) require(parse_size(std::to_string(*size)) == size, "a size is a number");
  if (const auto duration = parse_duration(input)) {
    require(duration->count() >= 0, "a duration is no less than nothing");
    require(!format_duration(*duration).empty(), "a duration can be shown");
  }
  if (const auto time = parse_time(input)) {
    require(parse_time_exact(format_time(*time)) == time, "a time is read as it was written");
    require(parse_time_compact(format_time_compact(*time)) == time, "a time is read as it was written");
  }
  if (const auto time = parse_time_exact(input)) require(format_time(*time) == input, "a time has one spelling");
  if (const auto time = parse_time_compact(input)) {
    require(format_time_compact(*time) == input, "a time has one spelling");
  }
  static_cast<void>(parse_http_date(input));
}

std::vector<std::string> seeds() {
  return {"/srv/store",
          "file:///srv/st%20ore",
          "s3://bucket/pre/fix?endpoint=https://h:9000/base&region=eu-1&style=path",
          "https://[::1]:9000/base/",
          "1.5 GB",
          "64KiB",
          "1h30m",
          "106751d",
          "2026-11-21T03:24:10.123456789Z",
          "20261121T032410.123456789Z",
          "2026-11-21 03:24:60+23:59",
          "Sat, 21 Nov 2026 03:24:10 GMT"};
}

const fuzz::Registration k_registration{{"store_url", run, seeds}};

}  // namespace
