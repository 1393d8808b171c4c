#include "repo/local_state.hpp"

#include "repo/layout.hpp"
#include "unit/support.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::failure_of;

namespace {

Descriptor descriptor() {
  Descriptor d;
  d.store_id = std::string(32, 'a');
  d.encryption = "age";
  d.recipients = {"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"};
  return d;
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

}  // namespace

TEST_CASE("store pin: every difference is refused") {
  const auto pin = pin_of(descriptor());
  CHECK_NOTHROW(check_pin(pin, descriptor(), "s"));
  Descriptor other = descriptor();
  other.store_id = std::string(32, 'b');
  CHECK(failure_of([&] { check_pin(pin, other, "s"); }) == ErrorKind::untrusted);
  other = descriptor();
  other.encryption = "none";
  other.recipients.clear();
  CHECK(failure_of([&] { check_pin(pin, other, "s"); }) == ErrorKind::untrusted);
  other = descriptor();
  other.recipients.push_back("age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5");
  CHECK(failure_of([&] { check_pin(pin, other, "s"); }) == ErrorKind::untrusted);
  StorePin any = pin;
  any.store_id.clear();
  other = descriptor();
  other.store_id = std::string(32, 'b');
  CHECK_NOTHROW(check_pin(any, other, "s"));
}

TEST_CASE("local state: pins, keys and revocations are kept, for their owner alone") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const LocalState state{directory.path() / "state"};
  CHECK_FALSE(state.pin("s3://b/p"));
  CHECK_FALSE(state.writer_key());
  CHECK(state.revoked_keys().empty());
  state.set_pin("s3://b/p", pin_of(descriptor()));
  state.set_pin("/odd\xff", pin_of(descriptor()));
  CHECK(state.pin("s3://b/p") == pin_of(descriptor()));
  CHECK(state.pin("/odd\xff") == pin_of(descriptor()));
  CHECK_FALSE(state.pin("s3://b/q"));
  const auto key = state.ensure_writer_key();
  CHECK(state.ensure_writer_key().recipient() == key.recipient());
  CHECK(state.writer_key()->recipient() == key.recipient());
  CHECK(mode_of(state.directory()) == 0700);
  CHECK(mode_of(state.directory() / "writer.key") == 0600);
  state.revoke_key({"RWa", std::nullopt});
  state.revoke_key({"RWb", *parse_time("2026-11-21T00:00:00Z")});
  state.revoke_key({"RWa", *parse_time("2026-11-22T00:00:00Z")});
  CHECK(state.revoked_keys().size() == 2);
}

TEST_CASE("local state: a file that cannot be read is not taken for none") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const LocalState state{directory.path()};
  state.set_pin("s", pin_of(descriptor()));
  for (const auto& file : fs::directory_iterator(directory.path() / "stores"))
    write_file_atomic(file.path(), as_bytes("{"));
  CHECK(failure_of([&] { state.pin("s"); }) == ErrorKind::failed);
  write_file_atomic(directory.path() / "revoked.json", as_bytes("[]"));
  CHECK(failure_of([&] { state.revoked_keys(); }) == ErrorKind::failed);
  write_file_atomic(directory.path() / "writer.key", as_bytes("nonsense"));
  CHECK(failure_of([&] { state.ensure_writer_key(); }) == ErrorKind::failed);
}

TEST_CASE("local state: without a place nothing is known and nothing can be noted") {
  const LocalState state{{}};
  CHECK_FALSE(state.pin("s"));
  CHECK_FALSE(state.writer_key());
  CHECK(failure_of([&] { state.set_pin("s", pin_of(descriptor())); }) == ErrorKind::failed);
}

TEST_CASE("local state: drill records wait by store, and are dropped one by one") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const LocalState state{directory.path() / "state"};
  const Time time = *parse_time("2026-11-21T03:24:10Z");
  const Digest id = sha256(std::string_view{"snapshot"});
  const std::string a = layout::drill_key("a.b-c", time, id, std::string(16, '0'));
  const std::string b = layout::drill_key("b", time, id, std::string(16, '0'));
  CHECK(state.kept_drills("store").empty());
  state.keep_drill("store", b, "text b");
  state.keep_drill("store", a, "text a");
  state.keep_drill("other", a, "text c");
  // What else lies there is nobody's record.
  write_file_atomic(state.directory() / "drills" / "store" / "notes.txt", as_bytes("x"));
  using Kept = std::vector<std::pair<std::string, std::string>>;
  CHECK(state.kept_drills("store") == Kept{{a, "text a"}, {b, "text b"}});
  state.drop_drill("store", a);
  CHECK(state.kept_drills("store") == Kept{{b, "text b"}});
  CHECK(state.kept_drills("other") == Kept{{a, "text c"}});
  CHECK(LocalState{fs::path{}}.kept_drills("store").empty());
  CHECK_THROWS_AS(LocalState{fs::path{}}.keep_drill("store", a, "text"), Error);
}
