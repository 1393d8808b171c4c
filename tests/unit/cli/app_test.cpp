#include "cli/app.hpp"

#include "util/file.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <map>
#include <sstream>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// The whole program, in this process.
struct Program {
  TemporaryDirectory directory{fs::temp_directory_path()};
  std::map<std::string, std::string, std::less<>> environment{
      {"CAIRN_CONFIG", "/dev/null"}, {"CAIRN_CACHE_DIR", ""}, {"CAIRN_STATE_DIR", ""}};
  std::string out;
  std::string err;

  int operator()(std::vector<std::string> arguments) {
    std::istringstream in;
    std::ostringstream to_out;
    std::ostringstream to_err;
    Io io{.in = in,
          .out = to_out,
          .err = to_err,
          .environment = [this](std::string_view name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            if (found == environment.end()) return std::nullopt;
            return found->second;
          },
          .clock = [] { return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now()); }};
    std::vector<const char*> argv{"cairn"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    const int status = run(static_cast<int>(argv.size()), argv.data(), io);
    out = to_out.str();
    err = to_err.str();
    return status;
  }
  std::string path(const char* name) const { return (directory.path() / name).native(); }
};

}  // namespace

TEST_CASE("a store is made, filled, listed and restored by the program") {
  Program cairn;
  cairn.environment["CAIRN_STORE"] = cairn.path("store");
  CHECK(cairn({"init", "--no-encryption"}) == 0);
  write_file_atomic(cairn.directory.path() / "notes", as_bytes("remember"));
  CHECK(cairn({"snapshot", cairn.path("notes"), "--json", "--tag", "a=b"}) == 0);
  const Json taken = Json::parse(cairn.out);
  CHECK(taken.at("schema").string() == "cairn.snapshot/1");
  CHECK(taken.at("series").string() == "notes");
  CHECK(taken.at("bytes").u64() == 8);
  CHECK(cairn({"list", "--json"}) == 0);
  const Json listed = Json::parse(cairn.out);
  REQUIRE(listed.at("snapshots").array().size() == 1);
  CHECK(listed.at("snapshots").array()[0].at("id").string() == taken.at("id").string());
  CHECK(cairn({"list", "--tag", "a=c", "--json"}) == 0);
  CHECK(Json::parse(cairn.out).at("snapshots").array().empty());
  const std::string prefix = taken.at("id").string().substr(0, 8);
  CHECK(cairn({"--quiet", "restore", prefix, cairn.path("back")}) == 0);
  CHECK(cairn.out.empty());
  CHECK(cairn.err.empty());
  CHECK(as_text(read_file(cairn.path("back"))) == "remember");
  // All 64 digits have to fit, not only those that the manifest's name has.
  const std::string id = taken.at("id").string();
  CHECK(cairn({"show", id}) == 0);
  CHECK(cairn({"show", id.substr(0, 63) + (id.back() == '0' ? '1' : '0')}) == 10);
}

TEST_CASE("a failure has a kind, a status, and one document where JSON is asked for") {
  Program cairn;
  CHECK(cairn({"list", "--store", cairn.path("nothing"), "--json"}) == 10);
  const Json error = Json::parse(cairn.out);
  CHECK(error.at("schema").string() == "cairn.error/1");
  CHECK(error.at("kind").string() == "not_found");
  CHECK(error.at("exit_status").u64() == 10);
  CHECK(cairn.err.starts_with("cairn: error: "));
  CHECK(cairn({"list", "--bogus", "--json"}) == 2);
  CHECK(Json::parse(cairn.out).at("kind").string() == "usage");
  CHECK(cairn({"list"}) == 2);
  CHECK(cairn.err.starts_with("cairn: error: no store given\nhint: "));
}

TEST_CASE("a signal ends the program with its status") {
  Program cairn;
  const std::string store = cairn.path("store");
  CHECK(cairn({"init", "--no-encryption", "--store", store}) == 0);
  fs::create_directory(cairn.path("tree"));
  write_file_atomic(cairn.directory.path() / "tree/a", as_bytes("a"));
  set_interrupted(15);
  const int status = cairn({"snapshot", "--store", store, cairn.path("tree")});
  set_interrupted(0);
  CHECK(status == 143);
  CHECK(cairn({"list", "--store", store, "--json"}) == 0);
  CHECK(Json::parse(cairn.out).at("snapshots").array().empty());
}

TEST_CASE("of a series every name is refused that could be taken for something else") {
  Program cairn;
  const std::string store = cairn.path("store");
  CHECK(cairn({"init", "--no-encryption", "--store", store}) == 0);
  for (const char* name : {"latest", "0123456789", "a/b", "", "-x"}) {
    CHECK(cairn({"snapshot", "--store", store, "--series=" + std::string{name}, "--", "true"}) == 2);
  }
}
