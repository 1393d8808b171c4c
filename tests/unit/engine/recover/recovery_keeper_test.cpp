#include "engine/recover/recovery_keeper.hpp"

#include "repo/layout.hpp"
#include "support/memory_store.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

std::map<std::string, std::string> objects(test::MemoryStore& store) {
  std::map<std::string, std::string> found;
  for (const auto& [key, object] : store.objects()) found[key] = std::string{as_text(object.bytes)};
  return found;
}

}  // namespace

TEST_CASE("recovery files: what the program carries is complete and fit for any screen") {
  const auto files = recovery_files();
  const auto is_there = [&](std::string_view name) {
    const auto at =
        std::find_if(files.begin(), files.end(), [&](const RecoveryFile& file) { return file.name == name; });
    return at != files.end() && at->content.size() > 1000;
  };
  for (const char* name : {"README.txt", "cairn-format.txt", "cairn-manual.txt", "cairn-runbook.txt",
                           "cairn-vectors.json", "cairn_reader.py"}) {
    CAPTURE(name);
    CHECK(is_there(name));
  }
  CHECK(std::is_sorted(files.begin(), files.end(),
                       [](const RecoveryFile& a, const RecoveryFile& b) { return a.name < b.name; }));
  for (const auto& file : files) {
    CAPTURE(file.name);
    CHECK(std::all_of(file.content.begin(), file.content.end(),
                      [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
    CHECK(file.content.ends_with('\n'));
    // The README names each.
    if (file.name != "README.txt") CHECK(files.front().content.find(file.name) != std::string_view::npos);
  }
}

TEST_CASE("recovery files: each is put once, under the digest of its bytes") {
  test::MemoryStore store;
  const std::array<RecoveryFile, 2> files{{{"a.txt", "first\n"}, {"b.txt", "second\n"}}};
  CHECK(keep_recovery_files(store, files, "1.2.3", nullptr).put == 2);
  const auto there = objects(store);
  REQUIRE(there.size() == 2);
  CHECK(there.at("recover/1.2.3/a.txt-" + sha256(as_bytes("first\n")).hex()) == "first\n");

  const RecoveryKept again = keep_recovery_files(store, files, "1.2.3", nullptr);
  CHECK(again.put == 0);
  CHECK(again.there == 2);

  SUBCASE("what has gone is put again, and another text beside the old one") {
    const std::array<std::string, 1> gone{"recover/1.2.3/a.txt-" + sha256(as_bytes("first\n")).hex()};
    CHECK(store.remove(gone).empty());
    const std::array<RecoveryFile, 2> changed{{{"a.txt", "first\n"}, {"b.txt", "other\n"}}};
    CHECK(keep_recovery_files(store, changed, "1.2.3", nullptr).put == 2);
    CHECK(objects(store).size() == 3);
  }
  SUBCASE("another version has a directory of its own") {
    CHECK(keep_recovery_files(store, files, "1.2.4", nullptr).put == 2);
    CHECK(objects(store).size() == 4);
  }
}

TEST_CASE("recovery files: a signature of each lies beside it, which is right for these bytes alone") {
  test::MemoryStore store;
  const std::array<RecoveryFile, 1> files{{{"a.txt", "first\n"}}};
  const auto key = minisign::SecretKey::generate();
  CHECK(keep_recovery_files(store, files, "1", &key).put == 2);
  CHECK(keep_recovery_files(store, files, "1", &key).put == 0);
  const std::string name = "recover/1/a.txt-" + sha256(as_bytes("first\n")).hex();
  const std::string text = objects(store).at(name + "-" + key.public_key().key_id() + ".minisig");
  CHECK(minisign::verify(key.public_key(), "first\n", text));
  CHECK_FALSE(minisign::verify(key.public_key(), "First\n", text));

  SUBCASE("another host signs, too") {
    const auto other = minisign::SecretKey::generate();
    CHECK(keep_recovery_files(store, files, "1", &other).put == 1);
  }
}

TEST_CASE("recovery files: the digest changes with whatever would be put") {
  const std::array<RecoveryFile, 1> files{{{"a", "b"}}};
  const std::array<RecoveryFile, 1> others{{{"a", "c"}}};
  const auto key = minisign::SecretKey::generate();
  const Digest digest = recovery_digest(files, "1", nullptr);
  CHECK(recovery_digest(files, "1", nullptr) == digest);
  CHECK(recovery_digest(others, "1", nullptr) != digest);
  CHECK(recovery_digest(files, "2", nullptr) != digest);
  CHECK(recovery_digest(files, "1", &key) != digest);
}
