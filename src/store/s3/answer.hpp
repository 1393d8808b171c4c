// The meaning of an S3 server's answer for the caller. Pure.
#pragma once

#include "store/s3/http.hpp"
#include "store/s3/xml.hpp"
#include "util/error.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::s3 {

struct Answer {
  HttpResponse response;
  ErrorBody error;  // empty strings where the server gave none

  // 2xx, and not an error after all (some operations answer 200 before they know).
  bool ok() const noexcept { return response.status >= 200 && response.status < 300 && error.code.empty(); }
};

// Whether trying the same again may help. Status and code as in the vendors' documents; code may be empty.
bool is_transient(int status, std::string_view code);

// Retry-After (seconds, or a date against the answer's own Date) and x-amz-retry-after (milliseconds).
std::optional<std::chrono::nanoseconds> retry_after(const HttpResponse& response);

// The region that the bucket is really in, where the answer tells one because the request went to another.
std::optional<std::string> other_region(const Answer& answer, std::string_view used);

// How far the server's clock is ahead of `signed_at`, where the answer refuses the request for its time. A HEAD has no
// body to say so in: there a 403 counts whose Date is more than the permitted 15 minutes away.
std::optional<std::chrono::nanoseconds> clock_correction(const Answer& answer, Time signed_at, bool is_head);

// The failure: "unable to VERB WHAT: 503 SlowDown: text". credential_source is named in the hint of a denial.
StoreError failure(const Answer& answer, std::string_view verb, std::string_view what,
                   std::string_view credential_source);

}  // namespace cairn::s3
