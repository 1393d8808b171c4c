#include "repo/descriptor.hpp"

#include "store/local_store.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::replaced;

namespace {

constexpr const char* k_recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
constexpr const char* k_other = "age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5";

Descriptor sample() {
  Descriptor d;
  d.generation = 3;
  d.store_id = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
  d.created = *parse_time("2026-11-21T03:00:00Z");
  return d;
}

}  // namespace

TEST_CASE("descriptor: exact text, and back") {
  const std::string text = sample().text();
  CHECK(text ==
        R"({"format":"cairn-store","version":1,"requires_read":[],"requires_write":[],"requires_prune":[],)"
        R"("generation":3,"store_id":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","created":"2026-11-21T03:00:00.000000000Z",)"
        R"("encryption":"none","recipients":[],"create_only":false})"
        "\n");
  Descriptor d = sample();
  d.requirements = {{"r"}, {"w1", "w2"}, {"p"}};
  d.create_only = true;
  d.encryption = "age";
  d.recipients = {k_recipient};
  const Descriptor back = Descriptor::parse(d.text(), "x");
  CHECK(back.text() == d.text());
  CHECK(back.requirements.write == std::vector<std::string>{"w1", "w2"});
}

TEST_CASE("descriptor: cut anywhere it is damaged") {
  const std::string text = sample().text();
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    CHECK(failure_of([&] { Descriptor::parse(text.substr(0, n), "x"); }) == ErrorKind::damaged);
  }
}

TEST_CASE("descriptor: every member missing, of another type or out of range") {
  const std::string text = sample().text();
  for (const char* key : {"format", "version", "requires_read", "requires_write", "requires_prune", "generation",
                          "store_id", "created", "encryption", "recipients", "create_only"}) {
    const std::string quoted = "\"" + std::string{key} + "\":";
    CHECK(failure_of([&] { Descriptor::parse(replaced(text, quoted, "\"x\":"), "x"); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { Descriptor::parse(replaced(text, quoted, quoted + "{},\"x\":"), "x"); }) ==
          ErrorKind::damaged);
  }
  for (const auto& change :
       std::initializer_list<std::pair<const char*, const char*>>{{"0f1e", "0f1E"},
                                                                  {"0f1e", "0f1"},
                                                                  {":3,", ":-3,"},
                                                                  {":3,", ":3.5,"},
                                                                  {":3,", ":9007199254740992,"},
                                                                  {"03:00:00.000000000Z", "03:00:00Z"},
                                                                  {"[],\"create", "[1],\"create"},
                                                                  {"cairn-store", "cairn-stone"}}) {
    const std::string from{change.first};
    const std::string to{change.second};
    CHECK(failure_of([&] { Descriptor::parse(replaced(text, from, to), "x"); }) == ErrorKind::damaged);
  }
}

TEST_CASE("descriptor: recipients fit the encryption") {
  const auto failure = [](const std::string& encryption, const std::vector<std::string>& recipients) {
    Descriptor d = sample();
    d.encryption = encryption;
    d.recipients = recipients;
    return failure_of([&] { Descriptor::parse(d.text(), "x"); });
  };
  CHECK_FALSE(failure("age", {k_recipient, k_other}));
  CHECK(failure("age", {k_other, k_recipient}) == ErrorKind::damaged);
  CHECK(failure("age", {k_other, k_other}) == ErrorKind::damaged);
  CHECK(failure("age", {}) == ErrorKind::damaged);
  CHECK(failure("age", {"age1x"}) == ErrorKind::damaged);
  CHECK(failure("none", {k_recipient}) == ErrorKind::damaged);
  CHECK_FALSE(failure("later", {"whatever"}));
}

TEST_CASE("descriptor: a newer version is refused as such, not as damage") {
  const std::string text = replaced(sample().text(), "\"version\":1", "\"version\":2");
  CHECK(failure_of([&] { Descriptor::parse(text, "x"); }) == ErrorKind::failed);
  CHECK(test::message_of([&] { Descriptor::parse(text, "config/x"); }) ==
        "unable to read 'config/x': it has format version 2, this program reads version 1");
}

TEST_CASE("descriptor: what a feature or an encryption of a later program changed is not called damage") {
  const std::string text = sample().text();
  const std::string changed = replaced(text, "\"recipients\":[]", "\"recipients\":{\"later\":1}");
  CHECK(failure_of([&] { Descriptor::parse(changed, "x"); }) == ErrorKind::damaged);
  const std::string feature = replaced(changed, "\"requires_read\":[]", "\"requires_read\":[\"frob\"]");
  CHECK(failure_of([&] { Descriptor::parse(feature, "x"); }) == ErrorKind::failed);
  CHECK(test::message_of([&] { Descriptor::parse(feature, "config/x"); }) ==
        "unable to read 'config/x': it needs the feature 'frob', which this program does not know");
  const std::string encryption = replaced(changed, "\"none\"", "\"pgp\"");
  CHECK(test::message_of([&] { Descriptor::parse(encryption, "config/x"); }) ==
        "unable to open store 'config/x': it is encrypted with 'pgp', which this program does not know");
  // A feature that only writers or prunes must know changes nothing for a reader; and it is a descriptor at all first.
  CHECK(failure_of([&] {
          Descriptor::parse(replaced(changed, "\"requires_write\":[]", "\"requires_write\":[\"frob\"]"), "x");
        }) == ErrorKind::damaged);
  CHECK(failure_of([&] { Descriptor::parse(replaced(feature, "cairn-store", "cairn-stone"), "x"); }) ==
        ErrorKind::damaged);
}

TEST_CASE("descriptor: members of later programs are ignored") {
  CHECK_NOTHROW(Descriptor::parse(replaced(sample().text(), "{", "{\"later\":{\"x\":[1]},"), "x"));
}

TEST_CASE("requirements: an unknown feature refuses the operation that it is for, and no other") {
  const Requirements r{{"fast"}, {}, {"slow"}};
  CHECK(test::message_of([&] { check_requirements(r, Operation::read, "s"); }) ==
        "unable to read 's': it needs the feature 'fast', which this program does not know");
  CHECK_NOTHROW(check_requirements(r, Operation::write, "s"));
  CHECK(failure_of([&] { check_requirements(r, Operation::prune, "s"); }) == ErrorKind::failed);
}

TEST_CASE("descriptor: permissions are recorded, and what is not known is the least") {
  Descriptor d = sample();
  CHECK(Descriptor::parse(d.text(), "x").permissions == Permissions::umask);
  d.permissions = Permissions::group;
  CHECK(d.text().ends_with("\"create_only\":false,\"permissions\":\"group\"}\n"));
  CHECK(Descriptor::parse(d.text(), "x").permissions == Permissions::group);
  d.permissions = Permissions::owner;
  CHECK(Descriptor::parse(d.text(), "x").permissions == Permissions::owner);
  CHECK(Descriptor::parse(d.text(), "x").unknown_members.empty());
  for (const char* value : {"\"everybody\"", "7", "null", "{}"}) {
    const auto later = Descriptor::parse(replaced(d.text(), "\"owner\"", value), "x");
    CHECK(later.permissions == Permissions::owner);
    CHECK(later.unknown_members == std::vector<std::string>{"permissions"});
  }
}

TEST_CASE("descriptor: what it says of the store is told to it") {
  test::MemoryStore memory;
  Descriptor d;
  tell_store(memory, d);
  CHECK_FALSE(memory.capabilities().create_only);
  d.create_only = true;
  tell_store(memory, d);
  CHECK(memory.capabilities().create_only);
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore files{directory.path() / "store", CreateRoot::yes};
  d.permissions = Permissions::group;
  tell_store(files, d);
  files.put("k", ObjectBody::from_text("v"));
  CHECK(fs::status(directory.path() / "store/k").permissions() == fs::perms{0640});
}
