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

}  // namespace

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
