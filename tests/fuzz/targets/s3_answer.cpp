// The meaning of an S3 server's answer: status, headers and body. Lines "name: value", an empty line, the body.
#include "store/s3/answer.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::Numbers numbers{input};
  s3::Answer answer;
  answer.response.status = static_cast<int>(numbers.byte() << 8 | numbers.byte());
  const bool is_head = (numbers.byte() & 1) != 0;
  std::string_view rest = numbers.rest();
  while (!rest.empty() && rest.front() != '\n') {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos) {
      answer.response.headers.emplace(line.substr(0, colon), line.substr(colon + 2));
    }
  }
  answer.error = s3::parse_error(as_bytes(rest)).value_or(s3::ErrorBody{});
  static_cast<void>(s3::other_region(answer, "eu-1"));
  static_cast<void>(s3::clock_correction(answer, *parse_time("2026-11-21T03:24:10Z"), is_head));
  if (const auto delay = s3::retry_after(answer.response)) {
    require(delay->count() >= 0, "nobody waits for less than nothing");
  }
  if (!answer.ok()) {
    fuzz::check_error(s3::failure(answer, "put", "'s3://b/k'", "the environment"),
                      {ErrorKind::failed, ErrorKind::not_found, ErrorKind::damaged});
  }
}

std::vector<std::string> seeds() {
  const std::string denied("\x01\x93\x00", 3);
  const std::string slow("\x01\xf7\x01", 3);
  return {denied +
              "date: Sat, 21 Nov 2026 04:24:10 GMT\nx-amz-bucket-region: us-2\n\n"
              "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>",
          slow + "retry-after: 17\nx-amz-retry-after: 250\n\n",
          slow + "date: Sat, 21 Nov 2026 04:24:10 GMT\nretry-after: Sat, 21 Nov 2026 04:25:10 GMT\n\n",
          std::string("\x00\xc8\x00", 3) + "\n<Error><Code>InternalError</Code></Error>"};
}

const fuzz::Registration k_registration{{"s3_answer", run, seeds}};

}  // namespace
