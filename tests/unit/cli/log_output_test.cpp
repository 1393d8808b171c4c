#include "cli/log_output.hpp"

#include "unit/support.hpp"
#include "util/bytes.hpp"
#include "util/json.hpp"

#include <sstream>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using Form = LogOutput::Form;

namespace {

struct Log {
  explicit Log(Form form) : output{err, form, "0a1b2c3d", [] { return *parse_time("2026-11-21T03:24:10Z"); }} {}
  std::string said() {
    std::string text = err.str();
    err.str("");
    return text;
  }
  std::ostringstream err;
  LogOutput output;
};

std::string text_of(const fs::path& file) {
  return std::string{as_text(read_file(file))};
}

const Error k_error{ErrorKind::failed, "unable to do it", "do something else"};

}  // namespace

TEST_CASE("log output: for people, for the journal and for programs") {
  Log people{Form::people};
  people.output.add(k_error);
  people.output.add(LogLevel::warning, "a\nb");
  people.output.add(LogLevel::info, "c");
  CHECK(people.said() == "cairn: error: unable to do it\nhint: do something else\ncairn: warning: a\\x0ab\ncairn: c\n");

  Log journal{Form::journal};
  journal.output.add(k_error);
  journal.output.add(LogLevel::warning, "a");
  journal.output.add(LogLevel::info, "c");
  CHECK(journal.said() ==
        "<3>cairn[0a1b2c3d]: error: unable to do it\n<3>cairn[0a1b2c3d]: hint: do something else\n"
        "<4>cairn[0a1b2c3d]: warning: a\n<6>cairn[0a1b2c3d]: c\n");

  Log json{Form::json};
  json.output.set_source("app");
  json.output.add(k_error);
  const Json error = Json::parse(json.said());
  CHECK(error.at("time").string() == "2026-11-21T03:24:10.000000000Z");
  CHECK(error.at("level").string() == "error");
  CHECK(error.at("run").string() == "0a1b2c3d");
  CHECK(error.at("source").string() == "app");
  CHECK(error.at("message").string() == "unable to do it");
  CHECK(error.at("hint").string() == "do something else");
  json.output.set_source({});
  json.output.add(LogLevel::info, "bytes \xff");
  const Json info = Json::parse(json.said());
  CHECK(info.at("source").is_null());
  CHECK(info.at("hint").is_null());
  CHECK(info.at("message").string() == "bytes \\xff");
}

TEST_CASE("log output: a secret key is in no form of it") {
  const std::string secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ3290G";
  const TemporaryDirectory work{temporary_directory()};
  for (const Form form : {Form::people, Form::journal, Form::json}) {
    Log log{form};
    log.output.open_file(work.path() / "log");
    log.output.add(LogLevel::info, "key " + secret, "or " + secret);
    log.output.add_to_file(LogLevel::info, secret);
    CHECK(log.said().find("QQQQ") == std::string::npos);
  }
  CHECK(text_of(work.path() / "log").find("QQQQ") == std::string::npos);
}

TEST_CASE("log output: the file is added to, with times, and is its owner's alone") {
  const TemporaryDirectory work{temporary_directory()};
  const fs::path file = work.path() / "log";
  {
    Log log{Form::journal};
    log.output.open_file(file);
    log.output.add(k_error);
    log.output.add_to_file(LogLevel::info, "on standard output");
    CHECK(log.said().find("standard output") == std::string::npos);
  }
  Log again{Form::json};
  again.output.open_file(file);
  again.output.add(LogLevel::warning, "later");
  CHECK(text_of(file) ==
        "2026-11-21T03:24:10.000000000Z 0a1b2c3d error: unable to do it\n"
        "2026-11-21T03:24:10.000000000Z 0a1b2c3d hint: do something else\n"
        "2026-11-21T03:24:10.000000000Z 0a1b2c3d on standard output\n" +
            again.said());
  struct stat st {};
  REQUIRE(::stat(file.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777U) == 0600U);
}

TEST_CASE("log output: a file that cannot be opened is a usage error, one that cannot be written is told once") {
  Log log{Form::people};
  CHECK(test::failure_of([&] { log.output.open_file("/nowhere/log"); }) == ErrorKind::usage);
  log.output.open_file("/dev/full");
  log.output.add(LogLevel::info, "a");
  log.output.add(LogLevel::info, "b");
  CHECK(log.said() ==
        "cairn: a\ncairn: warning: unable to write the log file '/dev/full': No space left on device; "
        "it is not complete\ncairn: b\n");
}
