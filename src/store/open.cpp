#include "store/open.hpp"

#include "store/limited_store.hpp"
#include "store/local_store.hpp"
#include "store/retrying_store.hpp"
#include "store/s3/s3_store.hpp"
#include "store/store_url.hpp"
#include "store/tracing_store.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <charconv>

#include <fmt/format.h>

namespace cairn {

namespace {

// CAIRN_RETRY_BUDGET: seconds for which a failing operation is tried again; 0 for not at all.
RetryPolicy retry_policy(const EnvironmentLookup& environment, Patience patience) {
  RetryPolicy policy;
  if (patience == Patience::person) policy.first_contact = std::chrono::seconds{5};
  const auto text = nonempty(environment, "CAIRN_RETRY_BUDGET");
  if (!text) return policy;
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc{} || end != text->data() + text->size()) {
    throw Error(ErrorKind::usage,
                fmt::format("invalid CAIRN_RETRY_BUDGET {}: not a number of seconds", quote_given(*text)));
  }
  policy.budget = std::chrono::seconds{seconds};
  return policy;
}

// CAIRN_TRACE: the file to which each request is written down; nothing where there is none.
std::shared_ptr<Trace> open_trace(const EnvironmentLookup& environment, Reporter& reporter) {
  const auto file = nonempty(environment, "CAIRN_TRACE");
  if (!file) return nullptr;
  refuse_secret(*file, "CAIRN_TRACE");
  return std::make_shared<Trace>(*file, reporter);
}

std::unique_ptr<ObjectStore> traced(std::unique_ptr<ObjectStore> store, const std::shared_ptr<Trace>& trace) {
  if (!trace) return store;
  return std::make_unique<TracingStore>(std::move(store), trace);
}

std::unique_ptr<ObjectStore> open_s3(const S3Url& url, const StoreAddress& address,
                                     const EnvironmentLookup& environment, Reporter& reporter,
                                     const std::shared_ptr<Trace>& trace) {
  const s3::AwsEnvironment aws{environment, address.profile, s3::read_settings_file};
  s3::Location location = s3::locate(url, address, aws);
  location.downloads = address.downloads;
  s3::CredentialSource credentials = [found = aws.credentials()] { return found; };
  auto store = std::make_unique<s3::S3Store>(std::move(location), std::move(credentials), reporter);
  return std::make_unique<RetryingStore>(traced(std::move(store), trace), retry_policy(environment, address.patience),
                                         reporter);
}

// As a value in a URL's query.
std::string query_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view{"%&#+ "}.find(c) != std::string_view::npos) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

const char* style_name(s3::Style style) {
  return style == s3::Style::path ? "path" : style == s3::Style::virtual_host ? "virtual" : "auto";
}

}  // namespace

WholeAddress whole_address(const StoreAddress& address, const EnvironmentLookup& environment) {
  const StoreUrl parsed = parse_store_url(address.url);
  if (const auto* path = std::get_if<fs::path>(&parsed))
    return {fs::absolute(*path).lexically_normal().native(), {}, ""};
  const auto& url = std::get<S3Url>(parsed);
  const s3::Location location =
      s3::locate(url, address, s3::AwsEnvironment{environment, address.profile, s3::read_settings_file});
  WholeAddress out{address.url.substr(0, address.url.find('?')), location.bucket, ""};
  std::string options = "region=" + query_value(location.region);
  if (location.endpoint) {
    out.endpoint = location.endpoint->scheme + "://" + location.endpoint->authority + location.endpoint->base_path;
    options = "endpoint=" + query_value(out.endpoint) + "&" + options;
  }
  if (location.style != s3::Style::automatic) options += fmt::format("&style={}", style_name(location.style));
  out.url += "?" + options;
  return out;
}

std::optional<std::string> credentials_of(const StoreAddress& address, const EnvironmentLookup& environment) {
  const StoreUrl parsed = parse_store_url(address.url);
  if (!std::holds_alternative<S3Url>(parsed)) return std::nullopt;
  return s3::AwsEnvironment{environment, address.profile, s3::read_settings_file}.credentials().source;
}

std::unique_ptr<ObjectStore> open_store(const StoreAddress& address, const EnvironmentLookup& environment,
                                        Reporter& reporter, CreateRoot create) {
  const StoreUrl url = parse_store_url(address.url);
  const auto trace = open_trace(environment, reporter);
  if (const auto* s3 = std::get_if<S3Url>(&url)) return open_s3(*s3, address, environment, reporter, trace);
  auto store = traced(std::make_unique<LocalStore>(std::get<fs::path>(url), create), trace);
  if (!address.downloads) return store;
  return std::make_unique<LimitedStore>(std::move(store), address.downloads);
}

}  // namespace cairn
