#include "engine/choose/reference.hpp"

#include "util/error.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Time time_of(const std::string& text) {
  const auto time = parse_time(text);
  REQUIRE_MESSAGE(time, text);
  return *time;
}

// The id starts with the given digits; zeros follow.
ReferenceCandidate candidate(std::string digits, std::string series, const std::string& cut_point,
                             bool trusted = true) {
  digits.resize(64, '0');
  return {*Digest::parse(digits), std::move(series), time_of(cut_point), trusted};
}

const Time k_now = *parse_time("2026-11-21T12:00:00Z");

const std::vector<ReferenceCandidate>& store() {
  static const std::vector<ReferenceCandidate> all{
      candidate("aaaaaaaa1", "state", "2026-11-18T10:00:00Z"),
      candidate("aaaaaaaa2", "state", "2026-11-20T10:00:00.5Z"),
      candidate("bbbbbbbb", "state", "2026-11-19T10:00:00Z"),
      candidate("cccccccc", "www", "2026-11-21T10:00:00Z"),
      candidate("dddddddd", "state", "2026-11-21T09:00:00Z", false),
      candidate("eeeeeeee", "forged", "2026-11-21T09:00:00Z", false),
  };
  return all;
}

std::size_t resolve(std::string_view text, const std::optional<std::string>& series = std::nullopt,
                    const std::vector<ReferenceCandidate>& among = store()) {
  return resolve_reference(parse_reference(text), among, series, k_now);
}

Error failure(std::string_view text, const std::optional<std::string>& series = std::nullopt,
              const std::vector<ReferenceCandidate>& among = store()) {
  try {
    resolve(text, series, among);
  } catch (const Error& error) {
    return error;
  }
  FAIL("resolved: ", std::string{text});
  return {ErrorKind::failed, ""};
}

}  // namespace

TEST_CASE("reference: the forms") {
  CHECK(parse_reference("latest") == Reference{LatestReference{}});
  CHECK(parse_reference("state") == Reference{SeriesReference{"state"}});
  CHECK(parse_reference("app.db-2_x") == Reference{SeriesReference{"app.db-2_x"}});
  CHECK(parse_reference("DEADBEEF") == Reference{IdReference{"deadbeef"}});
  CHECK(parse_reference(std::string(64, 'a')) == Reference{IdReference{std::string(64, 'a')}});
  // Seven digits are a series, and so are eight letters of which one is no digit.
  CHECK(parse_reference("deadbee") == Reference{SeriesReference{"deadbee"}});
  CHECK(parse_reference("deadbeer") == Reference{SeriesReference{"deadbeer"}});
}

TEST_CASE("reference: a time is as wide as it is written") {
  const auto at = [](const std::string& text) {
    return std::get<Time>(std::get<TimeReference>(parse_reference("s@" + text)).at);
  };
  CHECK(at("2026-11-20") == time_of("2026-11-20T23:59:59.999999999Z"));
  CHECK(at("2026-11-20T10:00") == time_of("2026-11-20T10:00:59.999999999Z"));
  CHECK(at("2026-11-20T10:00Z") == time_of("2026-11-20T10:00:59.999999999Z"));
  CHECK(at("2026-11-20T10:00:07") == time_of("2026-11-20T10:00:07.999999999Z"));
  CHECK(at("2026-11-20T10:00:07Z") == time_of("2026-11-20T10:00:07.999999999Z"));
  CHECK(at("2026-11-20 10:00:07") == time_of("2026-11-20T10:00:07.999999999Z"));
  CHECK(at("2026-11-20T10:00:07.5Z") == time_of("2026-11-20T10:00:07.5Z"));
  CHECK(at("2026-11-20T10:00:07.123456789") == time_of("2026-11-20T10:00:07.123456789Z"));
  CHECK(at("2026-11-20T10:00:07+02:00") == time_of("2026-11-20T08:00:07.999999999Z"));
  CHECK(at("2026-11-20T10:00-05:30") == time_of("2026-11-20T15:30:59.999999999Z"));
  // The last day does not end within the range.
  CHECK(at("2262-04-11") == Time::max());
  CHECK(std::get<TimeReference>(parse_reference("s@2h")).at ==
        std::variant<Time, Nanoseconds>{Nanoseconds{std::chrono::hours{2}}});
  CHECK(std::get<TimeReference>(parse_reference("s@1d12h")).at ==
        std::variant<Time, Nanoseconds>{Nanoseconds{std::chrono::hours{36}}});
}

TEST_CASE("reference: what is none") {
  const std::vector<std::string> bad{"",
                                     "@2h",
                                     "a/b",
                                     "../x",
                                     ".hidden",
                                     "-x",
                                     "a b",
                                     "latest@",
                                     "latest@2h",
                                     "deadbeef@2h",
                                     "s@",
                                     "s@yesterday",
                                     "s@2",
                                     "s@-2h",
                                     "s@2026-11",
                                     "s@2026-02-30",
                                     "s@2026-11-20T",
                                     "s@12:00",
                                     "s@2h@3h",
                                     "s@ 2h",
                                     "s@20261120",
                                     "h\xc3\xa4",
                                     "s@2026-11-20+02:00",
                                     std::string(65, 'a')};
  for (const auto& text : bad) {
    CAPTURE(text);
    try {
      parse_reference(text);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK_FALSE(error.hint().empty());
    }
  }
}

TEST_CASE("reference: series and times") {
  CHECK(resolve("state") == 1);
  CHECK(resolve("www") == 3);
  CHECK(resolve("state", "state") == 1);
  CHECK(resolve("state@2026-11-20") == 1);
  CHECK(resolve("state@2026-11-20T10:00:00Z") == 1);  // as list shows it: cut to seconds
  CHECK(resolve("state@2026-11-20T10:00:00.4Z") == 2);
  CHECK(resolve("state@2026-11-19") == 2);
  CHECK(resolve("state@2026-11-19T09:59") == 0);
  CHECK(resolve("state@1s") == 1);
  CHECK(resolve("state@2d") == 2);  // 2026-11-19T12:00
  CHECK(resolve("state@3d") == 0);
  CHECK(failure("state@4d").kind() == ErrorKind::not_found);
  CHECK(failure("state@4d").hint() == "the oldest is of 2026-11-18T10:00:00.000000000Z");
  CHECK(failure("state", "www").kind() == ErrorKind::usage);
  CHECK(failure("nosuch").kind() == ErrorKind::not_found);
  CHECK(failure("nosuch").message() == "no snapshot of series 'nosuch'");
  CHECK(failure("nosuch").hint() == "series there are: state, www");
  CHECK(failure("nosuch@2h").kind() == ErrorKind::not_found);
  CHECK(failure("abc1234").hint() == "an id needs at least 8 digits");
}

TEST_CASE("reference: latest") {
  CHECK(failure("latest").kind() == ErrorKind::usage);
  CHECK(failure("latest").message() == "'latest' is ambiguous: there are 2 series");
  CHECK(failure("latest").hint() == "name one, or give --series: state, www");
  CHECK(resolve("latest", "state") == 1);
  CHECK(failure("latest", "nosuch").kind() == ErrorKind::not_found);
  CHECK(failure("latest", std::nullopt, {}).kind() == ErrorKind::not_found);
  CHECK(failure("latest", std::nullopt, {}).hint().empty());

  // One trusted series: the untrusted ones do not make it ambiguous.
  const std::vector<ReferenceCandidate> one{store()[0], store()[2], store()[5]};
  CHECK(resolve("latest", std::nullopt, one) == 1);
  const std::vector<ReferenceCandidate> none{store()[4], store()[5]};
  CHECK(failure("latest", std::nullopt, none).kind() == ErrorKind::not_found);
  CHECK(failure("latest", std::nullopt, none).hint().starts_with("2 snapshots were left out"));
}

TEST_CASE("reference: equal cut points: the greater id, as retention counts it") {
  std::vector<ReferenceCandidate> twins{candidate("22222222", "s", "2026-11-20T10:00:00Z"),
                                        candidate("33333333", "s", "2026-11-20T10:00:00Z"),
                                        candidate("11111111", "s", "2026-11-20T10:00:00Z")};
  CHECK(resolve("s", std::nullopt, twins) == 1);
  CHECK(resolve("s@2026-11-20", std::nullopt, twins) == 1);
}

TEST_CASE("reference: ids") {
  CHECK(resolve("aaaaaaaa1") == 0);
  CHECK(resolve("AAAAAAAA2") == 1);
  CHECK(resolve("bbbbbbbb") == 2);
  CHECK(resolve(store()[3].id.hex()) == 3);
  CHECK(failure("bbbbbbbb", "www").kind() == ErrorKind::not_found);
  CHECK(failure("99999999").kind() == ErrorKind::not_found);

  const auto ambiguous = failure("aaaaaaaa");
  CHECK(ambiguous.kind() == ErrorKind::usage);
  CHECK(ambiguous.message() == "id aaaaaaaa is ambiguous");
  CHECK(ambiguous.hint() ==
        "give more digits: aaaaaaaa10000000 (state of 2026-11-18 10:00:00 UTC), "
        "aaaaaaaa20000000 (state of 2026-11-20 10:00:00 UTC)");
}

TEST_CASE("reference: two manifests of one id are one snapshot") {
  const std::vector<ReferenceCandidate> twice{store()[2], store()[2]};
  CHECK(resolve("bbbbbbbb", std::nullopt, twice) == 0);
  // The trusted one of the two is meant.
  std::vector<ReferenceCandidate> half{store()[2], store()[2]};
  half[0].trusted = false;
  CHECK(resolve("bbbbbbbb", std::nullopt, half) == 1);
}

TEST_CASE("reference: what is not trusted exists by its id only, and is refused") {
  CHECK(failure("dddddddd").kind() == ErrorKind::untrusted);
  CHECK(failure("forged").kind() == ErrorKind::not_found);
  CHECK(failure("forged").hint().starts_with("one snapshot was left out"));
  // A planted id with the beginning of a good one makes that no more ambiguous.
  std::vector<ReferenceCandidate> planted{store()[2], candidate("bbbbbbbb9", "state", "2026-11-19T10:00:00Z", false)};
  CHECK(resolve("bbbbbbbb", std::nullopt, planted) == 0);
}

TEST_CASE("reference: what a clock that was ahead dated only its id names") {
  const auto ahead = [](std::string digits, const std::string& cut_point, Ahead how) {
    auto one = candidate(std::move(digits), "state", cut_point);
    one.ahead = how;
    return one;
  };
  const std::vector<ReferenceCandidate> all{candidate("aaaaaaaa", "state", "2026-11-20T10:00:00Z"),
                                            candidate("bbbbbbbb", "state", "2026-11-21T10:00:00Z"),
                                            ahead("cccccccc", "2027-11-21T10:00:00Z", Ahead::of_store),
                                            ahead("dddddddd", "2027-12-21T10:00:00Z", Ahead::of_clocks)};
  const auto passed_over = [&](std::string_view text, const std::vector<ReferenceCandidate>& among) {
    std::vector<std::size_t> out{99};
    resolve_reference(parse_reference(text), among, std::nullopt, k_now, &out);
    return out;
  };
  for (const char* text : {"latest", "state", "state@2028-01-01", "state@1h"}) {
    CAPTURE(text);
    CHECK(resolve(text, std::nullopt, all) == 1);
  }
  CHECK(passed_over("latest", all) == std::vector<std::size_t>{3, 2});
  CHECK(passed_over("state@2027-11-30", all) == std::vector<std::size_t>{2});
  CHECK(passed_over("state@1h", all).empty());
  CHECK(resolve("cccccccc", std::nullopt, all) == 2);
  CHECK(passed_over("cccccccc", all).empty());

  // Clocks that are behind now must not hide all that there is.
  const std::vector<ReferenceCandidate> clocks{all[2], all[3]};
  CHECK(resolve("latest", std::nullopt, clocks) == 1);
  CHECK(passed_over("latest", clocks).empty());
  const std::vector<ReferenceCandidate> future{all[2]};
  for (const char* text : {"latest", "state", "state@2028-01-01"}) {
    const Error error = failure(text, std::nullopt, future);
    CHECK(error.kind() == ErrorKind::not_found);
    CHECK(error.message().find("dated after they came to the store") != std::string::npos);
    CHECK(error.hint().find("name one by its id: cccccccc0000 is of 2027-11-21 10:00:00 UTC") != std::string::npos);
  }
}

TEST_CASE("reference: long hints are cut") {
  std::vector<ReferenceCandidate> many;
  for (int i = 10; i < 30; ++i) {
    many.push_back(candidate(std::to_string(i) + "ffffff", "series-" + std::to_string(i), "2026-11-20T00:00:00Z"));
  }
  CHECK(failure("latest", std::nullopt, many).hint().ends_with("series-16, series-17 and 12 more"));
}

TEST_CASE("reference: the series of a path") {
  CHECK(default_series("/var/lib/app/state.db") == "state.db");
  CHECK(default_series("/srv/app/") == "app");
  CHECK(default_series("/srv/app//") == "app");
  CHECK(default_series("/srv/app/.") == "app");
  CHECK(default_series("/srv/app/x/..") == "app");
  CHECK(default_series("data") == "data");
  CHECK(default_series("/home/me/.config") == "config");
  CHECK(default_series("/srv/my files (2)") == "my-files--2-");
  CHECK(default_series("/srv/J\xc3\xbcrgen") == "J--rgen");
  CHECK(default_series(fs::path{std::string("/srv/") + std::string(64, 'z')}).size() == 64);
  const std::vector<std::string> bad{"",
                                     "/",
                                     "//",
                                     ".",
                                     "..",
                                     "../..",
                                     "/srv/latest",
                                     "/srv/deadbeef",
                                     "/srv/....",
                                     "/srv/\xff\xff",
                                     "/srv/" + std::string(65, 'z')};
  for (const auto& path : bad) {
    CAPTURE(path);
    try {
      default_series(path);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(error.hint() == "give it a name with --series NAME");
    }
  }
}

TEST_CASE("reference: series names are checked with the rule in the hint") {
  CHECK_NOTHROW(check_series("state"));
  CHECK_THROWS_AS(check_series("latest"), Error);
  CHECK_THROWS_AS(check_series("a/b"), Error);
}
